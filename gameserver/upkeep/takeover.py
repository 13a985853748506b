"""Takes over slot moves whose mover has died, and those that an operator has ordered and nobody has taken."""

import asyncio

import structlog

from gameserver.commands.sharding import LOOK_SECONDS, Sharding
from gameserver.rules.errors import GameError
from gameserver.storage.postgres.shares import Purpose, using
from gameserver.storage.sharding.move import LeaseLost
from gameserver.storage.sharding.records import NOBODY
from gameserver.waiting import cancel_and_wait

log = structlog.get_logger()


async def take_over_for_ever(sharding: Sharding) -> None:
    """Carries on moves whose mover has died; one copy at a time, since servers have few replication workers."""
    with using(Purpose.UPKEEP):
        await _take_over_lapsed(sharding)


async def _take_over_lapsed(sharding: Sharding) -> None:
    ours: dict[int, asyncio.Task[None]] = {}
    try:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            ours = {move_id: task for move_id, task in ours.items() if not task.done()}
            try:
                lapsed = await sharding.moves.lapsed()
            except GameError as error:
                log.warning("moves can't be read", error=error.detail)
                continue
            for move_id, copies in lapsed:
                if move_id not in ours and not (copies and ours):
                    ours[move_id] = asyncio.create_task(_take_over(sharding, move_id))
    finally:
        await cancel_and_wait(ours.values())


async def _take_over(sharding: Sharding, move_id: int) -> None:
    try:
        former = (await sharding.moves.find(move_id)).mover
        leased = await sharding.mover.take(move_id, sharding.progress.tell)
        log.info("a move is taken" if former == NOBODY else "a move is taken over", move=move_id, former=former)
        try:
            await leased.go_on()
        finally:
            await leased.close()
    except (GameError, LeaseLost) as error:
        log.info("another process carries the move on", move=move_id, error=str(error))
    except Exception:
        log.exception("a move failed", move=move_id)
