"""Servers that are too old are named by version: doctor says it, and nodes and `migrate` refuse them."""

import re
import sys
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

import asyncpg
import pytest
from asyncpg.types import ServerVersion
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from gameserver.app import examine, examining, open_core, starting
from gameserver.app.examined import Examined
from gameserver.app.examining import examine_database
from gameserver.config.settings import Settings
from gameserver.storage.operators import condition, redis_condition
from gameserver.storage.operators.redis_condition import OutdatedRedis
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.driver import DriverConnection
from gameserver.storage.redis import clients
from gameserver.storage.sharding import provision
from gameserver.storage.tables.migrations import OutdatedDatabase
from tests.cli.test_doctor import findings
from tests.support.servers import Servers

TOO_OLD = "its version is 15.4: use Postgres 16 or later"
PLANTED = "function gs_planted() does not exist"


@pytest.fixture
def old_postgres(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers say that they are of Postgres 15, and have no role for subscriptions."""
    monkeypatch.setattr(DriverConnection, "get_server_version", lambda _: ServerVersion(15, 4, 0, "final", 0))
    older = condition.SQL["condition"].replace("pg_create_subscription", "gs_no_such_role")
    monkeypatch.setitem(condition.SQL, "condition", older)


@pytest.mark.usefixtures("old_postgres")
async def test_an_old_postgres_is_named_with_all_else_that_is_found(settings: Settings) -> None:
    examined = await examine(settings, 50)
    for name in ("one", "two"):
        (server,) = [server for server in examined if server.name == name]
        (found,) = [symptom for symptom in server.symptoms if symptom.level == "error"]
        assert found.problem.endswith("its version is 15.4")
        assert found.remedy == "use Postgres 16 or later"
        assert any("slots can't move" in problem for problem in findings(examined, name, "warning"))
        assert any("connections are for nodes" in problem for problem in findings(examined, name, "warning"))


@pytest.mark.usefixtures("old_postgres")
async def test_a_node_and_migrate_refuse_an_old_postgres(settings: Settings) -> None:
    with pytest.raises(OutdatedDatabase, match=f"database one: {TOO_OLD}"):
        async with open_core(settings):
            pass
    with pytest.raises(OutdatedDatabase, match=f"database one: {TOO_OLD}"):
        await provision.migrate(settings)


Info = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


def redis_says(monkeypatch: pytest.MonkeyPatch, info: Info) -> None:
    """Redis has no `acl_check_cmd`, and says something else of itself."""
    monkeypatch.setattr(redis_condition, "_TRY", redis_condition._TRY.replace("acl_check_cmd", "gs_no_such_function"))
    read = redis_condition.read

    async def said(redis: Redis) -> list[dict[str, Any]]:
        return info(await read(redis))

    monkeypatch.setattr(redis_condition, "read", said)


def refused(_: list[dict[str, Any]]) -> list[dict[str, Any]]:
    raise ResponseError("this user has no permissions to run the 'info' command")


async def look(servers: Servers, settings: Settings) -> None:
    client, databases = clients.connect(servers.redis_url), provision.open_databases(settings)
    try:
        await starting.look(settings, databases, client)
    finally:
        await client.aclose()
        await databases.close()


async def test_an_old_redis_is_named_and_a_node_refuses_it(
    servers: Servers, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis_says(monkeypatch, lambda parts: [{**part, "redis_version": "6.2.14"} for part in parts])
    examined = await examine(settings, 1)
    (redis,) = [server for server in examined if server.name == "redis"]
    (found,) = [symptom for symptom in redis.symptoms if symptom.level == "error"]
    assert found.remedy == "use Redis 7.0 or later, or Valkey"
    with pytest.raises(OutdatedRedis, match=r"use Redis 7\.0 or later, or Valkey"):
        await look(servers, settings)


@pytest.mark.parametrize("info", [lambda parts: parts, refused], ids=["of a version that will do", "that says none"])
async def test_a_redis_that_tells_no_rights_is_warned_of_and_used(
    info: Info, servers: Servers, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As compatible servers, and those of hosts, may be."""
    redis_says(monkeypatch, info)
    with capture_logs() as logs:
        await look(servers, settings)
    assert len([line for line in logs if "acl_check_cmd" in str(line)]) == 1
    examined = await examine(settings, 1)
    assert not findings(examined, "redis", "error")
    assert any("acl_check_cmd" in problem for problem in findings(examined, "redis", "warning"))


@pytest.mark.parametrize("version", ["unknown", "v7", "7.4", 7.0, "12.0.1"])
def test_a_version_of_redis_that_isnt_a_number_is_no_older_one(version: object) -> None:
    assert redis_condition.outdated({"redis_version": version}) is None


async def test_a_redis_that_names_no_version_is_one_server(monkeypatch: pytest.MonkeyPatch) -> None:
    said: dict[str, object] = {"role": "master", "db0": {"keys": 1}}
    client = Redis()

    async def info() -> dict[str, object]:
        return said

    monkeypatch.setattr(client, "info", info)
    assert await redis_condition.read(client) == [said]


async def examined_by(settings: Settings, without: str = "") -> Examined:
    """What is found of the database `one`, by all questions but one."""
    questions = examining.QUESTIONS
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(examining, "QUESTIONS", [each for each in questions if each.__name__ != without])
        database = Database("one", settings.database_url("one"))
        database.groups = frozenset({"control", "accounts", "players"})
        try:
            return await examine_database(settings, database, 50)
        finally:
            await database.dispose()


def problems(found: Examined) -> set[str]:
    """Without their figures."""
    return {re.sub(r"\d+", "#", symptom.problem) for symptom in found.symptoms}


async def test_a_statement_that_a_server_refuses_hides_nothing_that_others_find(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in turn, as on a server without a function that it has."""
    rest = {each.__name__: await examined_by(settings, each.__name__) for each in examining.QUESTIONS}
    statements: list[str] = []
    refused = -1

    def refusing(ask: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def asked(connection: DriverConnection, statement: str, *arguments: object) -> Any:
            frame: FrameType | None = sys._getframe()
            while frame is not None and frame.f_code.co_name not in rest:
                frame = frame.f_back
            if frame is not None:
                statements.append(frame.f_code.co_name)
            if frame is not None and len(statements) - 1 == refused:
                raise asyncpg.UndefinedFunctionError(PLANTED)
            return await ask(connection, statement, *arguments)

        return asked

    for name in ("fetch", "fetchrow", "fetchval"):
        monkeypatch.setattr(DriverConnection, name, refusing(getattr(DriverConnection, name)))
    await examined_by(settings)
    asking = list(statements)
    assert {"_promises", "_tables", "_patroni", "_condition", "_parameters", "_standbys"} <= set(asking)
    for refused, question in enumerate(asking):  # noqa: B007 - the statements read it
        statements.clear()
        found = await examined_by(settings)
        assert set(rest[question].facts) <= set(found.facts), question
        assert problems(rest[question]) <= problems(found), question
        (planted,) = [symptom for symptom in found.symptoms if PLANTED in symptom.problem]
        assert planted.remedy
        assert ("migrate" in planted.remedy) == (question == "_tables")
