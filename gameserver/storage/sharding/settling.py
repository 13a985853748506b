"""Writes what was judged: rows of ownership on each database, the map, the steps of moves; then the stamps that open.

Law: a step may be repeated after a crash at any point, and leads to the same end. What the map learns from databases is
written there first, so that it is learnt again; all else is written to the control database first. No epoch is raised
beyond that of the map, but by the winner of what the map learns. A database's stamps are written in the transaction
of its last rows, under its fences.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gameserver.storage.postgres.driver import DriverConnection
from gameserver.storage.postgres.locks import FENCES
from gameserver.storage.postgres.sole_locks import fenced_alone
from gameserver.storage.sharding import lineage
from gameserver.storage.sharding.comparing import Compared, Comparison
from gameserver.storage.sharding.judging import Ownership, SlotView, Verdict, What
from gameserver.storage.slots.slot_map import CHANNEL

FENCE_MS = 2000
"""How long writes under way on an open database may take to end."""
_OWN = (
    "insert into {group}_owned_slots as o (slot, owned, epoch) values ($1, $2, $3)"
    " on conflict (slot) do update set owned = $2, epoch = $3, txid = excluded.txid where o.epoch <= $3"
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A slot, and what is to be done about it."""

    view: SlotView
    verdict: Verdict

    @property
    def winner(self) -> tuple[str, Ownership] | None:
        """The row by which the map's new owner holds what the map learns, if it has to be written."""
        if self.verdict.what is not What.LEARNT or self.verdict.map is None:
            return None
        name = self.verdict.map[0]
        return (name, self.verdict.rows[name]) if name in self.verdict.rows else None


async def settle_winners(comparison: Comparison, judgements: Sequence[Judgement]) -> None:
    """Lets what the map is about to learn be so. Raises what the driver does."""
    rows: dict[str, list[tuple[str, int, Ownership]]] = defaultdict(list)
    for judgement in judgements:
        if judgement.winner is not None:
            name, row = judgement.winner
            rows[name].append((judgement.view.group, judgement.view.slot, row))
    for name, own in rows.items():
        await _write_rows(comparison.compared[name], own)


async def settle_map(control: DriverConnection, judgements: Sequence[Judgement]) -> None:
    """The map and the moves, at once."""
    async with control.transaction():
        for view, verdict in ((each.view, each.verdict) for each in judgements):
            if verdict.map is not None:
                await control.execute(
                    'update slots set database = $3, epoch = $4 where "group" = $1 and slot = $2 and epoch <= $4',
                    view.group,
                    view.slot,
                    *verdict.map,
                )
                await _join(control, view.group, verdict.map[0])
            if verdict.step is not None and view.moving is not None:
                await control.execute(
                    "update move_slots set step = $3, epoch = $4 where move = $1 and slot = $2",
                    view.moving.move,
                    view.slot,
                    *verdict.step,
                )
        await control.execute("select pg_notify($1, 'reconciled')", CHANNEL)


async def _join(control: DriverConnection, group: str, name: str) -> None:
    """Records an owner as a member of the group, which a control database that went back may have forgotten."""
    await control.execute("insert into databases (name) values ($1) on conflict do nothing", name)
    await control.execute(
        'insert into members ("group", database, draining) values ($1, $2, false) on conflict do nothing', group, name
    )


async def note(
    control: DriverConnection, author: tuple[str, str], target: str, judgements: Sequence[Judgement]
) -> None:
    """Enters what `author` does, who and why, into the audit log, in the transaction that does it, so with its end."""
    await control.execute(
        "with entry as (insert into audit (admin, action, target, reason, details)"
        " values ($1, 'slots_reconcile', $2, $3, $4) returning id)"
        " insert into audit_ends (entry, ended) select id, 'done' from entry",
        author[0][:64],
        target[:128],
        author[1],
        json.dumps(summary(judgements)),
    )


async def release_moves(control: DriverConnection, mover: str, judgements: Sequence[Judgement]) -> None:
    """Lets the next mover take each move at once, but for those with a slot that waits for a silent database."""
    held = {
        each.view.moving.move: each.verdict.reason
        for each in judgements
        if each.verdict.what is What.WAITS and each.view.moving is not None
    }
    for move, reason in held.items():
        held_up = "update moves set lease = clock_timestamp() + interval '1 day', problem = $2 where id = $1"
        await control.execute(held_up, move, reason)
    await control.execute(
        "update moves set lease = clock_timestamp() where ended_at is null and mover = $1 and id <> all($2::bigint[])",
        mover,
        list(held),
    )


async def settle_database(compared: Compared, judgements: Sequence[Judgement], unseen: Iterable[str] | None) -> None:
    """Writes the database's rows, and stamps its groups unless `unseen` is None. Raises what the driver does."""
    name = compared.database.name
    rows = [
        (each.view.group, each.view.slot, each.verdict.rows[name])
        for each in judgements
        if name in each.verdict.rows and (each.winner is None or each.winner[0] != name)
    ]
    stamped = [] if unseen is None else sorted({*compared.stale, *({"control"} & set(compared.groups))})
    await compared.connection.foresee(*map(lineage.stamping, stamped))
    async with compared.connection.transaction():
        await _write_rows(compared, rows)
        if unseen is not None:
            for group in stamped:
                await lineage.stamp(compared.connection, group, unseen if group == "control" else ())


async def _write_rows(compared: Compared, rows: Sequence[tuple[str, int, Ownership]]) -> None:
    """Under the fences, so no write of a player is under way when its slot is taken away."""
    statements = {group: _OWN.format(group=group) for group in sorted({group for group, _, _ in rows})}
    await compared.connection.foresee(*statements.values())
    async with compared.connection.transaction():
        for group, statement in statements.items():
            own = [(slot, row.owned, row.epoch) for of, slot, row in rows if of == group]
            async with fenced_alone(compared.connection, FENCES[group], FENCE_MS):
                await compared.connection.executemany(statement, own)


def summary(judgements: Sequence[Judgement]) -> Mapping[str, Mapping[str, list[int]]]:
    """The slots by what was done to them, and by group."""
    lines: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for each in judgements:
        lines[each.verdict.what.value][each.view.group].append(each.view.slot)
    return lines
