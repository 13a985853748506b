"""Whether the game has everything that players hold: asked before a node serves, and by operators beforehand."""

import structlog

from gameserver.rules import game_names
from gameserver.rules.game import Game, GameFault
from gameserver.storage.operators.game_names import GameNames, Holdings

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
    return _faults(holdings, game)


async def needed(names: GameNames, present: Game, wanted: Game) -> list[str]:
    """Why a game can't follow another one while players play: what they hold, or may still get, and it doesn't have.

    A name can be left out once nobody can get it any more, so the present game must have it as retired (of a letter: as
    withdrawn), and nobody holds it. A database that doesn't answer is a reason, too. Raises DatabaseUnavailable.
    """
    known = game_names.names_of(wanted)
    problems = game_names.still_given(present, known)
    if gone := ((await names.recorded()) | game_names.names_of(present)) - known:
        holdings = await names.held(gone)
        problems += _faults(holdings, wanted)
    return problems


def _faults(holdings: Holdings, game: Game) -> list[str]:
    silent = [f"database {name}: it doesn't answer, so what its players hold isn't known" for name in holdings.silent]
    return game_names.faults(holdings.counts, game) + silent


async def record(names: GameNames, game: Game) -> None:
    """Records the names of a game before players can get them. Raises DatabaseUnavailable."""
    await names.record(game_names.names_of(game) - await names.recorded())
