"""Examines every database and Redis for what nodes need of them, without a node and without changing anything."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import Any, TypeVar

import asyncpg
from redis.asyncio import Redis
from sqlalchemy.exc import DBAPIError

from gameserver.app.examined import ASKING, Examined
from gameserver.app.examining import examine_database
from gameserver.config.settings import Settings
from gameserver.rules import ranges
from gameserver.rules.errors import Conflict, DatabaseUnavailable, GameError
from gameserver.storage.operators import redis_condition, standby_condition
from gameserver.storage.operators.condition import Symptom
from gameserver.storage.postgres import causes, clocks
from gameserver.storage.postgres.clocks import CLOSE_SECONDS, ClockDifference
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.postgres.replica import Replica
from gameserver.storage.redis import clients
from gameserver.storage.redis.faults import LOST as REDIS_LOST
from gameserver.storage.redis.faults import described
from gameserver.storage.sharding import provision
from gameserver.storage.sharding.primaries import PrimaryMemory
from gameserver.storage.slots.slot_map import IncompleteMap

CATCHING_UP_SECONDS = 2.0
"""Within which a replica should come to where its primary was."""
LOOKS = 10
CONNECTIONS = 6
"""Opened at a time to find out whether an address leads to one server."""
T = TypeVar("T")


async def examine(settings: Settings, nodes: int) -> list[Examined]:
    """Every database that the settings or the control database name, then Redis; `nodes` is how many are to run.

    Raises ConfigFault.
    """
    databases = provision.open_databases(settings, patient=False)
    try:
        groups = {name: list(group.databases) for name, group in settings.groups.items()}
        try:
            members = await provision.members(settings, databases)
            await PrimaryMemory(databases[settings.control.database], databases).recall()
            groups = {group: [database.name for database in rows] for group, rows in members.items()}
        except (DatabaseUnavailable, IncompleteMap, DBAPIError):
            pass  # the control database's own examination says why, or the comparison of slots does
        databases.assign(groups)
        used = [databases[name] for name in databases.names() if databases[name].groups]
        examined = await asyncio.gather(*(examine_database(settings, database, nodes) for database in used))
        _compare_clocks(examined, settings.control.database)
        await _compare_slots(settings, databases, examined)
        replicas = await _replicas(settings, databases)
        return [*examined, *replicas, await _redis(settings, nodes)]
    finally:
        await databases.close()


async def _replicas(settings: Settings, databases: Databases) -> list[Examined]:
    replicas = provision.open_replicas(settings, databases)
    try:
        for _ in range(LOOKS):
            await replicas.compare()
            if all(replica.age() < inf or replica.problem or replica.leads for replica in replicas.all()):
                break
            await asyncio.sleep(CATCHING_UP_SECONDS / LOOKS)
        return await asyncio.gather(*(_replica(replica) for replica in replicas.all() if not replica.leads))
    finally:
        await replicas.close()


async def _replica(replica: Replica) -> Examined:
    age = replica.age()
    examined = Examined(
        "replica", replica.name, {"primary": replica.primary, "age": None if age == inf else round(age, 3)}
    )
    if replica.problem:
        examined.fail(replica.problem, f"correct its URL, or make it anew from {replica.primary}")
        return examined
    if not replica.is_comparable:
        problem = f"it can't be compared with {replica.primary}, which doesn't say how far it has come"
        examined.symptoms.append(Symptom("warning", problem, f"look at {replica.primary} first"))
        return examined
    try:
        servers = await asyncio.gather(*(_told_by(replica, standby_condition.server) for _ in range(CONNECTIONS)))
        if len(set(servers)) > 1:
            problem = f"its URL leads to {len(set(servers))} servers or more: what one shows isn't what another does"
            examined.fail(problem, "give each of them a URL of its own")
        elif age == inf:
            reason: Symptom | None = await _told_by(replica, standby_condition.why_behind)
            examined.symptoms.append(reason or _behind(replica))
    except ASKING as error:
        examined.fail(*causes.told(replica.name, error))
    return examined


async def _compare_slots(settings: Settings, databases: Databases, examined: list[Examined]) -> None:
    """What the databases own is compared with the control database's map."""
    known = {server.name: server for server in examined}
    if any(server.away for server in examined):
        return  # its own examination says why
    try:
        found = await provision.reconciler_of(settings, databases).check()
    except (*ASKING, DatabaseUnavailable, Conflict) as error:
        _isnt_comparable(known[settings.control.database], error)
        return
    for name in found.closed.keys() & known.keys():
        problem = "it was failed over or restored, and is closed until its slots have been compared with the map"
        remedy = "a node does that, or `gameserver slots reconcile --reason …`; `slots check` shows what differs"
        known[name].fail(problem, remedy)
    slots: dict[str, dict[str, list[int]]] = {}
    for each in found.judgements:
        what = f"of {each.view.group} differ from the map: {each.verdict.reason}"
        slots.setdefault(each.view.owner, {}).setdefault(what, []).append(each.view.slot)
    for name, findings in slots.items():
        for what, numbers in findings.items():
            known[name].fail(f"the slots {ranges.shown(numbers)} {what}", "look at `gameserver slots check`")


