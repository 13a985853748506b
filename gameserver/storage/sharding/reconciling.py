"""Opens databases that were failed over or restored, once their ownership of slots agrees with the map.

Law: one process at a time does this, under a lock on the control database; the others see the stamps. A database that
went back is opened when every slot of its groups has been judged (see `judging`), its own rows say what the map says,
and no copy of a forgotten move is left. If the control database went back, too, it is not opened before every other
member has been seen since: one of them may own what both have forgotten.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence, Set
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import asyncpg
import structlog

from gameserver.rules import ranges
from gameserver.rules.errors import Conflict, DatabaseUnavailable
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.postgres.driver import DriverConnection
from gameserver.storage.postgres.faults import LOST, translated
from gameserver.storage.postgres.locks import RECONCILING
from gameserver.storage.postgres.sole_locks import SoleLock
from gameserver.storage.sharding import ending, primaries, settling
from gameserver.storage.sharding.comparing import MOVER, PATIENCE, Comparison, compare
from gameserver.storage.sharding.judging import What, accept, judge
from gameserver.storage.sharding.settling import Judgement
from gameserver.telemetry import RECONCILED, RECONCILED_SLOTS

log = structlog.get_logger()
T = TypeVar("T")
TRIES, PAUSE_SECONDS = 20, 0.5
"""How often another process that reconciles is waited for."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What was found, and done: databases that are open now, and those that stay closed, with the reason."""

    judgements: Sequence[Judgement]
    opened: Sequence[str]
    closed: Mapping[str, str]
    absent: Mapping[str, str]

    @property
    def undecided(self) -> list[Judgement]:
        """Slots that nobody may write until an operator has decided, or a database answers."""
        return [each for each in self.judgements if each.verdict.what in (What.CONFLICT, What.WAITS)]


class Reconciler:
    """One per process; `author` is its name in the audit log, and the reason there."""

    def __init__(self, databases: Databases, control: str, author: tuple[str, str]) -> None:
        self._databases, self._control, self._author = databases, control, author
        self._is_unsure = True

    def is_needed(self) -> bool:
        """Whether a database has refused a connection to be reconciled first, or something is still to be seen.

        So it is before the first `run`, too: another process may have left something.
        """
        return self._is_unsure or self.has_refused()

    def has_refused(self) -> bool:
        """Whether a database refuses connections because it has to be reconciled."""
        return bool(self._databases.estranged())

    async def check(self) -> Reconciliation:
        """What `run` would find, without changing anything. Raises DatabaseUnavailable."""
        async with self._asking() as (stack, control):
            once = await compare(stack, control, self._databases, self._control, takes_moves=False)
            again = await compare(stack, control, self._databases, self._control, takes_moves=False)
        # While slots move, their records are ahead of the databases: only what was there twice is a finding.
        before = {(each.view.group, each.view.slot, each.verdict.what) for each in _judged(once)}
        lasting = [each for each in _judged(again) if (each.view.group, each.view.slot, each.verdict.what) in before]
        closed = dict.fromkeys(again.stale(), "it was failed over or restored")
        return Reconciliation(lasting, [], closed, again.absent)

    async def run(self, without: Collection[str] = (), *, force: bool = False) -> Reconciliation | None:
        """Opens what can be opened; None if another process is at it.

        `without` are members that are given up: nobody waits for them. With `force`, slots are judged although no
        database was failed over or restored; moves under way are interrupted for it. Raises DatabaseUnavailable.
        """
        async with self._asking() as (stack, control):
            if not await SoleLock(RECONCILING).take(control):
                return None
            first = await compare(stack, control, self._databases, self._control, takes_moves=False)
            if not (force or first.stale() or first.unseen):
                self._is_unsure = False
                await self._try()
                return Reconciliation([], [], {}, first.absent)
            comparison = await compare(stack, control, self._databases, self._control, takes_moves=True, earlier=first)
            done = await self._settle(control, comparison, without)
            await settling.release_moves(control, MOVER, done.judgements)
            await self._try()
            return done

    async def _try(self) -> None:
        """Connects to those that have refused it, so that this process knows whether they still do."""
        for name in self._databases.estranged():
            with contextlib.suppress(*LOST, asyncpg.PostgresError):
                (await self._databases[name].connect({})).terminate()

    async def accept(self, group: str, slots: Collection[int], owner: str) -> None:
        """Ends conflicts: the database owns the slots from now on, with whatever it has of them.

        Raises Conflict, with the reason, DatabaseUnavailable.
        """
        async with self._asking() as (stack, control):
            if not await SoleLock(RECONCILING).take(control):
                raise Conflict("Another process is comparing databases with the map: try again.")
            comparison = await compare(stack, control, self._databases, self._control, takes_moves=True)
            judgements = _accepted(comparison, group, slots, owner)
            await settling.note(control, self._author, f"{group} to {owner}", judgements)
            await settling.settle_winners(comparison, judgements)
            await settling.settle_map(control, judgements)
            for compared in comparison.compared.values():
                await settling.settle_database(compared, judgements, None)
            await settling.release_moves(control, MOVER, _judged(comparison))

    async def insist(self, *, force: bool = False) -> Reconciliation | None:
        """As `run`, once another process that is at it has ended, None if it doesn't. Raises DatabaseUnavailable."""
        for _ in range(TRIES):
            if (done := await self.run(force=force)) is not None:
                return done
            await asyncio.sleep(PAUSE_SECONDS)
        return None

    @contextlib.asynccontextmanager
    async def _asking(self) -> AsyncIterator[tuple[AsyncExitStack, DriverConnection]]:
        with translated(self._control):
            async with AsyncExitStack() as stack:
                control = await self._databases[self._control].connect_unjudged(PATIENCE)
                stack.callback(control.terminate)
                try:
                    yield stack, control
                except asyncpg.UndefinedTableError as error:
                    raise Conflict(f"Tables are missing ({error}): run `gameserver migrate`.") from error

    async def _settle(
        self, control: DriverConnection, comparison: Comparison, without: Collection[str]
    ) -> Reconciliation:
        if unknown := set(without) - set(self._databases.names()):
            raise Conflict(f"There is no database {', '.join(sorted(unknown))}.")
        comparison.give_up(without)
        judgements = _judged(comparison)
        self._is_unsure = bool(comparison.unseen)
        closed = _kept_closed(comparison)
        opening = comparison.stale() - closed.keys()
        changes = [each for each in judgements if each.verdict.rows or each.verdict.map or each.verdict.step]
        if opening or changes:
            await settling.settle_winners(comparison, changes)
            await settling.settle_map(control, changes)
            if changes or opening & comparison.went_back():
                await settling.note(control, self._author, ", ".join(sorted(opening)) or "-", judgements)
            closed |= await self._settle_databases(control, comparison, changes, opening)
        done = Reconciliation(judgements, sorted(opening - closed.keys()), closed, comparison.absent)
        _tell(done, comparison.went_back())
        return done

    async def _settle_databases(
        self, control: DriverConnection, comparison: Comparison, changes: Sequence[Judgement], opening: set[str]
    ) -> dict[str, str]:
        """Each by itself; those that couldn't be settled, with the reason."""
        failed = dict[str, str]()
        forgotten = "control" in comparison.compared[self._control].stale
        for name, compared in comparison.compared.items():
            try:
                if name in opening or forgotten:
                    await ending.end_orphans(compared.connection, name, partial(_open_moves, control))
                is_open = not compared.stale or name in opening
                await settling.settle_database(compared, changes, comparison.unseen if is_open else None)
                if is_open:
                    await primaries.record(control, name, compared.connection)
            except (*LOST, asyncpg.PostgresError) as error:
                failed[name] = f"{type(error).__name__}: {error}"
        return failed


