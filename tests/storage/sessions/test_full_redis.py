"""A Redis that takes no more, but is still the master: its sessions count on every node, and end if it is but full."""

import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from gameserver.rules.errors import NotAuthenticated, SessionsUnavailable
from gameserver.storage.redis import clients
from gameserver.storage.sessions.revocations import STREAM, Revocations
from gameserver.storage.sessions.sessions import UNKNOWN, Sessions
from gameserver.storage.sessions.store import SHOWN
from tests.storage.sessions.test_session_clocks import NoEpochs
from tests.support.redis_kinds import Running, alone, debian_redis
from tests.support.wait import wait_until

PLAYER = 4096


@pytest.fixture(params=["valkey", "redis 7.0"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Running]:
    async with alone(tmp_path, debian_redis() if request.param == "redis 7.0" else None) as running:
        yield running


async def make_full(running: Running) -> None:
    await running.servers[0].ask("CONFIG", "SET", "maxmemory", 1)


async def lose_its_files(running: Running) -> None:
    (server,) = running.servers
    await server.ask("CONFIG", "SET", "save", "3600 1")
    shutil.rmtree(server.folder)
    await server.ask("BGSAVE")

    async def has_failed() -> bool:
        facts: Any = await server.ask("INFO", "persistence")
        return bool(facts["rdb_last_bgsave_status"] == "err")

    await wait_until(has_failed, what="it can't write its files")


async def follow_another(running: Running) -> None:
    await running.servers[0].ask("REPLICAOF", "127.0.0.1", "1")


async def miss_its_replicas(running: Running) -> None:
    await running.servers[0].ask("CONFIG", "SET", "min-replicas-to-write", 1)


def revocations_of(stack: AsyncExitStack, running: Running) -> Revocations:
    client = clients.connect(SecretStr(running.url), running.access)
    stack.push_async_callback(client.aclose)
    return Revocations(client, client)


def sessions_of(stack: AsyncExitStack, running: Running) -> Sessions:
    client = clients.connect(SecretStr(running.url), running.access)
    stack.push_async_callback(client.aclose)
    return Sessions(client, client, NoEpochs(), (3600, 7200), 5, time.time)


@pytest.mark.parametrize("trouble", [make_full, lose_its_files])
async def test_a_session_counts_on_another_node_while_redis_takes_no_more(server: Running, trouble: Any) -> None:
    async with AsyncExitStack() as stack:
        opening, other = sessions_of(stack, server), sessions_of(stack, server)
        token, opened = await opening.open(PLAYER, 0, UNKNOWN)
        await trouble(server)
        with pytest.raises(SessionsUnavailable):
            await other.require_open()
        assert (await other.check(token)).name == opened.name
        with pytest.raises(NotAuthenticated):
            await other.check(token[:-1] + ("A" if token[-1] != "A" else "B"))


async def test_a_session_that_is_used_while_redis_is_full_lives_on(server: Running) -> None:
    async with AsyncExitStack() as stack:
        opening, other = sessions_of(stack, server), sessions_of(stack, server)
        token, opened = await opening.open(PLAYER, 0, UNKNOWN)
        admin, key = server.servers[0], f"gs:session:{{{PLAYER}}}:{opened.name}"
        await admin.ask("PEXPIRE", key, 600_000)
        await make_full(server)
        await other.check(token)
        assert await admin.ask("PEXPIRETIME", key) > (time.time() + 1800) * 1000


async def test_sessions_end_for_every_node_while_redis_is_full(server: Running) -> None:
    async with AsyncExitStack() as stack:
        one, other = sessions_of(stack, server), sessions_of(stack, server)
        opened = [await one.open(PLAYER, 0, UNKNOWN) for _ in range(3)]
        admin = server.servers[0]
        await make_full(server)
        # A node that starts now finds something to begin with in the stream.
        await admin.ask("DEL", STREAM)
        assert (await revocations_of(stack, server).read()).gap
        follower = revocations_of(stack, server)
        assert (await follower.read()).gap
        # One by itself, one by its id, and all.
        await one.revoke(opened[0][1])
        await one.revoke_listed(opened[1][1], opened[2][1].name[:SHOWN])
        await one.revoke_all(PLAYER)
        for token, _ in opened:
            with pytest.raises(NotAuthenticated):
                await other.check(token)
        names = {ended.name for ended in (await follower.read()).ended}
        assert names == {session.name for _, session in opened}
        assert await other.listed(PLAYER) == []


async def test_a_session_that_cant_be_ended_is_told_so_and_counts_on(server: Running) -> None:
    async with AsyncExitStack() as stack:
        one, other = sessions_of(stack, server), sessions_of(stack, server)
        token, session = await one.open(PLAYER, 0, UNKNOWN)
        gone = (await one.open(PLAYER, 0, UNKNOWN))[1].name
        await server.servers[0].ask("DEL", f"gs:session:{{{PLAYER}}}:{gone}")
        await lose_its_files(server)
        for ending in (one.revoke(session), one.revoke_all(PLAYER)):
            with pytest.raises(SessionsUnavailable):
                await ending
        assert (await other.check(token)).name == session.name
        assert [listed.name for listed in await other.listed(PLAYER)] == [session.name]


@pytest.mark.parametrize("trouble", [follow_another, miss_its_replicas])
async def test_a_server_that_others_may_have_overtaken_says_nothing_of_sessions(server: Running, trouble: Any) -> None:
    async with AsyncExitStack() as stack:
        opening, other = sessions_of(stack, server), sessions_of(stack, server)
        token, _ = await opening.open(PLAYER, 0, UNKNOWN)
        await trouble(server)
        with pytest.raises(SessionsUnavailable):
            await other.check(token)
