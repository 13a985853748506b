"""Looks at the servers for a node that starts: refuses an old Redis, and logs once what else endangers a promise.

Whether databases are fit is judged before that (`provision`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import asyncpg
import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gameserver.app import patroni_watch
from gameserver.app.examined import ASKING
from gameserver.config.settings import Settings
from gameserver.storage.operators import condition, parameters, redis_condition
from gameserver.storage.operators.condition import Symptom
from gameserver.storage.operators.redis_condition import OutdatedRedis
from gameserver.storage.postgres import causes
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.redis import clients
from gameserver.storage.redis.faults import LOST as REDIS_LOST
from gameserver.storage.redis.faults import described

Question = Callable[[Settings, Database, asyncpg.Connection], Awaitable[None]]
log = structlog.get_logger()


async def look(settings: Settings, databases: Databases, redis: Redis) -> None:
    """Asks each database that answers, and Redis. Raises OutdatedRedis."""
    used = [databases[name] for name in databases.names() if databases[name].groups and not databases[name].problem]
    await asyncio.gather(*(_warn_of(database, settings) for database in used))
    try:
        await _judge_redis(redis)
    except OutdatedRedis as error:
        raise OutdatedRedis(f"Redis: {error}: {redis_condition.NEWER}.") from error
    except REDIS_LOST as error:
        log.info("Redis can't be asked for what nodes need of it", error=described(error))


async def _warn_of(database: Database, settings: Settings) -> None:
    """Each question is asked by itself, as by `doctor`."""
    try:
        connection = await database.connect({})
    except ASKING:
        return  # its outage is logged
    try:
        for question in QUESTIONS:
            try:
                await question(settings, database, connection)
            except ASKING as error:
                if causes.is_silent(error):
                    return
                problem, remedy = causes.told_of_server(database.name, error)
                log.warning("a database can't be asked for what nodes need of it", what=f"{problem}: {remedy}")
    finally:
        connection.terminate()


async def _condition(settings: Settings, database: Database, connection: asyncpg.Connection) -> None:
    facts = await condition.read(connection)
    if sentence := condition.missing(database, facts, settings.writes.in_flight):
        log.warning("a database may run out of connections", what=sentence)
    _tell_errors(database, list(condition.rights(facts)))


async def _parameters(_: Settings, database: Database, connection: asyncpg.Connection) -> None:
    _tell_errors(database, list(parameters.symptoms(await parameters.read(connection))))


async def _patroni(settings: Settings, database: Database, connection: asyncpg.Connection) -> None:
    for symptom in await patroni_watch.symptoms(settings, database.name, connection):
        log.warning("Patroni may drop slots", database=database.name, what=_sentence(symptom))


def _tell_errors(database: Database, symptoms: Sequence[Symptom]) -> None:
    """What endangers a promise; the rest is `doctor`'s."""
    for symptom in symptoms:
        if symptom.level == "error":
            log.warning("a database isn't as nodes need it", database=database.name, what=_sentence(symptom))


def _sentence(symptom: Symptom) -> str:
    return f"{symptom.problem}: {symptom.remedy}"


QUESTIONS: tuple[Question, ...] = (_condition, _parameters, _patroni)


async def _judge_redis(redis: Redis) -> None:
    """Raises OutdatedRedis, one of REDIS_LOST."""
    servers: Sequence[Mapping[str, Any]] = ()
    try:
        servers = await redis_condition.read(redis)
    except ResponseError as error:
        log.info("Redis' settings can't be read: its user lacks +info", error=described(error))
    if old := next(filter(None, map(redis_condition.outdated, servers)), None):
        raise OutdatedRedis(old.problem)
    for symptom in {symptom for server in servers for symptom in redis_condition.symptoms(server)}:
        log.warning("Redis may lose what it has", what=_sentence(symptom))
    for sentence in {redis_condition.missing(server, clients.per_node(redis)) for server in servers} - {None}:
        log.warning("Redis may run out of connections", what=sentence)
    for symptom in redis_condition.lacking(await redis_condition.denied(redis)):
        if symptom.level == "error":
            log.warning("Redis isn't as nodes need it", what=_sentence(symptom))
        else:
            log.info("Redis can't be asked for its user's rights", what=_sentence(symptom))
