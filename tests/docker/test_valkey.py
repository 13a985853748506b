"""docker/kubernetes/valkey.sh: three pods agree who leads, also after one of them, or all, were killed."""

import asyncio
import os
import shutil
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from gameserver.config.redis_url import RedisAccess
from gameserver.stack.processes.ports import free_port
from gameserver.stack.servers import binaries
from gameserver.storage.redis import clients
from tests.docker import manifests
from tests.support.redis_kinds import debian_redis
from tests.support.repository import CONFIG
from tests.support.wait import wait_until

ADDRESSES = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
PASSWORD, NODE_PASSWORD = "a-word", "a-nodes-word"


class Pods:
    """The containers of three pods as processes, each pod with an address and a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.sentinel_port = free_port(), free_port()
        programs = folder / "bin"
        programs.mkdir()
        (programs / "valkey-server").symlink_to(binaries.valkey_server())
        (programs / "valkey-cli").symlink_to(shutil.which("redis-cli", path=str(debian_redis().parent)) or "")
        self._path = f"{programs}:{os.defpath}"
        self._running: dict[str, list[Process]] = {}

    async def start(self, address: str) -> None:
        self._running[address] = [await self.run(address, part) for part in ("server", "sentinel")]

    async def run(self, address: str, part: str) -> Process:
        """What a container of this pod runs."""
        data = self.folder / address
        data.mkdir(exist_ok=True)
        told = {"PATH": self._path, "ADDRESS": address, "BIND": address, "PEERS": " ".join(ADDRESSES),
                "PASSWORD": PASSWORD, "NODE_PASSWORD": NODE_PASSWORD, "DATA": str(data), "PORT": str(self.port),
                "SENTINEL_PORT": str(self.sentinel_port), "DOWN_AFTER": "1000"}  # fmt: skip
        with (data / f"{part}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                "sh", str(manifests.VALKEY), part, env=told, stdout=log, stderr=log, start_new_session=True
            )

    async def end_sentinel(self, address: str) -> None:
        """As the kubelet ends a container."""
        _, sentinel = self._running[address]
        os.killpg(sentinel.pid, signal.SIGTERM)
        await sentinel.wait()

    async def kill(self, address: str) -> None:
        for process in self._running.pop(address, []):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def ask(self, address: str, *command: str, port: int | None = None) -> Any:
        """An answer of a server, or of the Sentinel at `port`; None if there is none."""
        client: Any = Redis(host=address, port=port or self.port, password=PASSWORD, decode_responses=True)
        try:
            return await client.execute_command(*command)
        except (RedisError, OSError):
            return None
        finally:
            await client.aclose()

    async def ordered_by_a_node(self, address: str, port: int, *command: str) -> Any:
        """The answer of a server or Sentinel to a node's user. Raises RedisError."""
        async with Redis(host=address, port=port, username="gameserver", password=NODE_PASSWORD) as client:
            return await cast("Any", client).execute_command(*command)

    async def leads(self) -> str | None:
        """The only server that leads, once the others follow it, as every Sentinel says, too; None until then."""
        roles = {address: await self.ask(address, "ROLE") for address in self._running}
        leading = [address for address, role in roles.items() if role and role[0] == "master"]
        following = [role for role in roles.values() if role and role[0] == "slave" and role[3] == "connected"]
        if len(leading) != 1 or len(following) != len(self._running) - 1:
            return None
        (leader,) = leading
        for address in self._running:
            known = await self.ask(address, "SENTINEL", "MASTER", "gameserver", port=self.sentinel_port)
            if known is None or known["ip"] != leader or int(known["num-slaves"]) < len(following):
                return None
            if int(known["num-other-sentinels"]) != len(ADDRESSES) - 1:
                return None
        return leader

    async def settled(self) -> str:
        """Who leads, once all agree."""

        async def is_settled() -> bool:
            return await self.leads() is not None

        await wait_until(is_settled, 45, "the pods agree who leads")
        leader = await self.leads()
        assert leader is not None
        return leader

    def client(self) -> Redis:
        """As a node has it."""
        sentinels = ",".join(f"{address}:{self.sentinel_port}" for address in ADDRESSES)
        url = SecretStr(f"redis+sentinel://gameserver:{NODE_PASSWORD}@{sentinels}/gameserver")
        sentinel = RedisAccess(sentinel_username="gameserver", sentinel_password=SecretStr(NODE_PASSWORD))
        return clients.connect(url, sentinel)


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Pods]:
    pods = Pods(folder)
    try:
        for address in ADDRESSES:
            await pods.start(address)
        yield pods
    finally:
        for address in ADDRESSES:
            await pods.kill(address)


