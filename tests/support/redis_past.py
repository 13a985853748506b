"""What Redis holds at a moment, and Redis as it was then: a replica that lagged took over, or a dump was restored."""

from typing import Any

from redis.asyncio import Redis


async def remembered(redis: Redis, pattern: str = "*") -> dict[bytes, bytes]:
    """The keys of this pattern, and what they hold."""
    return {key: held async for key in redis.scan_iter(pattern, 1000) if (held := await redis.dump(key)) is not None}


async def go_back(redis: Redis, past: dict[bytes, bytes], pattern: str = "*") -> None:
    """Puts these keys back, and no others of the pattern; none of them has an end any more."""
    keys: list[Any] = [key async for key in redis.scan_iter(pattern, 1000)]
    for key in keys:
        await redis.delete(key)
    for key, held in past.items():
        await redis.restore(key, 0, held)
