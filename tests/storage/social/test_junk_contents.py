"""Friends and feeds in Redis that can't be read are read from Postgres again, and cached again."""

import pytest

from gameserver.app import Core
from gameserver.storage.redis.scripts import Script
from gameserver.storage.social.feeds import FeedFillCall
from gameserver.storage.social.friends import FriendChange
from tests.support.deployment import enlist


@pytest.mark.parametrize("junk", [b"null", b"", b"-1", b"\xff", b"9" * 40, b"9" * 5000])
async def test_friends_that_arent_ids_are_read_again(core: Core, junk: bytes) -> None:
    redis, friends = core.redis.commands, core.rooms.social.friends
    who, friend = await enlist(core), await enlist(core)
    assert await friends.add(FriendChange(who.id, 0, friend.id))
    assert await friends.of(who.id) == [friend.id]
    key = f"gs:friends:{{{who.id}}}"
    cached = await redis.smembers(key)
    await redis.sadd(key, junk)
    assert await friends.of(who.id) == [friend.id]
    assert await redis.smembers(key) == cached


async def test_friends_without_the_player_itself_are_none_that_were_cached(core: Core) -> None:
    redis, friends = core.redis.commands, core.rooms.social.friends
    who, friend = await enlist(core), await enlist(core)
    await redis.sadd(f"gs:friends:{{{who.id}}}", friend.id)
    assert await friends.of(who.id) == []
    assert await redis.smembers(f"gs:friends:{{{who.id}}}") == {str(who.id).encode()}


@pytest.mark.parametrize("junk", [b"null", b"9" * 40 + b" {}", b"9" * 5000, b"\xff", b'7 {"other": 1}'])
async def test_a_feed_that_cant_be_read_is_cached_anew(core: Core, junk: bytes) -> None:
    redis, feeds = core.redis.commands, core.rooms.social.feeds
    who = await enlist(core)
    key = f"gs:feed:{{{who.id}}}:json"
    await redis.rpush(key, junk)
    assert await feeds.of(who.id, who.version, 10) == await feeds.of(who.id, who.version, 10)
    assert junk not in await redis.lrange(key, 0, -1)
    fill = Script(redis, "gameserver.storage.social", "feed_fill", FeedFillCall)
    leave = f"gs:feed:{{{who.id}}}:leave"
    assert await fill(FeedFillCall(key, leave, "another's", 60_000, who.version + 1, 0, [])) == 0
    await redis.set(leave, "a reader's", px=60_000)
    assert await fill(FeedFillCall(key, leave, "a reader's", 60_000, who.version + 1, 0, [])) == 1
