"""The condition of Redis for the nodes that use it: eviction, persistence, memory, replicas, and the user's rights."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from gameserver.storage.operators.condition import Symptom

FULL = 0.9
"""The part of maxmemory from which on it is nearly full."""
OLDEST = "7.0"
NEWER = f"use Redis {OLDEST} or later, or Valkey"
SPARE = 32
"""Connections for operators, replicas and Sentinels."""
COMMANDS = """
exists get hdel hexists hget hgetall hincrby hkeys hlen hmget hrandfield hscan hset hsetnx hvals lindex llen lpos
lpush lrange lrem lset ltrim pexpire pexpireat pexpiretime rename rpush sadd scard set smembers smismember srem sscan
unlink xadd xrange xrevrange zadd zcard zcount zmscore zrange zrangebyscore zrank zrem zremrangebyrank zremrangebyscore
zscore
"""
"""What scripts call on keys, as config/redis.acl allows it."""
_TRY = """
if not redis.acl_check_cmd then return false end
local denied = {}
for _, name in ipairs(ARGV) do
  if not redis.acl_check_cmd(name, KEYS[1], KEYS[1], KEYS[1], KEYS[1]) then denied[#denied + 1] = name end
end
return denied
"""


class OutdatedRedis(Exception):
    """Redis is too old for nodes; the text says so."""


async def read(redis: Redis) -> list[dict[str, Any]]:
    """What each server says of itself. Raises RedisError, also if the user may not ask."""
    answer: Mapping[str, Any] = await redis.info()
    of_a_cluster = "redis_version" not in answer and all(isinstance(part, dict) for part in answer.values())
    return [dict(part) for part in answer.values()] if of_a_cluster else [dict(answer)]


def symptoms(facts: Mapping[str, Any]) -> Iterator[Symptom]:
    """What of a server's facts isn't as nodes need it."""
    if (old := outdated(facts)) is not None:
        yield old
    if facts.get("maxmemory_policy", "noeviction") != "noeviction":
        problem = f"maxmemory-policy is {facts['maxmemory_policy']}: it drops sessions and parts of boards"
        yield Symptom("warning", problem, "set maxmemory-policy to noeviction")
    most, used = facts.get("maxmemory", 0), facts.get("used_memory", 0)
    if most and used > FULL * most:
        yield Symptom("error", f"{used / most:.0%} of maxmemory are in use", "raise maxmemory")
    yield from _kept(facts)
    yield from _replicated(facts)


def outdated(facts: Mapping[str, Any]) -> Symptom | None:
    """Whether it names a version, which is too old."""
    version = str(facts.get("redis_version", OLDEST))
    major = version.partition(".")[0]
    if not major.isdecimal() or int(major) >= int(OLDEST.partition(".")[0]):
        return None
    return Symptom("error", f"its version is {version}", NEWER)


def crowded(facts: Mapping[str, Any], per_node: int, nodes: int) -> Iterator[Symptom]:
    """Whether all nodes get the connections that they take; who has some now may be one of them."""
    most, needed = facts.get("maxclients"), nodes * per_node
    if most is None or most >= needed:
        return
    remedy = f"set maxclients to {needed + SPARE} or more"
    if most < per_node:
        yield Symptom("error", f"its maxclients is {most}, and a node takes up to {per_node} connections", remedy)
    else:
        problem = f"its maxclients is {most}, and {nodes} nodes take up to {needed} connections"
        yield Symptom("warning", problem, f"{remedy}, or run fewer nodes")


def missing(facts: Mapping[str, Any], per_node: int) -> str | None:
    """A sentence if one more node may not get all connections that it takes."""
    most = facts.get("maxclients")
    if most is None or (free := most - facts.get("connected_clients", 0)) >= per_node:
        return None
    return (
        f"Redis has {max(free, 0)} connections left, and a node takes up to {per_node}: "
        "raise maxclients there, or run fewer nodes"
    )


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


async def denied(redis: Redis) -> list[str] | None:
    """The commands of scripts that the user may not use; None where that can't be asked. Raises RedisError.

    Servers that are compatible with Redis may lack the function that tells.
    """
    names: list[Any] | None = await redis.eval(_TRY, 1, "gs:{doctor}", *COMMANDS.split())
    return None if names is None else [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def lacking(commands: Sequence[str] | None) -> Iterator[Symptom]:
    """What it means that the user may not use these, or that it can't be asked (None)."""
    if commands is None:
        problem = "it has no redis.acl_check_cmd, so what its user may do can't be asked"
        yield Symptom("warning", problem, "compare the user's rights with config/redis.acl")
    elif commands:
        problem = f"the user may not use {', '.join(commands)} on gs:*"
        yield Symptom("error", problem, "give it the rights of config/redis.acl")


def shown(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that operators see."""
    names = ("redis_version", "valkey_version", "redis_mode", "role", "maxmemory", "maxmemory_policy", "used_memory",
             "connected_slaves", "min_slaves_good_slaves")  # fmt: skip
    return {name: facts[name] for name in (*names, "aof_enabled", "connected_clients", "maxclients") if name in facts}
