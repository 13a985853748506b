"""The cut-over of one slot: fence, catch up, verify, flip, grant. Writes to the slot pause from the fence to the grant.

Law: the source gives the slot up under its fence, so no write is under way when it does; the target is granted the slot
only after the flip is recorded, and only once it has the mark of this fence, and so everything that was written before
it. A slot whose rows differ, also when they are summed up anew after an erasure may have come between, or whose target
lags, goes back to the source under a higher epoch. No slot is fenced before its rows were summed up in time without the
fence; one for which that takes too long again and again, with a while in between, stays.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable

import asyncpg

from gameserver.rules.errors import Conflict
from gameserver.storage.postgres.driver import DriverConnection
from gameserver.storage.postgres.locks import FENCES
from gameserver.storage.postgres.sole_locks import fenced_alone
from gameserver.storage.sharding import digest
from gameserver.storage.sharding.digest import Base, Digest
from gameserver.storage.sharding.move import MoveRecord, SlotStep
from gameserver.storage.sharding.slot_steps import SlotSteps

FENCE_MS = 500
"""How long new writes to the source may be held up while those under way end."""
CATCH_UP_SECONDS = 1.5
"""How much of a pause the target may spend on catching up."""
PAUSE_SECONDS = 3.0
"""How much of a pause catching up and summing up may take."""
SUM_SECONDS = 1.5
"""How long summing up may take beforehand, for a slot to be fenced at all."""
OVERRUNS = 2
"""So often summing up may take too long before the slot counts as too large."""
OVERRUN_SECONDS = 15.0
"""How long a slot is left alone, unfenced, after summing up took too long: a disk may be slow for a while."""
DELAY_SECONDS = 0.2
"""How long a slot is left alone after any other delay."""
LAG_SECONDS = 0.3
"""No cut-over begins to a target that lags by more."""
STATEMENT_SECONDS = 5.0
LOOK_SECONDS = 0.002
DOUBTS = 2
"""So often rows that differ are summed up anew before it is believed."""
TAKE = (
    "update {group}_owned_slots set owned = false, epoch = $2, txid = default where slot = $1 and epoch < $2"
    " returning slot"
)
GRANT = (
    "insert into {group}_owned_slots as o (slot, owned, epoch) values ($1, true, $2)"
    " on conflict (slot) do update set owned = true, epoch = $2, txid = excluded.txid where o.epoch < $2 returning slot"
)
MARK = "insert into {group}_marks (slot, move, epoch) values ($1, $2, $3) on conflict do nothing"
OWNED = "select epoch from {group}_owned_slots where slot = $1 and owned"
EDITION = "select coalesce(max(edition), 0) from players_editions where state = 'ordered'"
"""The newest rules that a database of players has heard of."""


class SlotStays(Exception):
    """The slot can't be moved before somebody has looked at it; the text says why."""


class RowsDiffer(SlotStays):
    """The slot's rows on the target differ from those on the source; the text says where."""


class CutoverDelayed(Exception):
    """The move can't go on right now, for instance because the target lags; it may be tried again after `seconds`."""

    def __init__(self, text: str, seconds: float = DELAY_SECONDS) -> None:
        super().__init__(text)
        self.seconds = seconds


