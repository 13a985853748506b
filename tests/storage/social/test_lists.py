"""Changes of friends and blocks that come together share a transaction, and each list keeps its bound."""

import asyncio

import pytest

from gameserver.app import Core
from gameserver.rules.errors import PlayerNotFound, SessionRevoked, TooManyBlocks, TooManyFriends
from gameserver.storage.ids import slot_of
from gameserver.storage.social.blocks import BlockChange
from gameserver.storage.social.friends import FriendChange
from gameserver.storage.social.lists import ListChange, ListFull
from tests.support.deployment import connected, enlist


async def test_changes_that_come_together_are_each_answered_for_themselves(core: Core) -> None:
    ids = [(await enlist(core)).id for _ in range(4)]
    lists = core.rooms.social.lists
    await lists.change(ListChange("friends", ids[3], 0, ids[0], 1))
    wanted = [
        ListChange("friends", ids[0], 0, ids[1], 5),
        ListChange("blocks", ids[1], 0, ids[0], 5),
        ListChange("blocks", ids[2], -1, ids[0], 5),
        ListChange("friends", ids[3], 0, ids[1], 1),
        ListChange("friends", 7, 0, ids[1], 5),
    ]
    outcomes = await asyncio.gather(*map(lists.change, wanted), return_exceptions=True)
    assert outcomes[:2] == [True, True]
    assert [type(outcome) for outcome in outcomes[2:]] == [SessionRevoked, ListFull, PlayerNotFound]
    assert await core.rooms.social.friends.of(ids[0]) == [ids[1]]
    assert [block.blocked_id for block in await core.rooms.social.blocks.of(ids[1])] == [ids[0]]
    assert await core.rooms.social.blocks.of(ids[2]) == []
    assert await core.rooms.social.friends.of(ids[3]) == [ids[0]]
    gone = await asyncio.gather(*(lists.change(change._replace(most=None)) for change in wanted[:2]))
    assert gone == [True, True]
    assert await core.rooms.social.friends.of(ids[0]) == [ids[1]], "Redis wasn't told: that is the work of `friends`"
    assert await core.rooms.social.blocks.of(ids[1]) == []


async def test_however_changes_of_one_list_race_it_never_has_more_than_it_may(core: Core, second: Core) -> None:
    ann = (await enlist(core)).id
    for node in (core, second):
        node.rooms.social.friends.most = node.rooms.social.blocks.most = 3
    befriend = [
        node.rooms.social.friends.add(FriendChange(ann, 0, other)) for node in (core, second) for other in range(4)
    ]
    block = [node.rooms.social.blocks.add(BlockChange(ann, 0, other)) for node in (core, second) for other in range(4)]
    outcomes = await asyncio.gather(*befriend, *block, return_exceptions=True)
    faults = {type(outcome) for outcome in outcomes if isinstance(outcome, Exception)}
    assert faults == {TooManyFriends, TooManyBlocks}
    assert len(await core.rooms.social.friends.of(ann)) == len(await second.rooms.social.blocks.of(ann)) == 3


async def test_a_player_that_is_locked_elsewhere_holds_up_no_others_list(core: Core) -> None:
    ids = [(await enlist(core, database="one")).id for _ in range(3)]
    lists = core.rooms.social.lists
    async with connected(core.slots.owner("players", slot_of(ids[0])).url) as connection:
        async with connection.transaction():
            await connection.execute("select from players where id = $1 for no key update", ids[0])
            waiting = asyncio.create_task(lists.change(ListChange("friends", ids[0], 0, 1, 5)))
            assert await asyncio.gather(*(lists.change(ListChange("friends", id_, 0, 1, 5)) for id_ in ids[1:]))
            assert not waiting.done()
        assert await waiting
    with pytest.raises(PlayerNotFound):
        await lists.change(ListChange("friends", (1 << 63) - 1, 0, 1, 5))
