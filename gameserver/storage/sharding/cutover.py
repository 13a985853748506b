"""The cut-over of one slot: fence, catch up, verify, flip, grant. Writes to the slot pause from the fence to the grant.

Law: the source gives the slot up under its fence, so no writer is half-way through; the target is granted it only
after the flip is recorded, and only where the mark of this fence has arrived, with all that was written before it. A
slot whose rows differ, or whose target is too slow, goes back to the source under a higher epoch.
"""

import asyncio
import time

import asyncpg

from gameserver.storage.postgres.locks import FENCES
from gameserver.storage.sharding import digest
from gameserver.storage.sharding.digest import Base
from gameserver.storage.sharding.move import MoveRecord, SlotStep
from gameserver.storage.sharding.records import MoveRecords

FENCE_MS = 500
"""How long the writers of a database may be held up while the last one of them ends."""
CATCH_UP_SECONDS = 1.5
"""What of a pause the target may take to catch up."""
PAUSE_SECONDS = 3.0
"""A server that has not even answered by then counts as away."""
LAG_SECONDS = 0.3
"""A target that is further behind isn't cut over to."""
STATEMENT_SECONDS = 5.0
LOOK_SECONDS = 0.002


class RowsDiffer(Exception):
    """What is on the target isn't what is on the source; the text says where."""


class CutoverDelayed(Exception):
    """The target didn't catch up, or the source's writers didn't let go, in time."""


class Cutover:
    """Cuts over the slots of one move between connections of its mover."""

    def __init__(self, moves: MoveRecords, source: asyncpg.Connection, target: asyncpg.Connection) -> None:
        self._moves = moves
        self._source, self._target = source, target
        self.lag_ms = 0
        """How far the target was behind when it was last asked."""

    async def carry_out(self, move: MoveRecord, slot: int) -> int:
        """Brings a waiting slot to the target; the milliseconds of its pause.

        Raises TooSlow or Differs, with the slot back at the source, TurnLost, or what the servers raise.
        """
        await self._require_near(move, slot)
        bases = await asyncio.gather(
            digest.base(self._source, move.group, slot), digest.base(self._target, move.group, slot)
        )
        epoch = await self._moves.begin_fencing(move, slot)
        began = time.monotonic()
        try:
            began = await self._fence(move, slot, epoch)
            async with asyncio.timeout(PAUSE_SECONDS):
                await self._arrived(move, slot, epoch, CATCH_UP_SECONDS)
                await self._verify(move, slot, *bases)
        except (CutoverDelayed, RowsDiffer):
            await give_back(self._moves, self._source, move, slot, epoch)
            raise
        granted = await self._moves.flip(move, slot, epoch)
        return await self.grant(move, slot, granted, began)

    async def grant(self, move: MoveRecord, slot: int, epoch: int, began: float | None = None) -> int:
        """Lets the target write a slot that has flipped; the milliseconds since `began`, 0 if nobody knows.

        Raises TooSlow when the mark of the fence isn't there: the target hasn't got back what it had before a crash.
        """
        await self._arrived(move, slot, epoch - 1, STATEMENT_SECONDS)
        await self._target.execute(
            f"insert into {move.group}_owned_slots as o (slot, owned, epoch) values ($1, true, $2)"  # noqa: S608
            " on conflict (slot) do update set owned = true, epoch = $2, txid = excluded.txid where o.epoch < $2",
            slot,
            epoch,
            timeout=STATEMENT_SECONDS,
        )
        pause = 0 if began is None else round((time.monotonic() - began) * 1000)
        await self._moves.settle(move, slot, SlotStep.FLIPPED, SlotStep.MOVED, pause)
        return pause

    async def _require_near(self, move: MoveRecord, slot: int) -> None:
        """Raises TooSlow unless what is written on the source now is seen on the target soon."""
        ping, asked = -time.time_ns(), time.monotonic()
        await self._source.execute(
            f"insert into {move.group}_marks (slot, move, epoch) values ($1, $2, $3)",  # noqa: S608
            slot,
            move.id,
            ping,
            timeout=STATEMENT_SECONDS,
        )
        await self._arrived(move, slot, ping, LAG_SECONDS)
        self.lag_ms = round((time.monotonic() - asked) * 1000)

    async def _fence(self, move: MoveRecord, slot: int, epoch: int) -> float:
        """The moment from which on nobody writes the slot, by our clock. Raises TooSlow."""
        group, source = move.group, self._source
        try:
            async with source.transaction():
                await source.execute(f"set local lock_timeout = {FENCE_MS}")
                await source.execute(f"select pg_advisory_xact_lock({FENCES[group]})", timeout=STATEMENT_SECONDS)
                began = time.monotonic()
                await source.execute(
                    f"update {group}_owned_slots set owned = false, epoch = $2, txid = default"  # noqa: S608
                    " where slot = $1 and epoch < $2",
                    slot,
                    epoch,
                )
                await source.execute(
                    f"insert into {group}_marks (slot, move, epoch) values ($1, $2, $3) on conflict do nothing",  # noqa: S608
                    slot,
                    move.id,
                    epoch,
                )
        except asyncpg.LockNotAvailableError:
            raise CutoverDelayed("the source's writers don't let go") from None
        return began

    async def _arrived(self, move: MoveRecord, slot: int, epoch: int, seconds: float) -> None:
        end = time.monotonic() + seconds
        asked = f"select exists(select from {move.group}_marks where slot = $1 and move = $2 and epoch = $3)"  # noqa: S608
        while not await self._target.fetchval(asked, slot, move.id, epoch, timeout=STATEMENT_SECONDS):
            if time.monotonic() > end:
                raise CutoverDelayed(f"the target is more than {seconds:g} s behind")
            await asyncio.sleep(LOOK_SECONDS)

    async def _verify(self, move: MoveRecord, slot: int, on_source: Base, on_target: Base) -> None:
        found, copied = await asyncio.gather(
            digest.whole(self._source, move.group, slot, on_source),
            digest.whole(self._target, move.group, slot, on_target),
        )
        if differences := found.differences(copied):
            raise RowsDiffer(f"slot {slot}: {'; '.join(differences)}")


