"""Moving slots between databases: plans, drains, and carrying moves out."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from gameserver.commands import moves_audit
from gameserver.commands.corrections import ChangedBy
from gameserver.rules import ranges, rebalance
from gameserver.rules.errors import Conflict, NotFound
from gameserver.storage.operators.audit import Audit
from gameserver.storage.sharding.attempt import MoveProgress, Tell
from gameserver.storage.sharding.membership import Member, Membership
from gameserver.storage.sharding.move import LeaseLost, PlannedMove
from gameserver.storage.sharding.mover import LeasedMove, Mover
from gameserver.storage.sharding.records import MoveRecords
from gameserver.storage.slots.slot_map import Slots
from gameserver.waiting import cancel_and_wait

log = structlog.get_logger()

LARGEST_MOVE = 128
"""Slots in one move, at the most: after a failover the rest of a move is copied again."""
LOOK_SECONDS = 1.0
"""How often a move that another process carries out is looked at."""


class ProgressBook:
    """How far the moves are that this process carries out; `tell` is what movers report to."""

    def __init__(self) -> None:
        self._latest: dict[int, MoveProgress] = {}

    def tell(self, progress: MoveProgress) -> None:
        """Notes it, or forgets a move that is over."""
        if progress.move.ended_at is None:
            self._latest[progress.move.id] = progress
        else:
            self._latest.pop(progress.move.id, None)

    def shown(self) -> list[dict[str, int | None]]:
        """For each move its rows copied, of how many, and the target's lag in ms."""
        return [
            {
                "move": move_id,
                "rows": None if latest.copied is None else latest.copied.rows,
                "of": None if latest.copied is None else latest.copied.total,
                "lag_ms": latest.lag_ms,
            }
            for move_id, latest in self._latest.items()
        ]


@dataclass(frozen=True, slots=True)
class Sharding:
    """What moves need; one per process."""

    slots: Slots
    membership: Membership
    moves: MoveRecords
    mover: Mover
    audit: Audit
    progress: ProgressBook


async def plan_move(sharding: Sharding, group: str, wanted: Collection[int], target: str) -> list[PlannedMove]:
    """Moves of these slots from their present owners to `target`. Raises Conflict."""
    _require_group(sharding, group)
    await sharding.slots.refresh()
    size = sharding.slots.size(group)
    if unknown := sorted(slot for slot in wanted if not 0 <= slot < size):
        raise Conflict(f"{group} has the slots 0-{size - 1}, and not {ranges.shown(unknown)}.")
    by_owner: dict[tuple[str, str], list[int]] = {}
    for slot in sorted(wanted):
        owner = sharding.slots.owner(group, slot).name
        if owner != target:
            by_owner.setdefault((owner, target), []).append(slot)
    if not by_owner:
        raise Conflict(f"{target} owns all of these slots of {group} already.")
    return _parts(group, by_owner)


async def plan_rebalance(sharding: Sharding, groups: Sequence[str]) -> list[PlannedMove]:
    """The fewest moves after which every database of these groups has its share. Raises Conflict."""
    for group in groups:
        _require_group(sharding, group)
    await sharding.slots.refresh()
    members = await sharding.membership.listed()
    return [plan for group in groups for plan in _balanced(sharding, group, members)]


def _balanced(sharding: Sharding, group: str, members: Sequence[Member]) -> list[PlannedMove]:
    owners = [sharding.slots.owner(group, slot).name for slot in range(sharding.slots.size(group))]
    keepers = [member.database for member in members if member.group == group and not member.draining]
    return _parts(group, rebalance.plan(owners, keepers))


def _parts(group: str, moves: rebalance.Moves) -> list[PlannedMove]:
    return [
        PlannedMove(group, source, target, slots[first : first + LARGEST_MOVE])
        for (source, target), slots in moves.items()
        for first in range(0, len(slots), LARGEST_MOVE)
    ]


def _require_group(sharding: Sharding, group: str) -> None:
    if group not in sharding.slots.groups():
        raise Conflict(f"There is no group {group!r}: there are {', '.join(sharding.slots.groups())}.")


async def begin(
    sharding: Sharding, plans: Sequence[PlannedMove], by: ChangedBy | None = None, action: str = "slots_move"
) -> list[int]:
    """Records the moves, all or none, after checking every database; their ids. Raises Conflict with the reason.

    With `by`, the audit log has an entry for each, and the moves have its command id.
    """
    for plan in plans:
        await sharding.mover.require_fit(plan)
    async with contextlib.AsyncExitStack() as stack:
        ends = []
        for plan in plans:
            before = await moves_audit.before_order(sharding.membership, [plan])
            recorded = moves_audit.recorded(
                sharding.audit, by, action, plan.target, before, moves_audit.details_of(plan)
            )
            ends.append((await stack.enter_async_context(recorded), before))
        ids = await sharding.moves.make(plans, sharding.mover.name, _command_of(by))
        for (end, before), move_id in zip(ends, ids, strict=True):
            end.after = moves_audit.after_order(before, [move_id])
    return ids


