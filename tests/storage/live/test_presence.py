"""A node's lease: whoever let it end sends all of its players again, and no key outlives it."""

from redis.asyncio import Redis

from gameserver.storage.live import presence
from gameserver.storage.live.presence import PresenceBeatCall
from gameserver.storage.redis.scripts import Script

PLAYERS = "gs:{presence}:players:a node"


def beat_of(*, is_whole: bool) -> PresenceBeatCall:
    return PresenceBeatCall(
        nodes="gs:{presence}:nodes",
        players=PLAYERS,
        description="gs:{presence}:node:a node",
        name="a node",
        lease_ms=6000,
        described=b"{}",
        total=1,
        came="7",
        left="",
        is_whole=int(is_whole),
    )


async def test_a_node_without_a_lease_sends_all_its_players_again_though_redis_still_has_them(redis: Redis) -> None:
    beat = Script(redis, presence.__package__, "presence_beat", PresenceBeatCall)
    assert await beat(beat_of(is_whole=True)) == 1
    assert await beat(beat_of(is_whole=False)) == 1
    await redis.zadd("gs:{presence}:nodes", {"a node": 1})
    assert await beat(beat_of(is_whole=False)) == 0, "the lease has ended"
    await redis.zrem("gs:{presence}:nodes", "a node")
    assert await beat(beat_of(is_whole=False)) == 0, "another node has swept the ended lease"


async def test_a_player_who_joins_between_two_beats_leaves_no_key_without_an_end(redis: Redis) -> None:
    own = presence.Presence(redis, "a node", "127.0.0.1:1", "2026-01-01T00:00:00.000Z")
    assert await own.join(7)
    (key,) = [key async for key in redis.scan_iter("gs:{presence}*") if await redis.type(key) == b"set"]
    assert 0 < await redis.pttl(key) <= presence.LEASE_SECONDS * 1000
