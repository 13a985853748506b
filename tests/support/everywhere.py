"""All that a deployment has stored, to be searched for what must not be there."""

from typing import Any

from redis.asyncio import Redis

from gameserver.app import Core
from gameserver.storage.redis import clients
from tests.support.deployment import connected

READS = {
    b"string": ("GET",),
    b"hash": ("HGETALL",),
    b"list": ("LRANGE", 0, -1),
    b"set": ("SMEMBERS",),
    b"zset": ("ZRANGE", 0, -1, "WITHSCORES"),
    b"stream": ("XRANGE", "-", "+"),
}
"""By the type of a key: what reads it as it was written (a dump may be compressed)."""


async def everywhere(core: Core) -> str:
    """All that is stored, as text: every table of every database, and every key of Redis."""
    return "\n".join(text for _, text in await places(core))


async def places(core: Core) -> list[tuple[str, str]]:
    """The same by place: a database's table, or a key."""
    found: list[tuple[str, str]] = []
    for name in core.databases.names():
        async with connected(core.databases[name].url) as connection:
            tables = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
            for (table,) in tables:
                rows = await connection.fetch(f'select row_to_json(t)::text from "{table}" t')
                found += [(f"{name}: {table}", str(row[0])) for row in rows]
    redis = core.redis.commands
    async for key in redis.scan_iter(match="*"):
        found.append(("redis", f"{key!r} {await _read(redis, key)!r}"))
    return found


async def _read(redis: Redis, key: bytes) -> Any:
    kind = await clients.send(redis, "TYPE", key)
    if kind == b"none":
        return None  # it has expired meanwhile
    command, *rest = READS[kind]
    return await clients.send(redis, command, key, *rest)
