"""What the control database and the members say of ownership, read so that the two fit together.

Law: the map and the moves are read before the rows of the databases, after every mover has lost its lease and its
connections. Movers record each step before they take it, so what a database has is never ahead of what was read here,
unless the control database went back in time.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import asyncpg
from pydantic import SecretStr

from gameserver.storage.postgres.causes import explained
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.postgres.driver import DriverConnection
from gameserver.storage.postgres.faults import LOST
from gameserver.storage.postgres.patience import TRANSACTION
from gameserver.storage.sharding import identity, lineage
from gameserver.storage.sharding.identity import Deployment
from gameserver.storage.sharding.judging import NEVER, Circumstances, MovingSlot, Ownership, SlotView
from gameserver.storage.sharding.move import SlotStep, Step
from gameserver.storage.sharding.records import LEASE

PATIENCE = {
    "application_name": "gameserver_reconciler",
    "idle_session_timeout": "20000",
    "idle_in_transaction_session_timeout": "5000",
    TRANSACTION: "20000",
}
"""In milliseconds: the lock of a process that froze is freed."""
ANSWER_SECONDS = 1.5
"""A database that can't be connected to by then counts as absent, where the others needn't wait for it."""
MOVER = "reconciliation"
_END_MOVERS = """
    select pg_terminate_backend(pid, 2000) from pg_stat_activity
    where application_name like 'gs\\_%\\_move\\_%\\_mover' and datname = current_database() and usename = current_user
"""
_TAKE_MOVES = "update moves set turn = turn + 1, mover = $1, lease = clock_timestamp() + $2 where ended_at is null"
_MOVING = """
    select s."group", s.slot, s.move, m.source, m.target, m.step as stage, s.step, s.epoch
    from move_slots s join moves m on m.id = s.move where m.ended_at is null and s.open
"""


@dataclass(slots=True)
class Compared:
    """A database that answered: its groups, those that were compared on another server (`lineage.stale`), its rows."""

    database: Database
    connection: DriverConnection
    groups: Sequence[str]
    stale: Mapping[str, str] = field(default_factory=dict)
    rows: dict[str, dict[int, Ownership]] = field(default_factory=dict)


@dataclass(slots=True)
class Comparison:
    """Everything that a judgement needs. `absent` are the members that didn't answer, and why."""

    control: str
    owners: Mapping[tuple[str, int], tuple[str, int]]
    moving: Mapping[tuple[str, int], MovingSlot]
    compared: dict[str, Compared]
    absent: dict[str, str]
    unseen: set[str]
    """Members that haven't answered since the control database went back."""
    doubtful: bool
    """Whether it went back, and not all members had been seen since."""

    def stale(self) -> set[str]:
        """The databases that were failed over or restored, or never compared."""
        return {name for name, each in self.compared.items() if each.stale}

    def went_back(self) -> set[str]:
        """Those that were compared before."""
        return {name for name, each in self.compared.items() if any(each.stale.values())}

    def give_up(self, names: Iterable[str]) -> None:
        """Waits for none of these any more."""
        for name in names:
            self.absent.pop(name, None)
            self.unseen.discard(name)

    def views(self) -> Iterator[SlotView]:
        """Every slot of the map."""
        for (group, slot), (owner, epoch) in self.owners.items():
            members = {name: each.rows[group] for name, each in self.compared.items() if group in each.rows}
            rows = {name: slots.get(slot, NEVER) for name, slots in members.items()}
            yield SlotView(group, slot, owner, epoch, rows, self.moving.get((group, slot)))

    def circumstances(self) -> Circumstances:
        return Circumstances(self.stale(), set(self.absent), self.doubtful)


