"""Whether the game has everything that players hold: asked before a node serves, and by operators beforehand."""

import structlog

from gameserver.rules import game_names
from gameserver.rules.game import Game, GameFault
from gameserver.storage.operators.game_names import GameNames

log = structlog.get_logger()


async def require(names: GameNames, game: Game) -> None:
    """Refuses a game that lacks what players hold, then records its names.

    Counts only names that some game has had and this one hasn't. A database that is away doesn't keep the node from
    starting: reads of a player whose class is missing work. Raises GameFault, DatabaseUnavailable.
    """
    known = game_names.names_of(game)
    recorded = await names.recorded()
    if gone := recorded - known:
        holdings = await names.held(gone)
        if problems := game_names.faults(holdings.counts, game):
            raise GameFault(problems)
        if holdings.silent:
            log.warning("players may hold what the game no longer has", databases=holdings.silent, names=sorted(gone))
    await names.record(known - recorded)


async def lacking(names: GameNames, game: Game, *, record: bool = False) -> list[str]:
    """What players hold and the game doesn't have, counted on every database, and the databases that didn't answer.

    With `record` also records the names that the databases hold, for those that were written before this was done.
    """
    holdings = await names.held()
    if record:
        await names.record(holdings.counts)
    silent = [f"database {name}: it doesn't answer, so what its players hold isn't known" for name in holdings.silent]
    return game_names.faults(holdings.counts, game) + silent
