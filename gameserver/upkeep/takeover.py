"""Takes over slot moves whose mover has died, and those that an operator has ordered and nobody has taken."""

import asyncio

import structlog

from gameserver.commands.sharding import LOOK_SECONDS, MovesUnderWay, Sharding
from gameserver.rules.errors import GameError
from gameserver.storage.postgres.shares import Purpose, using
from gameserver.storage.sharding.move import LeaseLost
from gameserver.storage.sharding.records import NOBODY
from gameserver.upkeep.open_moves import OpenMoves

log = structlog.get_logger()


async def take_over_for_ever(sharding: Sharding) -> None:
    """Carries on moves whose mover has died; one copy at a time beside those that wait for a server."""
    with using(Purpose.UPKEEP):
        under_way = MovesUnderWay(sharding.mover, sharding.progress.tell)
        try:
            await _take_over_lapsed(sharding, under_way)
        finally:
            await under_way.close()


async def _take_over_lapsed(sharding: Sharding, under_way: MovesUnderWay) -> None:
    open_moves = OpenMoves(sharding)
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        await under_way.look(0)
        try:
            await open_moves.measure()
            lapsed = await sharding.mover.lapsed()
        except GameError as error:
            log.warning("moves can't be read", error=error.detail)
            continue
        for move_id, copies in lapsed:
            if move_id not in under_way and (under_way.all_wait or not copies):
                under_way.begin(move_id, _take_over(sharding, under_way, move_id))


async def _take_over(sharding: Sharding, under_way: MovesUnderWay, move_id: int) -> None:
    try:
        former = (await sharding.moves.find(move_id)).mover
        what = "a move is taken" if former == NOBODY else "a move is taken over"
        await under_way.carry_out(move_id, lambda: log.info(what, move=move_id, former=former))
    except (GameError, LeaseLost) as error:
        log.info("a move is left to other processes", move=move_id, error=str(error))
    except Exception:
        log.exception("a move failed", move=move_id)
