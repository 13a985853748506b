"""Examines one database for what nodes need of it.

Law: each question is asked by itself, so one that the database can't answer, as for tables that it lacks or that its
role may not read, hides nothing of what the others find.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import asyncpg

from gameserver.app import backup_watch, patroni_watch, refused_keys
from gameserver.app.examined import ASKING, Examined
from gameserver.config.settings import Settings
from gameserver.storage.operators import admin_keys, condition, old_weeks, parameters, standby_condition
from gameserver.storage.operators.condition import Symptom
from gameserver.storage.postgres import causes, clocks, durability, versions
from gameserver.storage.postgres.connections import per_node
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.driver import DriverConnection
from gameserver.storage.sharding import provision

Question = Callable[[Settings, Database, DriverConnection, Examined], Awaitable[None]]


async def examine_database(settings: Settings, database: Database, nodes: int) -> Examined:
    """What the database says of itself, and what is wrong there; `nodes` is how many are to use it."""
    examined = Examined("database", database.name)
    try:
        connection = await database.connect_to_examine()
    except ASKING as error:
        examined.fail(*causes.told(database.name, error))
        examined.away = True
        return examined
    try:
        for question in QUESTIONS:
            if not await _answered(question, settings, database, connection, examined):
                examined.away = True
                break
    finally:
        connection.terminate()
    if "connections" in examined.facts:
        examined.symptoms += condition.symptoms(database, examined.facts, settings.writes.in_flight, nodes)
    return examined


async def _answered(
    question: Question, settings: Settings, database: Database, connection: DriverConnection, examined: Examined
) -> bool:
    """Whether more can be asked; what prevented an answer is a finding."""
    try:
        await question(settings, database, connection, examined)
    except ASKING as error:
        told = causes.told if question in OF_TABLES else causes.told_of_server
        examined.fail(*told(database.name, error))
        return not (connection.is_closed() or causes.is_silent(error))
    return True


async def _version(_: Settings, database: Database, connection: asyncpg.Connection, examined: Examined) -> None:
    if (fault := versions.fault(connection, database.name)) is not None:
        _fail(examined, fault)


async def _clock(settings: Settings, database: Database, connection: asyncpg.Connection, examined: Examined) -> None:
    async def ask() -> float:
        return float(await connection.fetchval(clocks.TIME))

    examined.facts["groups"] = sorted(database.groups)
    examined.facts["per_node"] = per_node(database.groups, settings.writes.in_flight)
    if database.dialer.number is not None:
        examined.facts["primary"] = database.dialer.primary
    examined.facts["clock"] = await clocks.measure(ask)


async def _promises(settings: Settings, database: Database, connection: asyncpg.Connection, examined: Examined) -> None:
    held = await durability.read(connection)
    examined.facts["off"] = list(held.off)
    if held.overridden:
        overridden = ", ".join(held.overridden)
        problem = f"synchronous_commit is off by {overridden}; nodes turn it on for themselves"
        examined.symptoms.append(Symptom("warning", problem, "turn it on there, for what else writes"))
    for fault in provision.broken_promises(settings, database, held):
        _fail(examined, fault)
    if held.off and settings.allows_unsafe(database.name):
        problem = f"{', '.join(held.off)} off, as `allow_unsafe` allows: it may lose what was acknowledged"
        examined.symptoms.append(Symptom("warning", problem, "turn it on unless this is wanted"))


async def _keys(settings: Settings, database: Database, connection: asyncpg.Connection, examined: Examined) -> None:
    if (roles := settings.admin.one_time_passwords) and database.name == settings.control.database:
        stored = await connection.fetch(admin_keys.SQL["without_codes"], list(roles))
        examined.symptoms += refused_keys.symptoms(settings, stored)


async def _tables(settings: Settings, database: Database, connection: asyncpg.Connection, examined: Examined) -> None:
    faults = await provision.faults_of_tables(settings, database, connection)
    for fault in faults:
        if "this code needs" in fault:
            examined.fail(fault, "run `gameserver migrate`")
        else:
            _fail(examined, fault)
    keep = timedelta(seconds=settings.ledger.keep_seconds)
    if "players" in database.groups and not faults:
        examined.symptoms += await old_weeks.symptoms(connection, keep)
    if database.name == settings.control.database and not faults:
        examined.symptoms += await old_weeks.symptoms_of_control(connection, keep)


def _fail(examined: Examined, fault: str) -> None:
    """A fault behind whose last colon stands what to do."""
    problem, _, remedy = fault.rpartition(": ")
    examined.fail(problem, remedy)


async def _backups(settings: Settings, database: Database, connection: asyncpg.Connection, examined: Examined) -> None:
    examined.symptoms += await backup_watch.symptoms(settings, database.name, connection)


async def _patroni(settings: Settings, database: Database, connection: asyncpg.Connection, examined: Examined) -> None:
    examined.symptoms += await patroni_watch.symptoms(settings, database.name, connection)


async def _condition(_: Settings, __: Database, connection: asyncpg.Connection, examined: Examined) -> None:
    examined.facts.update(await condition.read(connection))


async def _parameters(_: Settings, __: Database, connection: asyncpg.Connection, examined: Examined) -> None:
    facts = await parameters.read(connection)
    examined.facts.update(facts)
    examined.symptoms += parameters.symptoms(facts)


async def _standbys(_: Settings, __: Database, connection: asyncpg.Connection, examined: Examined) -> None:
    facts = await standby_condition.read(connection)
    examined.facts.update(facts)
    examined.symptoms += standby_condition.symptoms(facts)


async def _addresses(_: Settings, database: Database, connection: DriverConnection, examined: Examined) -> None:
    """Of a URL with several addresses each is asked, else a wrong one is noticed when it is needed."""
    if database.dialer.is_of_one:
        return
    system = connection.lineage.system if connection.lineage is not None else None
    for address, answer in (await database.ask_each_address()).items():
        if isinstance(answer, BaseException):
            problem, remedy = causes.told(database.name, answer)
            problem = f"its address {address} {problem.removeprefix(f'The database {database.name} ')}"
            examined.symptoms.append(Symptom("warning" if causes.is_away(answer) else "error", problem, remedy))
        elif answer is None:
            problem = f"its address {address} doesn't say its system, so whether it is of this database isn't known"
            examined.symptoms.append(
                Symptom("warning", problem, "grant execute on pg_control_system to the role there")
            )
        elif system is not None and answer.system != system:
            problem = f"its address {address} is of another system, {answer.system}, than the primary, {system}"
            examined.fail(problem, "correct the URL: no standby of this database is there")


QUESTIONS: tuple[Question, ...] = (
    _version, _clock, _addresses, _promises, _tables, _backups, _patroni, _condition, _parameters, _standbys, _keys,
)  # fmt: skip
OF_TABLES = (_tables, _keys)
"""Those that a migration may answer."""