async def compare(
    stack: AsyncExitStack,
    control: DriverConnection,
    databases: Databases,
    name: str,
    *,
    takes_moves: bool,
    earlier: Comparison | None = None,
) -> Comparison:
    """Asks everyone, over connections that `stack` closes; with `takes_moves` no mover goes on.

    The control database's own rows are read over `control`. An `earlier` comparison lends its connections, and those
    who were absent in it aren't asked.

    Raises what the driver raises when the control database goes away.
    """
    unseen = await lineage.unseen(control)
    # A control database that went back may have forgotten that a database joined.
    forgetful = bool(unseen or await lineage.stale(control, ["control"]))
    groups = await _members(control, databases, name, everyone=forgetful)
    deployment = Deployment(name, await identity.read(control))
    async with control.transaction():
        if takes_moves:
            await control.execute(_TAKE_MOVES, MOVER, LEASE)
        slots = await control.fetch('select "group", slot, database, epoch from slots')
        moving = await control.fetch(_MOVING)
    absent, known = (earlier.absent, earlier.compared) if earlier is not None else ({}, {})
    asked = [(databases[member], own) for member, own in groups.items() if member not in absent]
    connections = {**{member: each.connection for member, each in known.items()}, name: control}
    told = await asyncio.gather(
        *(
            _ask(stack, database, None if forgetful else own, takes_moves, connections.get(database.name), deployment)
            for database, own in asked
        )
    )
    silent = {database.name: why for (database, _), why in zip(asked, told, strict=True) if isinstance(why, str)}
    absent = {**absent, **silent}
    if name in absent:
        raise ConnectionError(absent[name])
    compared = {each.database.name: each for each in told if isinstance(each, Compared)}
    went_back = name in compared and "control" in compared[name].stale
    return Comparison(
        name,
        {(row["group"], row["slot"]): (row["database"], row["epoch"]) for row in slots},
        {(row["group"], row["slot"]): _moving_slot(row) for row in moving},
        compared,
        absent,
        set(absent) if went_back else unseen & set(absent),
        went_back or bool(unseen),
    )


async def _members(
    control: DriverConnection, databases: Databases, name: str, *, everyone: bool
) -> dict[str, set[str]]:
    """The groups of each database, `control` included; with `everyone` also databases that are in none, as it says."""
    for row in await control.fetch("select name, url from databases where url is not null"):
        databases.join(row["name"], SecretStr(row["url"]))
    groups: dict[str, set[str]] = {name: {"control"}}
    for row in await control.fetch('select "group", database from members'):
        if row["database"] in databases:
            groups.setdefault(row["database"], set()).add(row["group"])
    for more in databases.names() if everyone else databases.estranged():
        groups.setdefault(more, set())
    return groups


async def _ask(
    stack: AsyncExitStack,
    database: Database,
    groups: Iterable[str] | None,
    takes_moves: bool,  # noqa: FBT001
    connection: DriverConnection | None,
    deployment: Deployment,
) -> Compared | str:
    """What the database has of these groups, or of all whose tables are there; a sentence if it can't be asked, or is
    another one.

    `connection` is one that is there already.
    """
    try:
        if connection is None or not connection.is_usable():
            # One that has just refused a connection is there; and where all have to be seen, all are waited for.
            patient = database.estranged or groups is None
            connection = await _connected(stack, database, None if patient else ANSWER_SECONDS)
        if wrong := deployment.mismatch(database, await identity.read(connection)):
            database.dialer.forget()
            return f"{wrong}."
        present = await lineage.present(connection)
        compared = Compared(database, connection, sorted(present if groups is None else groups))
        if takes_moves:
            await connection.fetch(_END_MOVERS)
        compared.stale = await lineage.stale(connection, present)
        for group in compared.groups:
            if group != "control":
                rows = await connection.fetch(f"select slot, owned, epoch from {group}_owned_slots")  # noqa: S608
                compared.rows[group] = {row["slot"]: Ownership(row["owned"], row["epoch"]) for row in rows}
    except (*LOST, asyncpg.PostgresError) as error:
        return explained(database.name, error)
    return compared


async def _connected(stack: AsyncExitStack, database: Database, seconds: float | None) -> DriverConnection:
    """Without `seconds` it may take as long as any connection. Raises one of LOST."""
    async with asyncio.timeout(seconds):
        connection = await database.connect_unjudged(PATIENCE)
    stack.callback(connection.terminate)
    return connection


def _moving_slot(row: asyncpg.Record) -> MovingSlot:
    return MovingSlot(
        row["move"], row["source"], row["target"], Step(row["stage"]), SlotStep(row["step"]), row["epoch"]
    )
