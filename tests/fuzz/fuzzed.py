"""A node under fuzzers, and what must hold of it afterwards: it serves, its log is clean, its data is as before."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path

import asyncpg
import orjson

from gameserver.config.limits import PerMinute, PerSecond
from gameserver.config.settings import Settings
from gameserver.storage.redis import clients
from tests.fuzz.callers import BACKEND_KEY, Callers
from tests.support.client import ADMIN_KEY, Api, Signed
from tests.support.haproxy import Proxy, haproxy
from tests.support.nodes import node_process
from tests.support.wait import wait_until

DURATION = float(os.environ.get("DURATION", "3600"))
"""Seconds of the soaks that run for a time, together."""
COUNT = int(os.environ.get("COUNT", "1000000"))
"""Bad inputs of the soak that counts."""
SEED = int(os.environ.get("SEED", "1"))
MANY = 1_000_000
A_MINUTE, A_SECOND = PerMinute(per_minute=MANY, burst=MANY), PerSecond(per_second=MANY, burst=MANY)
LIMITS = {
    "actions_per_player": A_SECOND,
    "hellos_per_player": A_MINUTE,
    "reads_per_player": A_SECOND,
    "exports_per_player": A_MINUTE,
    "entries_per_address": A_SECOND,
    "key_changes_per_player": A_MINUTE,
    "list_changes_per_player": A_MINUTE,
    "frames_per_socket": A_SECOND,
    "wrong_keys_per_address": A_MINUTE,
}
"""No limit stands between a fuzzer and what it tries."""
DIGEST = "select count(*)::text || md5(coalesce(string_agg(p::text, '|' order by p::text), '')) from {} p"
TABLES = (
    "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace "
    "where c.relkind in ('r', 'p') and not c.relispartition and n.nspname = current_schema order by 1"
)
"""Every table that there is; a partition is digested with its whole."""
SELF_CHANGING_TABLES = ("primaries", "seasons", "season_standings", "season_floors", "rulebooks")
"""What a node writes by itself, also when nobody asks it anything."""
SELF_CHANGING_KEYS = re.compile(
    rb"gs:(\{presence}:.*|\{followed}:.*|sessions:writable|session:.*|stream:.*"
    rb"|\{board:.*}:.*:(as_of|checkpoints|gone|gone_before|state))"
)
"""What a node writes into Redis by itself, also minutes later, when a session was used last, and a hello's stream."""


@dataclass(frozen=True)
class FuzzedNode:
    """A running node, a player on it, and where its log is."""

    settings: Settings
    url: str
    log: Path
    player: Signed

    @property
    def callers(self) -> Callers:
        return Callers(self.player.id, self.player.token, ADMIN_KEY)

    async def digest(self) -> list[str]:
        """Of all that is stored, in every database and in Redis."""
        digests = await self._redis_digest()
        for name in self.settings.databases:
            connection = await asyncpg.connect(self.settings.database_url(name).get_secret_value())
            try:
                for (table,) in await connection.fetch(TABLES):
                    if table not in SELF_CHANGING_TABLES:
                        digests.append(f"{name} {table} {await connection.fetchval(DIGEST.format(table))}")
            finally:
                await connection.close()
        return digests

    async def _redis_digest(self) -> list[str]:
        """Of each key with its content; those that change by themselves are left out."""
        client = clients.connect(self.settings.redis_url())
        try:
            keys = sorted([key async for key in client.scan_iter() if not SELF_CHANGING_KEYS.fullmatch(key)])
            return [f"{key!r} {md5(await client.dump(key) or b'').hexdigest()}" for key in keys]
        finally:
            await client.aclose()

    @asynccontextmanager
    async def behind_haproxy(self, folder: Path) -> AsyncIterator[Proxy]:
        """HAProxy before the node, as `up` would write its configuration; it is ready once the node is known to be."""
        async with haproxy(folder, self.settings, [int(self.url.rpartition(":")[2])]) as proxy, Api(proxy.url) as api:

            async def node_is_known() -> bool:
                return (await api.ask("GET", "/ready")).status == 200

            await wait_until(node_is_known, 20, "HAProxy knows the node")
            yield proxy

    def log_faults(self) -> list[str]:
        """The lines of the log that say that something was not handled."""
        return [line[:2000] for line in self.log.read_text(errors="replace").splitlines() if _is_fault(line)]

    async def assert_well(self) -> None:
        """It still serves the player, and nothing in its log was unhandled."""
        async with Api(self.url) as api:
            assert (await api.ask("GET", "/ready")).status == 200
            player = await api.ask("GET", "/v1/players/me", token=self.player.token)
            assert player.status == 200, player.body
        faults = self.log_faults()
        assert not faults, faults[:3]


def _is_fault(line: str) -> bool:
    if "Traceback" in line:
        return True
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        return bool(line.strip())
    return entry.get("level") in ("error", "critical")


@asynccontextmanager
async def fuzzed_node(settings: Settings, folder: Path) -> AsyncIterator[FuzzedNode]:
    """A node with a player, whose boards are live, until the block ends."""
    free = settings.model_copy(update={"limits": settings.limits.model_copy(update=LIMITS)})
    process = node_process(free, folder, "fuzzed")
    with (folder / "fuzzed.toml").open("a") as config:
        config.write(f'[backend.keys]\nfuzzer = "{BACKEND_KEY}"\n')
    await process.start()
    try:
        async with Api(process.address) as api:
            player = await api.sign_up()

            async def boards_are_live() -> bool:
                names = [board["name"] for board in (await api.ask("GET", "/v1/boards")).body["boards"]]
                return all([(await api.ask("GET", f"/v1/boards/{name}")).status == 200 for name in names])

            await wait_until(boards_are_live, 30, "all boards are live")
        yield FuzzedNode(free, process.address, process.log, player)
    finally:
        await process.stop()