async def written(client: Redis, value: str) -> bool:
    with suppress(RedisError):
        return bool(await client.set("gs:key", value))
    return False


async def test_three_pods_that_start_together_follow_the_first_and_take_changes(tmp_path: Path) -> None:
    async with started(tmp_path) as pods:
        async with pods.client() as client:
            await wait_until(lambda: written(client, "first"), 30, "the one that leads takes changes")
        roles = [await pods.ask(address, "ROLE") for address in ADDRESSES]
        assert [role[0] for role in roles] == ["master", "slave", "slave"]
        assert {role[1] for role in roles[1:]} == {ADDRESSES[0]}
        assert {path.stat().st_mode & 0o077 for path in tmp_path.glob("*/*.conf")} == {0}
        for port, order in (
            (pods.port, ("CONFIG", "GET", "requirepass")),
            (pods.port, ("SET", "others:key", "value")),
            (pods.sentinel_port, ("SENTINEL", "FAILOVER", "gameserver")),
            (pods.sentinel_port, ("SENTINEL", "REMOVE", "gameserver")),
        ):
            with pytest.raises(NoPermissionError):
                await pods.ordered_by_a_node(ADDRESSES[0], port, *order)


def test_a_node_has_the_rights_of_the_acl_file() -> None:
    assert manifests.NODE_RIGHTS.read_text("utf-8") == (CONFIG / "redis.acl").read_text("utf-8")


@pytest.mark.soak
async def test_a_pod_that_leaves_hands_its_lead_over_and_nothing_is_lost(tmp_path: Path) -> None:
    async with started(tmp_path) as pods:
        first = await pods.settled()
        assert first == ADDRESSES[0]
        async with pods.client() as client:
            await wait_until(lambda: written(client, "first"), 20, "the one that leads takes changes")
            leaving = await pods.run(first, "leave")
            assert await asyncio.wait_for(leaving.wait(), 30) == 0
            second = await pods.settled()
            assert second != first
            assert await client.get("gs:key") == b"first"


@pytest.mark.soak
async def test_a_pod_whose_sentinel_has_ended_hands_its_lead_over_before_its_server_ends(tmp_path: Path) -> None:
    async with started(tmp_path) as pods:
        first = await pods.settled()
        async with pods.client() as client:
            await wait_until(lambda: written(client, "first"), 20, "the one that leads takes changes")
            await pods.end_sentinel(first)
            leaving = await pods.run(first, "leave")
            assert await asyncio.wait_for(leaving.wait(), 30) == 0
            role = await pods.ask(first, "ROLE")
            assert (role[0], role[1] in ADDRESSES[1:]) == ("slave", True)
            assert await client.get("gs:key") == b"first"


@pytest.mark.soak
async def test_the_lead_moves_when_its_pod_is_killed_and_comes_back_from_a_kill_of_all(tmp_path: Path) -> None:
    async with started(tmp_path) as pods:
        first = await pods.settled()
        async with pods.client() as client:
            await wait_until(lambda: written(client, "first"), 20, "the one that leads takes changes")
            await pods.kill(first)
            await wait_until(lambda: written(client, "second"), 60, "another one leads and takes changes")
            await pods.start(first)
            second = await pods.settled()
            assert second != first
            for address in ADDRESSES:
                await pods.kill(address)
            for address in ADDRESSES:
                await pods.start(address)
            await pods.settled()
            assert await client.get("gs:key") == b"second"
