"""What Redis holds at a moment, and Redis as it was then: a replica that lagged took over, or a dump was restored."""

from typing import Any

from redis.asyncio import Redis

Past = dict[bytes, tuple[bytes, int]]
"""By key what it held, and when in ms it ends, -1 for never."""


async def remembered(redis: Redis, pattern: str = "*") -> Past:
    """The keys of this pattern."""
    keys: list[Any] = [key async for key in redis.scan_iter(pattern, 1000)]
    held = {key: (await redis.dump(key), await redis.pexpiretime(key)) for key in keys}
    return {key: (value, ends) for key, (value, ends) in held.items() if value is not None}


async def go_back(redis: Redis, past: Past, pattern: str = "*") -> None:
    """Puts these keys back, and no others of the pattern."""
    keys: list[Any] = [key async for key in redis.scan_iter(pattern, 1000)]
    for key in keys:
        await redis.delete(key)
    for key, (value, ends) in past.items():
        await redis.restore(key, max(ends, 0), value, absttl=True)
