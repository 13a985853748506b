"""Who follows a database's server by replication: standbys that commits wait for, slots, and what a replica lacks."""

import re
from collections.abc import Iterator
from typing import Any

import asyncpg

from gameserver.storage.operators.condition import Symptom
from gameserver.storage.postgres import statements

SQL = statements.load(__package__, "standby_condition.sql")
MUCH = 1 << 30
"""Bytes of log that a slot without a reader may keep before it is worth a word."""
_NUMBER = re.compile(r"^\s*(?:(?:FIRST|ANY)\s+)?(\d+)\s*\(", re.IGNORECASE)


async def read(connection: asyncpg.Connection) -> dict[str, Any]:
    """The facts. Raises what the driver does."""
    facts = dict(await connection.fetchrow(SQL["waiting"]))
    for name in ("standbys", "slots"):
        facts[name] = [dict(row) for row in await connection.fetch(SQL[name])]
    return facts


def symptoms(facts: dict[str, Any]) -> Iterator[Symptom]:
    """What of the facts endangers what was acknowledged, or stops writes."""
    if facts["synchronous"]:
        yield from _waiting(facts)
    if not facts["sees"]:
        problem = "the role isn't in pg_monitor: it can't see standbys, and the connections of others"
        yield Symptom("warning", problem, "grant pg_monitor to it")
    for slot in facts["slots"]:
        yield from _slot(slot)
    if facts["keeps"] == "-1" and any(slot["kind"] == "physical" for slot in facts["slots"]):
        problem = "max_slot_wal_keep_size is -1: the log that is kept for a standby that is away fills the disk"
        yield Symptom("warning", problem, "set it to what the disk can spare: 8GB")


def _waiting(facts: dict[str, Any]) -> Iterator[Symptom]:
    """Whether those that commits wait for are there, and are standbys."""
    chosen = facts["synchronous"]
    needed = int(match[1]) if (match := _NUMBER.match(chosen)) else 1
    counting = [row for row in facts["standbys"] if row["sync_state"] in ("sync", "quorum")]
    copies = [row["name"] for row in counting if row["copies"]]
    if copies:
        problem = f"commits wait for {', '.join(copies)}, which is no standby: what is acknowledged is on one disk"
        yield Symptom("error", problem, "write the standbys' names into synchronous_standby_names, and no `*`")
    elif "*" in chosen:
        problem = "synchronous_standby_names has a `*`: the copy of a move of slots counts as a standby, too"
        yield Symptom("warning", problem, "write the standbys' names there")
    if not facts["synchronized"]:
        problem = "synchronized_standby_slots is empty: moves of slots from here may send what the standbys lack"
        yield Symptom("warning", problem, "name the standbys' slots there; until then move nothing while one is away")
    there = sum(row["state"] == "streaming" and not row["copies"] for row in counting)
    if facts["sees"] and there < needed:
        problem = f"commits wait for {needed} of the standbys {chosen}, and {there} are there: nothing is written"
        yield Symptom("error", problem, "start them, or look at their logs and application_name")


def _slot(slot: dict[str, Any]) -> Iterator[Symptom]:
    name = slot["name"]
    if slot["status"] == "lost":
        problem = f"the reader of the replication slot {name} can't go on: the log that it needs is gone"
        yield Symptom("warning", problem, f"make the standby anew, or select pg_drop_replication_slot('{name}')")
    elif not slot["active"] and slot["kept"] > MUCH:
        problem = (
            f"nobody reads the replication slot {name}, for which {slot['kept'] / (1 << 30):.1f} GiB of log are kept"
        )
        yield Symptom("warning", problem, f"start its reader, or select pg_drop_replication_slot('{name}')")


async def why_behind(connection: asyncpg.Connection) -> Symptom | None:
    """Why a replica falls behind, as far as it can tell itself. Raises what the driver does."""
    row = await connection.fetchrow(SQL["replica"])
    if row["paused"]:
        return Symptom("warning", "its replay is paused", "as a superuser: select pg_wal_replay_resume()")
    if not row["sees"]:
        return Symptom("warning", "the role may not see there what it receives", "grant pg_monitor to the role")
    if not row["receives"]:
        problem = "it receives nothing from its primary"
        return Symptom("warning", problem, "look at its log: primary_conninfo, primary_slot_name, or log that is gone")
    return None


async def server(connection: asyncpg.Connection) -> str:
    """Tells servers behind one address apart. Raises what the driver does."""
    return str(await connection.fetchval(SQL["server"]))
