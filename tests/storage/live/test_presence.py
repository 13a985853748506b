"""A node's lease: whoever let it end sends all of its players again, and no key outlives it."""

from functools import partial

import pytest
from redis.asyncio import Redis

from gameserver.storage.live import presence
from gameserver.storage.live.presence import Presence, PresenceBeatCall
from gameserver.storage.redis.scripts import Script
from tests.support.redis_past import go_back, remembered

PLAYERS = "gs:{presence}:players:a node"


def beat_of(*, is_whole: bool) -> PresenceBeatCall:
    return PresenceBeatCall(
        nodes="gs:{presence}:nodes",
        players=PLAYERS,
        description="gs:{presence}:node:a node",
        name="a node",
        lease_ms=6000,
        described=b"{}",
        before=b"" if is_whole else b"{}",
        unsure=b"",
        total=1,
        came="7",
        left="",
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


@pytest.mark.parametrize("now", [{1, 3}, {1}, {1, 2, 3}], ids=["as many", "fewer", "more"])
async def test_a_node_sends_all_its_players_again_when_redis_has_lost_a_beat(redis: Redis, now: set[int]) -> None:
    own = Presence(redis, "a node", "127.0.0.1:1", "2026-01-01T00:00:00.000Z")

    async def beat(players: set[int]) -> None:
        assert await own._update(players, lambda: players, len(players))

    await beat({1, 2})
    past = await remembered(redis)
    await beat(now)
    await go_back(redis, past)
    await beat(now)
    (key,) = [key async for key in redis.scan_iter("gs:{presence}:players:*")]
    assert await redis.smembers(key) == {b"%d" % player for player in now}
    heard = own.hear()
    await anext(heard)
    assert await anext(heard) is None, "what was announced meanwhile is read again"


@pytest.mark.parametrize(("lost", "whole"), [({2}, []), ({2, 3}, [3])], ids=["one", "two"])
@pytest.mark.parametrize("arrives", [True, False])
async def test_after_one_lost_answer_the_next_beat_goes_on_and_after_two_it_is_whole(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, lost: set[int], whole: list[int], arrives: bool
) -> None:
    """One is what a Redis that stands still for a moment costs every node at once."""
    own = Presence(redis, "a node", "127.0.0.1:1", "2026-01-01T00:00:00.000Z")
    calls, send = list[PresenceBeatCall](), own._beat

    async def sent(call: PresenceBeatCall) -> object:
        calls.append(call)
        is_lost = len(calls) in lost
        answer = await send(call) if arrives or not is_lost else None
        if is_lost:
            raise TimeoutError
        return answer

    monkeypatch.setattr(own, "_beat", sent)
    steps = [{1, 2}, {1, 3}, {3, 4}, {4, 5}]
    for players in steps:
        await own._update(players, partial(set, players), len(players))
    assert [number for number, call in enumerate(calls) if number and not call.before] == whole
    assert own._gap == bool(whole)
    (key,) = [key async for key in redis.scan_iter("gs:{presence}:players:*")]
    assert await redis.smembers(key) == {b"4", b"5"}