async def plan_drain(sharding: Sharding, name: str) -> list[PlannedMove]:
    """The moves that would take a database's slots away, were it draining. Raises Conflict."""
    await sharding.slots.refresh()
    listed = await sharding.membership.listed()
    members = [replace(member, draining=member.draining or member.database == name) for member in listed]
    groups = [member.group for member in members if member.database == name]
    if not groups:
        raise Conflict(f"No group uses a database {name!r}.")
    for group in groups:
        if all(member.draining for member in members if member.group == group):
            raise Conflict(f"{name} is the last database of {group}: add another one first.")
    plans = [plan for group in groups for plan in _balanced(sharding, group, members)]
    return [plan for plan in plans if plan.source == name]


async def drain(sharding: Sharding, name: str, plans: Sequence[PlannedMove], by: ChangedBy | None = None) -> list[int]:
    """Gives a database no more slots, and records the moves that take its own away, as `plan_drain` says; their ids.

    Both, or neither: a drain that is refused leaves another one's mark. Raises Conflict.
    """
    details = {"moves": [moves_audit.details_of(plan) for plan in plans]}
    before = await moves_audit.before_order(sharding.membership, plans, name)
    async with moves_audit.recorded(sharding.audit, by, "database_drain", name, before, details) as end:
        for plan in plans:
            await sharding.mover.require_fit(plan)
        ids = await sharding.moves.make(plans, sharding.mover.name, _command_of(by), drained=name)
        end.after = moves_audit.after_order(before, ids, name)
    return ids


async def remove(sharding: Sharding, name: str, by: ChangedBy) -> None:
    """Removes a database from its groups. Raises Conflict."""
    groups = [member.group for member in await sharding.membership.listed() if member.database == name]
    async with moves_audit.recorded(sharding.audit, by, "database_remove", name, {"groups": groups}) as end:
        await sharding.membership.leave(name)
        end.after = {"groups": []}


async def cancel(sharding: Sharding, move_id: int, by: ChangedBy) -> None:
    """Asks for the end of a move. Raises Conflict, NotFound."""
    before: Mapping[str, Any] = {}
    with contextlib.suppress(NotFound):
        before = moves_audit.shown(await sharding.moves.find(move_id))
    async with moves_audit.recorded(sharding.audit, by, "slots_cancel", str(move_id), before) as end:
        await sharding.moves.cancel(move_id)
        end.after = {**before, "cancelled": True}


async def resume(sharding: Sharding, by: ChangedBy) -> list[int]:
    """The unfinished moves, to be carried out."""
    moves = await sharding.moves.unfinished()
    for move in moves:
        before = moves_audit.shown(move)
        async with moves_audit.recorded(sharding.audit, by, "slots_resume", str(move.id), before) as end:
            end.after = before  # it is carried out by whoever has its lease, and a move tells itself how it ended
    return [move.id for move in moves]


def _command_of(by: ChangedBy | None) -> str | None:
    return None if by is None else by.command_id


class MovesUnderWay:
    """The moves that a process carries out at the same time: those that wait for a server, or whose copy fails, and one
    other.

    A server that is away may be so for days. Once it is back those that waited for it copy in turn (`attempt`).
    """

    def __init__(self, mover: Mover, tell: Tell) -> None:
        self._mover, self._tell = mover, tell
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._leased: dict[int, LeasedMove] = {}

    def __contains__(self, move_id: object) -> bool:
        return move_id in self._tasks

    @property
    def all_wait(self) -> bool:
        """Whether there is room for one more."""
        return all(move_id in self._leased and self._leased[move_id].waits for move_id in self._tasks)

    def begin(self, move_id: int, work: Coroutine[Any, Any, None]) -> None:
        """Begins a move; `work` is, or awaits, `carry_out`."""
        self._tasks[move_id] = asyncio.create_task(work)

    async def carry_out(self, move_id: int, when_leased: Callable[[], None] = lambda: None) -> None:
        """Leases a move, and tries until it is over. Raises LeaseLost, NotFound, DatabaseUnavailable."""
        leased = self._leased[move_id] = await self._mover.take(move_id, self._tell)
        try:
            when_leased()
            await leased.go_on()
        finally:
            del self._leased[move_id]
            await leased.close()

    async def look(self, seconds: float) -> None:
        """Returns when one has ended, or after so many seconds. Raises what it ended with, but LeaseLost."""
        if not self._tasks:
            await asyncio.sleep(seconds)
            return
        over, _ = await asyncio.wait(self._tasks.values(), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        self._tasks = {move_id: task for move_id, task in self._tasks.items() if task not in over}
        for task in over:
            with contextlib.suppress(LeaseLost):
                task.result()

    async def close(self) -> None:
        """Leaves them to others."""
        await cancel_and_wait(self._tasks.values())


async def carry_out(sharding: Sharding, ids: Sequence[int], tell: Tell) -> None:
    """Carries the moves out, and goes on to the next when those before are over or wait for a server.

    Those that it hasn't begun when their leases lapse are taken by nodes. Reports on those that another process
    carries out.
    """
    under_way, unbegun, left = MovesUnderWay(sharding.mover, tell), list(ids), list(ids)
    try:
        while left:
            if unbegun and under_way.all_wait:
                move_id = unbegun.pop(0)
                under_way.begin(move_id, under_way.carry_out(move_id))
            await under_way.look(LOOK_SECONDS)
            for move_id in [each for each in left if each not in unbegun and each not in under_way]:
                move = await sharding.moves.find(move_id)
                tell(MoveProgress(move, note=move.problem or ""))
                if move.ended_at is not None:
                    left.remove(move_id)
    finally:
        await under_way.close()
