"""The condition of one database for the nodes that use it: its server, its connections, and the role's rights."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import asyncpg

from gameserver.storage.postgres import statements
from gameserver.storage.postgres.connections import MOVING, per_node
from gameserver.storage.postgres.database import Database

SQL = statements.load(__package__, "condition.sql")
ENOUGH_WAL = "logical"
CHECKPOINT_SECONDS, CHECKPOINT_BYTES = 900, 4 << 30
"""After a checkpoint an action logs some 7 kB, the next ones of the same player some 0.6 kB (docs/capacity.md)."""
Level = Literal["error", "warning"]


class Symptom(NamedTuple):
    """Something that is wrong, or may come to be, and what to do about it."""

    level: Level
    problem: str
    remedy: str


async def read(connection: asyncpg.Connection) -> dict[str, Any]:
    """The facts. Raises what the driver does."""
    facts = dict(await connection.fetchrow(SQL["condition"]))
    return {**facts, "others": facts["used"] - facts["ours"]}


def symptoms(database: Database, facts: dict[str, Any], in_flight: int, nodes: int) -> Iterator[Symptom]:
    """What of the facts isn't as `nodes` nodes need it."""
    if facts["replica"]:
        yield Symptom("error", "it is a replica, or was demoted", "correct the URL: it must lead to the primary")
    yield from _connections(facts, per_node(database.groups, in_flight), nodes)
    yield from rights(facts)
    if facts["checkpoint_seconds"] < CHECKPOINT_SECONDS or facts["checkpoint_bytes"] < CHECKPOINT_BYTES:
        problem = "checkpoints are frequent (checkpoint_timeout, max_wal_size): actions write several times the log"
        yield Symptom("warning", problem, "set checkpoint_timeout to 15min and max_wal_size to 4GB, or more")


def _connections(facts: dict[str, Any], needed: int, nodes: int) -> Iterator[Symptom]:
    room, remedy = _room(facts), f"set max_connections to {nodes * needed + MOVING + facts['others'] + 10} or more"
    if room < needed:
        yield Symptom("error", f"{room} connections are for nodes, and one takes up to {needed}", remedy)
    elif room < nodes * needed:
        problem = f"{room} connections are for nodes, and {nodes} take up to {nodes * needed}"
        yield Symptom("warning", problem, f"{remedy}, or run fewer nodes")


def _room(facts: dict[str, Any]) -> int:
    """How many connections nodes can have, beside those of others."""
    room: int = facts["connections"] - facts["others"]
    return room if facts["allowed"] is None else min(room, facts["allowed"])


def missing(database: Database, facts: dict[str, Any], in_flight: int) -> str | None:
    """A sentence if one more node may not get all connections that it takes."""
    needed, free = per_node(database.groups, in_flight), _room(facts) - facts["ours"]
    if free >= needed:
        return None
    return (
        f"the database {database.name} has {max(free, 0)} connections left, and a node takes up to {needed}: "
        "raise max_connections there or the role's limit, or run fewer nodes"
    )


def rights(facts: dict[str, Any]) -> Iterator[Symptom]:
    """What the role may not do, or may do without need."""
    if facts["closed"]:
        names = ", ".join(facts["closed"][:5])
        yield Symptom("error", f"the role may not read and write {names}", "give it the tables, or their rights")
    if not facts["may_create"]:
        yield Symptom("error", "the role may not create tables", "grant create on schema public to it")
    if not facts["may_identify"]:
        problem = "the role may not call pg_control_system(): what follows its ledger can't tell a failover"
        yield Symptom("error", problem, "grant execute on function pg_control_system() to it")
    if facts["superuser"]:
        yield Symptom("warning", "the role is a superuser", "use a role of its own that is none")
    if facts["wal_level"] != ENOUGH_WAL:
        yield Symptom("warning", f"wal_level is {facts['wal_level']}: slots can't move", "set it to logical, restart")
    if not (facts["may_replicate"] and facts["may_subscribe"] and facts["may_publish"]):
        problem = "the role may not replicate, publish and subscribe: slots can't move"
        yield Symptom("warning", problem, "see docs/sharding.md for its rights")