def _isnt_comparable(control: Examined, error: Exception) -> None:
    """Says why the map can't be read, unless what was found there says it."""
    if any(symptom.level == "error" for symptom in control.symptoms):
        return
    if isinstance(error, GameError):
        reason = " ".join(getattr(error, "__notes__", [error.detail]))
        control.fail(f"its map of slots can't be read: {reason}", "look at its tables, and run `gameserver migrate`")
    else:
        control.fail(*causes.told(control.name, error))


def _behind(replica: Replica) -> Symptom:
    problem = f"it is more than {CATCHING_UP_SECONDS:g} s behind {replica.primary}; its reads go there"
    return Symptom("warning", problem, "look at its log and its disk, and at what its network carries")


async def _told_by(replica: Replica, question: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """An answer over a connection of its own. Raises one of ASKING."""
    connection = await replica.database.connect_unjudged({})
    try:
        return await question(connection)
    finally:
        connection.terminate()


def _compare_clocks(examined: list[Examined], control: str) -> None:
    """The control database's clock is what nodes go by; the others are compared with it."""
    known = {server.name: server for server in examined if "clock" in server.facts}
    if (first := known.get(control)) is None:
        return
    ahead: ClockDifference = first.facts["clock"]
    if ahead.matters:
        problem = f"its clock is {ahead.seconds:+.3f} s from this machine's; nodes correct theirs by it"
        first.symptoms.append(Symptom("warning", problem, "set both by NTP"))
    for server in known.values():
        clock: ClockDifference = server.facts["clock"]
        apart = clock.seconds - ahead.seconds
        if abs(apart) > CLOSE_SECONDS + clock.bound + ahead.bound:
            problem = f"its clock is {apart:+.3f} s from the control database's: seasons end at other times there"
            server.symptoms.append(Symptom("error", problem, "set both by NTP"))


async def _redis(settings: Settings, nodes: int) -> Examined:
    examined = Examined("redis", "redis")
    client = clients.connect(settings.redis_url(), settings.redis_access())
    try:
        for server in await _ask_redis(client, examined):
            examined.symptoms += redis_condition.symptoms(server)
            examined.symptoms += redis_condition.crowded(server, clients.per_node(client), nodes)
        if not any(symptom.remedy == redis_condition.NEWER for symptom in examined.symptoms):
            denied = await redis_condition.denied(client)
            if denied is not None:
                examined.facts["denied"] = denied
            examined.symptoms += redis_condition.lacking(denied)
    except REDIS_LOST as error:
        examined.fail(f"can't be used: {described(error)}", "look at its URL, its user and whether it runs")
    finally:
        await client.aclose()
    return examined


async def _ask_redis(client: Redis, examined: Examined) -> Sequence[dict[str, Any]]:
    """What each of its servers says of itself, as far as the user may ask. Raises one of REDIS_LOST."""

    async def ask() -> float:
        answer: Any = await client.time()
        seconds, microseconds = next(iter(answer.values())) if isinstance(answer, dict) else answer  # of a cluster
        return float(seconds) + float(microseconds) / 1e6

    examined.facts["clock"] = await clocks.measure(ask, time.time)
    if examined.facts["clock"].matters:
        problem = f"its clock is {examined.facts['clock'].seconds:+.3f} s from this machine's: sessions end by it"
        examined.symptoms.append(Symptom("warning", problem, "set both by NTP"))
    try:
        servers = await redis_condition.read(client)
    except REDIS_LOST as error:
        problem = f"its settings can't be read: {described(error)}"
        examined.symptoms.append(Symptom("warning", problem, "allow +info to the user, as config/redis.acl does"))
        return ()
    examined.facts["servers"] = [redis_condition.shown(server) for server in servers]
    return servers
