"""The guard over the cached friends when Redis evicts it in the middle of a change."""

from gameserver.app import Core
from gameserver.storage.redis.scripts import Script
from gameserver.storage.social.friends import (
    LEAVE,
    FriendsFillCall,
    FriendsGuardCall,
    FriendsReadCall,
)


async def test_a_leave_that_was_given_since_the_guard_was_evicted_ends_with_the_change(core: Core) -> None:
    redis, keys, room = core.redis.commands, ("gs:friends:{7}", "gs:friends:{7}:guard"), "gameserver.storage.social"
    guard = Script(redis, room, "friends_guard", FriendsGuardCall)
    read = Script(redis, room, "friends_read", FriendsReadCall)
    fill = Script(redis, room, "friends_fill", FriendsFillCall)
    for is_evicted in (False, True):
        await guard(FriendsGuardCall(*keys, "a change", 5000, LEAVE))
        if is_evicted:
            await redis.delete(keys[1])
        leave = f"{LEAVE}a reader"
        assert await read(FriendsReadCall(*keys, leave, 5000)) == [0, leave.encode() if is_evicted else b""]
        await guard(FriendsGuardCall(*keys, "a change", "", LEAVE))
        assert await fill(FriendsFillCall(*keys, leave, 5000, [7, 8])) == 0
    # Another change's guard stays.
    await guard(FriendsGuardCall(*keys, "another change", 5000, LEAVE))
    await guard(FriendsGuardCall(*keys, "a change", "", LEAVE))
    assert await redis.get(keys[1]) == b"another change"
