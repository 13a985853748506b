"""Players whose erasure a restored database has undone are erased again.

Law: it is the erasure that operators make, with an entry in the audit log that names the database which went back. It
may be ended anywhere and begun again: who is erased completely on the restored line isn't erased once more, and who is
half erased is gone on with. One player who can't be erased now keeps no other from it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

import structlog

from gameserver.app.backups import Say
from gameserver.app.core import Core, open_core
from gameserver.commands import command_ids, erasure
from gameserver.commands.erasure import Erasures
from gameserver.commands.results import ChangedBy
from gameserver.config.settings import Settings
from gameserver.rules.errors import GameError, PlayerNotFound, Unavailable
from gameserver.storage.crossings.erasures import RestoredLine, UndoneErasure
from gameserver.storage.crossings.findings import Findings
from gameserver.storage.slots.slot_map import IncompleteMap
from gameserver.storage.tables.migrations import OutdatedDatabase
from gameserver.times import rfc3339
from gameserver.waiting import cancel_and_wait

log = structlog.get_logger()

LEFT = "erasures_left"
ATTEMPTS = 10
"""At one player, one after another: a long ledger takes several, and each waits for letters that are on their way."""
DOUBTFUL = (
    "Its order didn't end, so whether it was deleted isn't known: look at the player, and erase it if it was meant."
)
INCOMPLETE = "A search still finds something, or couldn't be made in time."


async def erase_again(
    settings: Settings, undone: Sequence[UndoneErasure], line: RestoredLine, by: ChangedBy, say: Say
) -> list[Findings]:
    """Erases them with all that a node has; who is left, and why, is listed."""
    found = Findings(
        "erasures_undone",
        "players that were erased since, of whom the restored database could have names and texts again",
        "put right: erased again, but for those in the next list; the receipts are in the audit log",
    )
    left = Findings(LEFT, "players who have to be erased again still", "listed: run this again, or erase them")
    sure = [each for each in undone if each.is_sure]
    for each in sure:
        found.add(player=str(each.player_id), at=rfc3339(each.at))
    again = replace(by, reason=f"{by.reason}: erased again, as {line.database} went back")
    problems = await _erase_all(settings, [each.player_id for each in sure], line, again, say) if sure else {}
    doubtful = {each.player_id: DOUBTFUL for each in undone if not each.is_sure}
    for player_id, problem in {**doubtful, **problems}.items():
        left.add(player=str(player_id), problem=problem)
    return [found, left]


async def _erase_all(
    settings: Settings, players: Sequence[int], line: RestoredLine, by: ChangedBy, say: Say
) -> Mapping[int, str]:
    """Who isn't erased completely, and why."""
    problems = dict.fromkeys(players, "")
    try:
        async with open_core(settings) as core, _reading(core):
            for number, player_id in enumerate(players, 1):
                command_id = command_ids.new_id(core.commands.accounts.policy.now())
                problem = await _erase(core.commands.erasures, player_id, replace(by, command_id=command_id), line)
                if problem is None:
                    del problems[player_id]
                else:
                    problems[player_id] = problem
                say(f"{number} of {len(players)}: the player {player_id} is {'not ' if problem else ''}erased again.")
    except (GameError, IncompleteMap, OutdatedDatabase, OSError) as error:
        return {player_id: problem or str(error) for player_id, problem in problems.items()}
    return problems


@contextlib.asynccontextmanager
async def _reading(core: Core) -> AsyncIterator[None]:
    """What reads players has connections of its own, which it closes when it is ended."""
    running = asyncio.create_task(core.rooms.players.run())
    try:
        yield
    finally:
        await cancel_and_wait([running])


async def _erase(erasures: Erasures, player_id: int, by: ChangedBy, line: RestoredLine) -> str | None:
    """Why the player isn't erased completely, if it isn't. Who doesn't exist any more has nothing to be erased."""
    problem = None
    for _ in range(ATTEMPTS):
        try:
            receipt = await erasure.erase(erasures, player_id, by, line.details)
        except PlayerNotFound:
            return None
        except Unavailable as error:
            problem = error.detail
            await asyncio.sleep(error.retry_after or 0)
            continue
        except GameError as error:
            return error.detail
        except Exception:
            log.exception("not erased again", player=player_id)
            return "It failed: see the log."
        if receipt.complete or problem == INCOMPLETE:
            return None if receipt.complete else problem
        problem = INCOMPLETE
    return problem
