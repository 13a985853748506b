"""The condition of Redis for the nodes that use it: eviction, persistence, memory, replicas, and the user's rights."""

from collections.abc import Iterator, Mapping
from typing import Any

from redis.asyncio import Redis

from gameserver.storage.operators.condition import Symptom

FULL = 0.9
"""The part of maxmemory from which on it is nearly full."""
OLDEST = "7.0"
COMMANDS = """
exists get hdel hexists hget hgetall hincrby hkeys hlen hmget hrandfield hscan hset hsetnx hvals lindex llen lpos
lpush lrange lrem lset ltrim pexpire pexpireat pexpiretime rename rpush sadd scard set smembers smismember srem sscan
unlink xadd xrange xrevrange zadd zcard zcount zmscore zrange zrangebyscore zrank zrem zremrangebyrank zremrangebyscore
zscore
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
    version = str(facts.get("redis_version", OLDEST))
    if int(version.partition(".")[0]) < int(OLDEST.partition(".")[0]):
        yield Symptom("error", f"its version is {version}", f"use Redis {OLDEST} or later, or Valkey")
    if facts.get("maxmemory_policy", "noeviction") != "noeviction":
        problem = f"maxmemory-policy is {facts['maxmemory_policy']}: it drops sessions and parts of boards"
        yield Symptom("warning", problem, "set maxmemory-policy to noeviction")
    most, used = facts.get("maxmemory", 0), facts.get("used_memory", 0)
    if most and used > FULL * most:
        yield Symptom("error", f"{used / most:.0%} of maxmemory are in use", "raise maxmemory")
    yield from _kept(facts)
    yield from _replicated(facts)


def _kept(facts: Mapping[str, Any]) -> Iterator[Symptom]:
    """What is wrong with its files."""
    if not facts.get("aof_enabled"):
        problem = "appendonly is off: a restart signs players out"
        yield Symptom("warning", problem, "set appendonly to yes, and appendfsync to everysec")
    failing = [name for name in ("aof_last_write_status", "rdb_last_bgsave_status") if facts.get(name, "ok") != "ok"]
    if failing:
        problem = f"it can't write its files ({', '.join(failing)}), and refuses changes or will lose them"
        yield Symptom("error", problem, "look at its log, its disk and the rights of its folder")


def _replicated(facts: Mapping[str, Any]) -> Iterator[Symptom]:
    """What is wrong with its part in replication: `min_slaves_good_slaves` is there if it demands replicas."""
    good = facts.get("min_slaves_good_slaves")
    if facts.get("role") == "slave":
        yield Symptom("error", "it is a replica, or was demoted", "correct the URL: it must lead to the master")
    elif good is None and facts.get("connected_slaves"):
        problem = "min-replicas-to-write is 0: sessions opened at a master that was cut off vanish in a failover"
        remedy = (
            "set min-replicas-to-write to 1, and min-replicas-max-lag to 3, below Sentinel's down-after-milliseconds"
        )
        yield Symptom("warning", problem, remedy)
    elif good == 0:
        problem = "none of the replicas that it demands is there (min-replicas-to-write): it takes no changes"
        yield Symptom("error", problem, "start its replicas, or look at their logs")


async def denied(redis: Redis) -> list[str]:
    """The commands of scripts that the user may not use. Raises RedisError."""
    names: list[Any] = await redis.eval(_TRY, 1, "gs:{doctor}", *COMMANDS.split())
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def shown(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that operators see."""
    names = ("redis_version", "valkey_version", "redis_mode", "role", "maxmemory", "maxmemory_policy", "used_memory",
             "connected_slaves", "min_slaves_good_slaves")  # fmt: skip
    return {name: facts[name] for name in (*names, "aof_enabled", "connected_clients") if name in facts}
