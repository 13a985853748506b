"""Which of several readers caches a feed, and that none caches what was read before the feed was forgotten."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gameserver.app import Core
from gameserver.rules.player import Player
from gameserver.storage.social.feeds import LENGTH, Feeds
from gameserver.waiting import cancel_and_wait
from tests.support.deployment import enlist
from tests.support.wait import wait_until

Readers = Sequence[tuple[asyncio.Event, asyncio.Task[list[bytes]]]]


@asynccontextmanager
async def two_reading(feeds: Feeds, who: Player) -> AsyncIterator[Readers]:
    """Two readers of a feed who have begun to read the ledger, and go on once their gates are open."""
    read, begun = feeds._newest, list[asyncio.Event]()

    async def newest(player_id: int, version: int) -> Any:
        begun.append(gate := asyncio.Event())
        entries = await read(player_id, version)
        await gate.wait()
        return entries

    with pytest.MonkeyPatch.context() as held:
        held.setattr(feeds, "_newest", newest)
        readers = []
        try:
            for number in (1, 2):
                readers.append(asyncio.create_task(feeds.of(who.id, who.version, LENGTH)))
                await wait_until(lambda number=number: len(begun) == number, what="it reads the ledger")
            yield list(zip(begun, readers, strict=True))
        finally:
            await cancel_and_wait(readers)


async def is_cached(core: Core, who: Player) -> bool:
    return bool(await core.redis.commands.exists(f"gs:feed:{{{who.id}}}:json"))


@pytest.mark.parametrize("first", [0, 1])
async def test_of_readers_who_come_together_the_first_to_have_read_caches_the_feed(core: Core, first: int) -> None:
    who = await enlist(core)
    async with two_reading(core.rooms.social.feeds, who) as readers:
        gate, reader = readers[first]
        gate.set()
        assert len(await reader) == 1
        assert await is_cached(core, who)


async def test_what_was_read_before_a_feed_is_forgotten_isnt_cached_by_anybody(core: Core) -> None:
    who, feeds = await enlist(core), core.rooms.social.feeds
    async with two_reading(feeds, who) as readers:
        await feeds.forget(who.id)
        for gate, reader in readers:
            gate.set()
            await reader
        assert not await is_cached(core, who)
    await feeds.of(who.id, who.version, LENGTH)
    assert await is_cached(core, who)