class Cutover:
    """Cuts over the slots of one move, over two connections of its mover."""

    def __init__(self, steps: SlotSteps, source: DriverConnection, target: asyncpg.Connection) -> None:
        self._steps = steps
        self._source, self._target = source, target
        self.lag_ms = 0
        """The target's lag, as measured before the last cut-over."""
        self._bases: dict[int, tuple[Base, Base]] = {}
        """Of slots that aren't cut over yet, on source and target; a delay doesn't sum them up once more."""
        self._doubts: Counter[int] = Counter()
        """How often the contents of a slot differed."""
        self._overruns: Counter[int] = Counter()
        """How often a slot took too long to sum up."""

    async def carry_out(self, move: MoveRecord, slot: int) -> int:
        """Moves a waiting slot to the target; returns how long writes to it paused, in ms.

        Raises CutoverDelayed or SlotStays, with the slot back at the source; Conflict if it has flipped and isn't
        granted yet; LeaseLost; or what the servers raise.
        """
        await self._require_owned(move, slot)
        await self._require_rules(move)
        # 1. Wait until the target is close behind, and sum up beforehand the rows that never change.
        await self.require_near(move, slot)
        bases = await self._summed(move, slot)
        # 2. Record the fence before taking it: whoever takes over knows what to give back.
        epoch = await self._steps.begin_fencing(move, slot)
        began = time.monotonic()
        try:
            # 3. Stop writes on the source, wait for its last ones on the target, and compare.
            began = await self.fence(move, slot, epoch)
            async with self._in_time(slot, PAUSE_SECONDS, "while nobody may write it"):
                await self.arrived(move, slot, epoch, CATCH_UP_SECONDS)
                await self.verify(move, slot, *bases)
        except (CutoverDelayed, SlotStays):
            await give_back(self._steps, self._source, move, slot, epoch)
            raise
        # 4. Commit: the map changes here. Then let the target write.
        granted_epoch = await self._steps.flip(move, slot, epoch)
        del self._bases[slot]
        try:
            return await self.grant(move, slot, granted_epoch, began)
        except CutoverDelayed as delay:
            # The attempt ends: the next one begins with the grants that are left, and never fences the slot again.
            raise Conflict(f"slot {slot}: {delay}") from delay

    async def _require_owned(self, move: MoveRecord, slot: int) -> None:
        """Raises RowsDiffer unless the source owns the slot, under the epoch of the map."""
        owned = OWNED.format(group=move.group)
        epoch = await self._source.fetchval(owned, slot, timeout=STATEMENT_SECONDS)
        if epoch is None:
            raise RowsDiffer(f"slot {slot}: {move.source} doesn't own it: see `slots check`")
        if epoch != (known := await self._steps.epoch(move, slot)):
            text = f"slot {slot}: {move.source} owns it under epoch {epoch}, the map has {known}"
            raise RowsDiffer(f"{text}: see `slots check`")

    async def _require_rules(self, move: MoveRecord) -> None:
        """Raises CutoverDelayed while the target hasn't heard of rules that the source knows: nodes, which judge by
        those, would be refused by it."""
        if move.group == "players":
            on_source = await self._source.fetchval(EDITION, timeout=STATEMENT_SECONDS)
            if on_source > await self._target.fetchval(EDITION, timeout=STATEMENT_SECONDS):
                raise CutoverDelayed(f"no node has told {move.target} of the newest rules yet")

    async def _summed(self, move: MoveRecord, slot: int) -> tuple[Base, Base]:
        """The bases of source and target, so fresh that little is left to sum up under the fence.

        Raises CutoverDelayed when the target has fallen behind meanwhile, or more is written than can be summed up;
        and SlotStays when that takes too long for a pause.
        """
        source, target, group = self._source, self._target, move.group
        if slot not in self._bases:
            self._bases[slot] = await _both(digest.base(source, group, slot), digest.base(target, group, slot))
        for _ in range(digest.PASSES):
            bases = self._bases[slot]
            self._bases[slot] = bases = await _both(
                digest.renewed(source, group, slot, bases[0]), digest.renewed(target, group, slot, bases[1])
            )
            if all(base.is_fresh for base in bases):
                async with self._in_time(slot, SUM_SECONDS, "before its fence"):
                    await self._whole(move, slot, *bases)
                await self.require_near(move, slot)
                return bases
        raise CutoverDelayed("more is written than can be summed up")

    @contextlib.asynccontextmanager
    async def _in_time(self, slot: int, seconds: float, when: str) -> AsyncIterator[None]:
        """Raises CutoverDelayed if the block takes longer, and SlotStays if that was so too often."""
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            self._overruns[slot] += 1
            text = f"slot {slot}: comparing its rows takes more than {seconds:g} s {when}"
            if self._overruns[slot] > OVERRUNS:
                raise SlotStays(f"{text}: it is too large for its servers") from None
            raise CutoverDelayed(text, OVERRUN_SECONDS) from None

    async def grant(self, move: MoveRecord, slot: int, epoch: int, began: float | None = None) -> int:
        """Lets the target write a flipped slot; returns the ms since `began`, or 0 if that isn't known.

        Raises CutoverDelayed when the target lacks the mark of the fence: it hasn't recovered from a crash yet; and
        Conflict if it doesn't own the slot although its epoch is later.
        """
        await self.arrived(move, slot, epoch - 1, STATEMENT_SECONDS)
        grant, owned = (statement.format(group=move.group) for statement in (GRANT, OWNED))
        granted = await self._target.fetchval(grant, slot, epoch, timeout=STATEMENT_SECONDS)
        # An earlier mover may have granted it.
        if granted is None and await self._target.fetchval(owned, slot, timeout=STATEMENT_SECONDS) is None:
            raise Conflict(f"slot {slot}: {move.target} has a later epoch, and doesn't own it: see `slots check`.")
        pause = 0 if began is None else round((time.monotonic() - began) * 1000)
        await self._steps.settle(move, slot, SlotStep.FLIPPED, SlotStep.MOVED, pause)
        return pause

    async def require_near(self, move: MoveRecord, slot: int) -> None:
        """Measures the target's lag by a mark of its own. Raises CutoverDelayed when it is above LAG_SECONDS."""
        ping, began = -time.time_ns(), time.monotonic()
        await self._source.execute(
            f"insert into {move.group}_marks (slot, move, epoch) values ($1, $2, $3)",  # noqa: S608
            slot,
            move.id,
            ping,
            timeout=STATEMENT_SECONDS,
        )
        await self.arrived(move, slot, ping, LAG_SECONDS)
        self.lag_ms = round((time.monotonic() - began) * 1000)

    async def fence(self, move: MoveRecord, slot: int, epoch: int) -> float:
        """Stops writes to the slot on the source; returns since when, by `time.monotonic`. Raises CutoverDelayed."""
        group, source = move.group, self._source
        try:
            mark = MARK.format(group=group)
            async with fenced_alone(source, FENCES[group], FENCE_MS, TAKE.format(group=group), mark):
                began = time.monotonic()
                if not await take_from(source, group, slot, epoch):
                    raise CutoverDelayed(f"{move.source} has a later epoch of the slot")
                # The mark commits with it, so the target has everything once it has the mark.
                await source.execute(mark, slot, move.id, epoch)
        except asyncpg.LockNotAvailableError:
            raise CutoverDelayed("writes on the source don't end") from None
        return began

    async def arrived(self, move: MoveRecord, slot: int, epoch: int, seconds: float) -> None:
        """Returns when the target has a mark. Raises CutoverDelayed after so many seconds."""
        deadline = time.monotonic() + seconds
        query = f"select exists(select from {move.group}_marks where slot = $1 and move = $2 and epoch = $3)"  # noqa: S608
        while not await self._target.fetchval(query, slot, move.id, epoch, timeout=STATEMENT_SECONDS):
            if time.monotonic() > deadline:
                raise CutoverDelayed(f"the target is more than {seconds:g} s behind")
            await asyncio.sleep(LOOK_SECONDS)

    async def verify(self, move: MoveRecord, slot: int, source_base: Base, target_base: Base) -> None:
        on_source, on_target = await self._whole(move, slot, source_base, target_base)
        if differences := on_source.differences(on_target):
            self._doubts[slot] += 1
            if self._doubts[slot] > DOUBTS or not on_source.may_lack_changes(on_target, source_base.digest):
                raise RowsDiffer(f"slot {slot}: {'; '.join(differences)}")
            # An erasure changes rows that nothing else changes; it may have come between the two sums.
            del self._bases[slot]
            raise CutoverDelayed(f"its rows are summed up anew: {'; '.join(differences)}")

    async def _whole(self, move: MoveRecord, slot: int, source_base: Base, target_base: Base) -> tuple[Digest, Digest]:
        return await asyncio.gather(
            digest.whole(self._source, move.group, slot, source_base),
            digest.whole(self._target, move.group, slot, target_base),
        )