async def _open_moves(control: DriverConnection) -> ending.Ends:
    """Of the moves that aren't over."""
    rows = await control.fetch("select id, source, target from moves where ended_at is null")
    return {row["id"]: (row["source"], row["target"]) for row in rows}


def _judged(comparison: Comparison) -> list[Judgement]:
    circumstances = comparison.circumstances()
    return [
        Judgement(view, verdict) for view in comparison.views() if (verdict := judge(view, circumstances)) is not None
    ]


def _accepted(comparison: Comparison, group: str, slots: Collection[int], owner: str) -> list[Judgement]:
    """Raises Conflict unless all of the slots are conflicts that the owner can end."""
    if comparison.absent:
        raise Conflict(f"These databases don't answer, and may own the slots: {', '.join(sorted(comparison.absent))}.")
    found = {
        each.view.slot: each.view
        for each in _judged(comparison)
        if each.view.group == group and each.verdict.what is What.CONFLICT
    }
    if others := set(slots) - found.keys():
        raise Conflict(f"These slots of {group} are no conflicts: {ranges.shown(others)}. See `slots check`.")
    if lacking := [slot for slot in slots if owner not in found[slot].rows]:
        raise Conflict(f"{owner} isn't a database of {group} ({ranges.shown(lacking)}).")
    return [Judgement(found[slot], accept(found[slot], owner)) for slot in sorted(slots)]


def _kept_closed(comparison: Comparison) -> dict[str, str]:
    """Databases that can't be opened yet."""
    closed = {}
    for name in comparison.stale():
        holds_slots = any(group != "control" for group in comparison.compared[name].groups)
        if holds_slots and (missing := comparison.unseen - {name}):
            closed[name] = (
                f"the control database went back, too, and {', '.join(sorted(missing))} hasn't answered since: it may "
                "own slots of this one (start it, or give it up by `gameserver slots reconcile --without NAME "
                "--reason …`)"
            )
    return closed


def _tell(done: Reconciliation, went_back: Set[str]) -> None:
    for name in went_back & set(done.opened):
        RECONCILED.labels(name, "opened").inc()
        log.warning("a database was failed over or restored, and is open again", database=name)
    for name, reason in done.closed.items():
        RECONCILED.labels(name, "closed").inc()
        log.warning("a database was failed over or restored, and stays closed", database=name, reason=reason)
    for what, groups in settling.summary(done.judgements).items():
        for group, slots in groups.items():
            RECONCILED_SLOTS.labels(group, what).inc(len(slots))
            log.warning("slots differed from the map", what=what, group=group, slots=ranges.shown(slots))


async def reconciled(reconciler: Reconciler, work: Callable[[], Awaitable[T]]) -> T:
    """Does the work; if a database refuses it because it was failed over, reconciles and does it again.

    Raises what the work does, DatabaseUnavailable.
    """
    try:
        return await work()
    except DatabaseUnavailable:
        if not reconciler.has_refused():
            raise
    await reconciler.insist()
    return await work()
