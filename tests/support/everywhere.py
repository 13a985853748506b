"""All that a deployment has stored, to be searched for what must not be there."""

from gameserver.app import Core
from tests.support.deployment import connected


async def everywhere(core: Core) -> str:
    """All that is stored, as text: every table of every database, and every key of Redis."""
    texts: list[str] = []
    for name in core.databases.names():
        async with connected(core.databases[name].url) as connection:
            tables = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
            for (table,) in tables:
                rows = await connection.fetch(f'select row_to_json(t)::text from "{table}" t')
                texts += [str(row[0]) for row in rows]
    redis = core.redis.commands
    async for key in redis.scan_iter(match="*"):
        texts.append(repr(key))
        texts.append(repr(await redis.dump(key)))
    return "\n".join(texts)