async def _both(on_source: Awaitable[Base], on_target: Awaitable[Base]) -> tuple[Base, Base]:
    return await asyncio.gather(on_source, on_target)


async def take_from(connection: asyncpg.Connection, group: str, slot: int, epoch: int) -> bool:
    """Ends a database's ownership of a slot; False if it has seen this epoch or a later one, and nothing changes."""
    taken = await connection.fetchval(TAKE.format(group=group), slot, epoch, timeout=STATEMENT_SECONDS)
    return taken is not None


async def give_back(steps: SlotSteps, source: DriverConnection, move: MoveRecord, slot: int, epoch: int) -> None:
    """Leaves a slot that was being fenced with the source. Raises LeaseLost."""
    await steps.begin_return(move, slot, epoch)
    await end_return(steps, source, move, slot, epoch + 1)


async def end_return(steps: SlotSteps, source: DriverConnection, move: MoveRecord, slot: int, epoch: int) -> None:
    """Lets the source write the slot again. Raises LeaseLost."""
    await source.execute(
        f"update {move.group}_owned_slots set owned = true, epoch = $2, txid = default"  # noqa: S608
        " where slot = $1 and epoch < $2",
        slot,
        epoch,
        timeout=STATEMENT_SECONDS,
    )
    await steps.settle(move, slot, SlotStep.RETURNING, SlotStep.WAITING)


async def give_back_all(steps: SlotSteps, source: DriverConnection, move: MoveRecord) -> None:
    """Returns to the source every slot that an earlier attempt has left between fence and flip. Raises LeaseLost."""
    for record in move.slots:
        if record.step is SlotStep.FENCING:
            await give_back(steps, source, move, record.slot, record.epoch)
        elif record.step is SlotStep.RETURNING:
            await end_return(steps, source, move, record.slot, record.epoch)


async def require_granted(
    source: DriverConnection, target: asyncpg.Connection, move: MoveRecord, slot: int, epoch: int
) -> None:
    """Makes sure, before a moved slot is erased on the source, that the target still owns it and the source doesn't.

    A server that was failed over to a lagging standby may have forgotten either. Raises CutoverDelayed.
    """
    owned = f"select exists(select from {move.group}_owned_slots where slot = $1 and owned and epoch >= $2)"  # noqa: S608
    moved_on = f"select exists(select from {move.group}_owned_slots where slot = $1 and epoch > $2)"  # noqa: S608
    if not await target.fetchval(owned, slot, epoch) and not await target.fetchval(moved_on, slot, epoch):
        raise CutoverDelayed(f"{move.target} doesn't know that it owns slot {slot}: nothing is erased on {move.source}")
    await take_from(source, move.group, slot, epoch - 1)
