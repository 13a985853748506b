"""The condition of Redis for the nodes that use it: eviction, persistence, memory, and the user's rights."""

from collections.abc import Iterator, Mapping
from typing import Any

from redis.asyncio import Redis

from gameserver.storage.operators.condition import Symptom

FULL = 0.9
"""The part of maxmemory from which on it is nearly full."""
COMMANDS = """
exists get hdel hexists hget hgetall hincrby hkeys hlen hmget hrandfield hscan hset hsetnx hvals lindex llen lpush
lrange lrem ltrim pexpire pexpireat pexpiretime rename rpush sadd scard set smembers smismember srem unlink xadd xrange
xrevrange zadd zcard zcount zmscore zrange zrangebyscore zrank zrem zremrangebyrank zremrangebyscore zscore
"""
"""What scripts call on keys, as config/redis.acl allows it."""
_TRY = """
local denied = {}
for _, name in ipairs(ARGV) do
  if not redis.acl_check_cmd(name, KEYS[1], KEYS[1], KEYS[1], KEYS[1]) then denied[#denied + 1] = name end
end
return denied
"""


async def read(redis: Redis) -> list[dict[str, Any]]:
    """What each server says of itself. Raises RedisError, also if the user may not ask."""
    answer: Mapping[str, Any] = await redis.info()
    return [dict(answer)] if "redis_version" in answer else [dict(part) for part in answer.values()]


def symptoms(facts: Mapping[str, Any]) -> Iterator[Symptom]:
    """What of a server's facts isn't as nodes need it."""
    if facts.get("maxmemory_policy", "noeviction") != "noeviction":
        yield Symptom(
            "warning",
            f"maxmemory-policy is {facts['maxmemory_policy']}: it drops sessions and parts of boards",
            "set maxmemory-policy to noeviction",
        )
    if not facts.get("aof_enabled"):
        yield Symptom(
            "warning",
            "appendonly is off: a restart signs players out",
            "set appendonly to yes, and appendfsync to everysec",
        )
    most, used = facts.get("maxmemory", 0), facts.get("used_memory", 0)
    if most and used > FULL * most:
        yield Symptom("error", f"{used / most:.0%} of maxmemory are in use", "raise maxmemory")


async def denied(redis: Redis) -> list[str]:
    """The commands of scripts that the user may not use. Raises RedisError."""
    names: list[Any] = await redis.eval(_TRY, 1, "gs:{doctor}", *COMMANDS.split())
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def shown(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that operators see."""
    names = ("redis_version", "valkey_version", "redis_mode", "role", "maxmemory", "maxmemory_policy", "used_memory")
    return {name: facts[name] for name in (*names, "aof_enabled", "connected_clients") if name in facts}
