"""Only sessions that haven't expired count against what a player may have."""

import asyncio
import time

from redis.asyncio import Redis

from gameserver.storage.sessions.store import UNKNOWN, SessionStore
from tests.support.wait import wait_until

PLAYER = 4096


async def test_sessions_that_have_expired_dont_end_an_older_one_that_is_used(redis: Redis) -> None:
    brief, long = (SessionStore(redis, (idle, 60), 2, time.time) for idle in (1, 30))

    async def ended_by(name: str) -> list[str]:
        stored = await brief.open(PLAYER, name, 0, UNKNOWN)
        assert stored is not None
        return stored[1]

    assert [await ended_by(name) for name in ("used", "idle")] == [[], []]
    await long.touch(PLAYER, "used")
    await asyncio.sleep(1.1)
    assert await ended_by("new") == []
    assert await ended_by("newest") == ["used"]


async def test_what_was_announced_is_deleted_with_its_name_in_the_list(redis: Redis) -> None:
    store = SessionStore(redis, (30, 60), 2, time.time)
    for name in ("first", "second", "third"):
        stored = await store.open(PLAYER, name, 0, UNKNOWN)
    assert stored is not None
    assert stored[1] == ["first"]
    store.delete_soon(PLAYER, stored[1])

    async def is_gone() -> bool:
        return [listed.name for listed in await store.listed(PLAYER)] == ["second", "third"]

    await wait_until(is_gone)
    assert (await store.open(PLAYER, "fourth", 0, UNKNOWN) or (None, None))[1] == ["second"]


async def test_the_list_of_sessions_outlives_all_of_them_though_new_ones_are_shorter(redis: Redis) -> None:
    long, brief = (SessionStore(redis, (longest, longest), 5, time.time) for longest in (3600, 60))
    for store, name in ((long, "before"), (brief, "since")):
        assert await store.open(PLAYER, name, 0, UNKNOWN) is not None
        assert await redis.pttl(f"gs:sessions:{{{PLAYER}}}") > 3_590_000
    assert await redis.pttl(f"gs:session:{{{PLAYER}}}:since") <= 60_000