async def give_back(moves: MoveRecords, source: asyncpg.Connection, move: MoveRecord, slot: int, epoch: int) -> None:
    """Leaves a slot that was being fenced with the source. Raises TurnLost."""
    await moves.begin_return(move, slot, epoch)
    await end_return(moves, source, move, slot, epoch + 1)


async def end_return(moves: MoveRecords, source: asyncpg.Connection, move: MoveRecord, slot: int, epoch: int) -> None:
    """Lets the source write the slot again. Raises TurnLost."""
    await source.execute(
        f"update {move.group}_owned_slots set owned = true, epoch = $2, txid = default"  # noqa: S608
        " where slot = $1 and epoch < $2",
        slot,
        epoch,
        timeout=STATEMENT_SECONDS,
    )
    await moves.settle(move, slot, SlotStep.RETURNING, SlotStep.WAITING, None)


async def require_granted(
    source: asyncpg.Connection, target: asyncpg.Connection, move: MoveRecord, slot: int, epoch: int
) -> None:
    """Before a moved slot is erased on the source: the target has it still, and the source has it no more.

    A server that was failed over to a standby that lagged may have forgotten either. Raises TooSlow.
    """
    owned = f"select exists(select from {move.group}_owned_slots where slot = $1 and owned and epoch >= $2)"  # noqa: S608
    moved_on = f"select exists(select from {move.group}_owned_slots where slot = $1 and epoch > $2)"  # noqa: S608
    if not await target.fetchval(owned, slot, epoch) and not await target.fetchval(moved_on, slot, epoch):
        raise CutoverDelayed(f"{move.target} doesn't know that it owns slot {slot}: nothing is erased on {move.source}")
    await source.execute(
        f"update {move.group}_owned_slots set owned = false, epoch = $2, txid = default"  # noqa: S608
        " where slot = $1 and epoch < $2",
        slot,
        epoch - 1,
        timeout=STATEMENT_SECONDS,
    )
