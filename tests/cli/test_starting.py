"""What would break a promise is in the log of a node that starts, once, with what to do."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gameserver.app import examine, starting
from gameserver.config.settings import Settings
from gameserver.storage.operators import condition
from gameserver.storage.postgres.driver import DriverConnection
from gameserver.storage.redis import clients
from gameserver.storage.sharding import provision
from tests.cli.test_doctor import findings
from tests.support.deployment import connected
from tests.support.servers import Servers, database_of

UNFIT = "a database isn't as nodes need it"


async def warnings(settings: Settings, url: SecretStr | None = None) -> list[tuple[str, str]]:
    """What a node that starts says of the database `one`, and of Redis: the event, and what it is about."""
    databases, redis = provision.open_databases(settings), clients.connect(url or settings.redis_url())
    try:
        with capture_logs() as lines:
            await starting.look(settings, databases, redis)
    finally:
        await redis.aclose()
        await databases.close()
    return [(line["event"], line["what"]) for line in lines if line["log_level"] == "warning"]


async def test_servers_as_they_should_be_are_not_warned_of(settings: Settings) -> None:
    assert await warnings(settings) == []


@pytest.mark.parametrize(
    ("statement", "problem", "remedy"),
    [
        ("revoke update on claims from gameserver", "may not read and write claims", "their rights"),
        (
            "update pg_database set datcollversion = '0' where datname = current_database()",
            "the indexes that keep names unique may be wrong",
            "reindex database",
        ),
    ],
)
async def test_each_fault_of_a_database_that_would_break_a_promise_is_one_line(
    servers: Servers, settings: Settings, statement: str, problem: str, remedy: str
) -> None:
    url = servers.postgres["one"].superuser_url.rsplit("/", 1)[0] + f"/{database_of(settings.database_url('one'))}"
    async with connected(SecretStr(url)) as superuser:
        await superuser.execute(statement)
    ((event, what),) = await warnings(settings)
    assert event == UNFIT
    assert problem in what
    assert remedy in what


async def test_a_pooler_is_told_also_where_another_question_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(condition.SQL, "condition", "select gs_planted()")
    monkeypatch.setattr(DriverConnection, "get_server_pid", lambda _: 0)
    (refused, pooled) = await warnings(settings)
    assert "gs_planted" in refused[1]
    assert "migrate" not in refused[1]
    assert pooled[0] == UNFIT
    assert "a pooler stands in front of it" in pooled[1]


@asynccontextmanager
async def of_redis(servers: Servers) -> AsyncIterator[Redis]:
    client = clients.connect(servers.redis_url)
    try:
        yield client
    finally:
        await client.aclose()


async def test_a_redis_with_few_connections_is_named_by_a_node_and_by_doctor(
    servers: Servers, settings: Settings
) -> None:
    async with of_redis(servers) as redis:
        before = (await redis.config_get("maxclients"))["maxclients"]
        await redis.config_set("maxclients", 193)
        try:
            ((event, what),) = await warnings(settings)
            assert event == "Redis may run out of connections"
            assert re.fullmatch(
                r"Redis has 1\d\d connections left, and a node takes up to 192: raise maxclients.*", what
            )
            assert findings(await examine(settings, 1), "redis", "error") == []
            (problem,) = [each for each in findings(await examine(settings, 2), "redis", "warning") if "max" in each]
            assert problem == "its maxclients is 193, and 2 nodes take up to 384 connections"
            await redis.config_set("maxclients", 100)
            (problem,) = findings(await examine(settings, 1), "redis", "error")
            assert problem == "its maxclients is 100, and a node takes up to 192 connections"
        finally:
            await redis.config_set("maxclients", str(before))


async def test_rights_that_the_user_of_redis_lacks_are_in_the_log(servers: Servers, settings: Settings) -> None:
    async with of_redis(servers) as redis:
        user = ("on", ">word", "~gs:*", "+@all", "-zadd")
        await redis.execute_command("ACL", "SETUSER", "scanty", *user)  # type: ignore[no-untyped-call]
        try:
            url = re.sub("//[^@]*@", "//scanty:word@", servers.redis_url.get_secret_value())
            ((_, what),) = await warnings(settings, SecretStr(url))
            assert what == "the user may not use zadd on gs:*: give it the rights of config/redis.acl"
        finally:
            await redis.execute_command("ACL", "DELUSER", "scanty")  # type: ignore[no-untyped-call]
