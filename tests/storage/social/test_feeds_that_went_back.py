"""Feeds in Redis after their player's database went back: nothing that was undone, and all that came since."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.rules.player import Player
from gameserver.storage.ids import slot_of
from gameserver.storage.redis.scripts import Script
from gameserver.storage.social.feeds import LENGTH, FeedAddCall
from tests.support.client import command_id
from tests.support.deployment import act, connected, enlist, with_actions


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    return with_actions(settings, tmp_path, score="tests.storage.seasons.scoring_actions:score")


async def score(core: Core, who: Player, exp: int = 1) -> Player:
    return (await act(core, who.id, "score", exp=exp)).player


async def gains(core: Core, who: Player) -> list[tuple[int, str]]:
    """The versions and command ids in the player's feed."""
    entries = [orjson.loads(entry) for entry in await core.rooms.social.feeds.of(who.id, who.version, LENGTH)]
    return [(entry["version"], entry["command_id"]) for entry in entries]


async def go_back(core: Core, who: Player) -> None:
    """To what the player was then."""
    async with connected(core.slots.owner("players", slot_of(who.id)).url) as connection:
        of = slot_of(who.id), who.id, who.version
        await connection.execute("delete from ledger where slot = $1 and player_id = $2 and version > $3", *of)
        await connection.execute("update players set version = $3 where slot = $1 and id = $2", *of)


def key_of(who: Player) -> str:
    return f"gs:feed:{{{who.id}}}:json"


async def test_what_was_undone_is_in_no_feed_and_what_is_done_since_is(core: Core) -> None:
    who = await score(core, await enlist(core))
    before, then = await gains(core, who), who
    for _ in range(3):
        who = await score(core, who)
    assert len(await gains(core, who)) == 5
    await go_back(core, then)
    assert await gains(core, then) == before
    head: Any = await core.redis.commands.lindex(key_of(who), 0)
    assert head.startswith(b"2 "), "the list that was ahead is replaced"
    now = await score(core, then)
    assert [version for version, _ in await gains(core, now)] == [3, 2, 1]


async def test_a_list_with_another_command_at_the_version_of_a_new_one_is_dropped(core: Core) -> None:
    who = await enlist(core)
    for _ in range(3):
        who = await score(core, who)
    cached, redis = await gains(core, who), core.redis.commands
    add = Script(redis, "gameserver.storage.social", "feed_add", FeedAddCall)

    def call(version: int, key: str) -> FeedAddCall:
        text = f'{version} {{"version":{version},"command_id":"{key}"}}'
        return FeedAddCall(key_of(who), version, text.encode(), LENGTH)

    for version, key in cached:
        assert await add(call(version, key)) == 0, "a reader of the ledger had it first"
        assert await redis.exists(key_of(who))
    assert await add(call(3, command_id())) == 0
    assert not await redis.exists(key_of(who))


@pytest.mark.parametrize(("version", "lives_on"), [(1, True), (2, False)])
async def test_a_list_lives_longer_only_by_reads_that_it_answers(core: Core, version: int, *, lives_on: bool) -> None:
    who, redis = await enlist(core), core.redis.commands
    assert len(await gains(core, who)) == 1
    await redis.pexpire(key_of(who), 60_000)
    await core.rooms.social.feeds._cached(who.id, version, LENGTH)
    assert (await redis.pttl(key_of(who)) > 60_000) == lives_on
