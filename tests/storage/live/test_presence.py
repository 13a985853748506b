"""A node's lease: whoever let it end sends all of its players again, and no key outlives it."""

import asyncio
from collections.abc import Collection, Sequence
from functools import partial

import pytest
from redis.asyncio import Redis

from gameserver.storage.live import presence
from gameserver.storage.live.presence import CHANGED, KEPT, Presence, PresenceBeatCall
from gameserver.storage.redis import clients
from gameserver.storage.redis.scripts import Script
from tests.support.redis_past import Past, go_back, remembered

PLAYERS = "gs:{presence}:players:a node"


def beat_of(*, is_whole: bool) -> PresenceBeatCall:
    return PresenceBeatCall(
        nodes="gs:{presence}:nodes",
        players=PLAYERS,
        description="gs:{presence}:node:a node",
        name="a node",
        lease_ms=6000,
        described=b'{"beat":1}',
        before=0 if is_whole else 1,
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


class Faulty:
    """Calls of a node's beat, of which those with these numbers lose their answer, or don't arrive."""

    def __init__(self, own: Presence, lost: Collection[int], *, arrives: bool) -> None:
        self._send, self._lost, self._arrives = own._beat, lost, arrives
        self.calls = list[PresenceBeatCall]()

    async def __call__(self, call: PresenceBeatCall) -> object:
        self.calls.append(call)
        if (is_lost := len(self.calls) in self._lost) and not self._arrives:
            raise TimeoutError
        answer = await self._send(call)
        if is_lost:
            raise TimeoutError
        return answer


@pytest.mark.parametrize("arrives", [True, False], ids=["the answer", "the call"])
@pytest.mark.parametrize("lost", [[2], [2, 3]], ids=["once", "twice"])
async def test_a_beat_that_was_lost_is_followed_by_the_difference_and_no_gap(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, lost: Sequence[int], *, arrives: bool
) -> None:
    own = Presence(redis, "a node", "127.0.0.1:1", "2026-01-01T00:00:00.000Z")
    beat = Faulty(own, lost, arrives=arrives)
    monkeypatch.setattr(own, "_beat", beat)
    for players in ({1, 2, 9}, {2, 3, 9}, {1, 4, 9}, {1, 4, 9}):
        await own._update(players, partial(set, players), len(players))
    assert [bool(call.before) for call in beat.calls] == [False, True, True, True]
    assert not any("9" in call.came + call.left for call in beat.calls[1:])
    (key,) = [key async for key in redis.scan_iter("gs:{presence}:players:*")]
    assert await redis.smembers(key) == {b"1", b"4", b"9"}
    assert not own._gap


@pytest.mark.parametrize("is_whole", [True, False])
async def test_a_lost_answer_hides_no_redis_that_went_back(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, *, is_whole: bool
) -> None:
    own = Presence(redis, "a node", "127.0.0.1:1", "2026-01-01T00:00:00.000Z")
    monkeypatch.setattr(own, "_beat", Faulty(own, [1 if is_whole else 3], arrives=True))
    past: Past = {}
    for players in ({1, 2}, {1, 3}, {1, 4}, {1, 5}):
        await own._update(players, partial(set, players), 2)
        past = past or await remembered(redis)
    assert own._gap == is_whole, "a whole beat that was lost is sent again"
    await go_back(redis, past)
    assert await own._update({1, 5}, lambda: {1, 5}, 2)
    (key,) = [key async for key in redis.scan_iter("gs:{presence}:players:*")]
    assert (await redis.smembers(key), own._gap) == ({b"1", b"5"}, True)


async def test_a_player_whose_joining_was_lost_is_read_again_once_it_is_there_and_nobody_else(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Presence(redis, "a node", "127.0.0.1:1", "2026-01-01T00:00:00.000Z")
    assert await own._update({1, 2}, lambda: (), 2)
    with monkeypatch.context() as broken:
        broken.setattr(clients, "send_all", lost_call)
        assert [await own.join(player) for player in (7, 8)] == [False, False]
    heard = own.hear()
    assert await anext(heard) is None, "the beginning"
    assert await own._update({1, 2, 7}, lambda: (), 3)
    async with asyncio.timeout(5):
        messages = [await anext(heard), await anext(heard)]
    assert [(each.kind, list(each.numbers)) for each in messages if each] == [(CHANGED, [7]), (KEPT, [7])]
    assert messages[0] is not None
    assert messages[0].numbers[7] > 1 << 53, "later than any state that was shown"


async def lost_call(*_: object) -> list[object]:
    raise TimeoutError
