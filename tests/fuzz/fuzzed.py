"""A node under fuzzers, and what must hold of it afterwards: it serves, its log is clean, its data is as before."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import orjson

from gameserver.config.limits import PerMinute, PerSecond
from gameserver.config.settings import Settings
from tests.support.client import Api, Signed
from tests.support.nodes import node_process
from tests.support.wait import wait_until

DURATION = float(os.environ.get("DURATION", "3600"))
"""Seconds of the soaks that run for a time, together."""
COUNT = int(os.environ.get("COUNT", "1000000"))
"""Bad inputs of the soak that counts."""
SEED = int(os.environ.get("SEED", "1"))
BACKEND_KEY = "a-back-ends-key-for-fuzzers-only-1"
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
TABLES = ("players", "claims", "credentials", "ledger", "stacks", "inbox", "outbox", "blocks", "friends")


@dataclass(frozen=True)
class FuzzedNode:
    """A running node, a player on it, and where its log is."""

    settings: Settings
    url: str
    log: Path
    player: Signed

    async def digest(self) -> list[str]:
        """Of what players are and have, in every database."""
        digests = []
        for name in self.settings.databases:
            connection = await asyncpg.connect(self.settings.database_url(name).get_secret_value())
            try:
                digests += [f"{name} {table} {await connection.fetchval(DIGEST.format(table))}" for table in TABLES]
            finally:
                await connection.close()
        return digests

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
        yield FuzzedNode(settings, process.address, process.log, player)
    finally:
        await process.stop()
