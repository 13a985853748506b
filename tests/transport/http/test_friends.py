"""Friends: added, removed, listed and ranked, bounded, and right whatever Redis loses."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gameserver.config.limits import PerSecond
from gameserver.config.sections import FriendSettings
from gameserver.config.settings import Settings
from gameserver.rules.errors import SessionRevoked
from gameserver.storage.social.friends import FriendChange
from tests.support.client import Answer, Api, Signed
from tests.support.nodes import InProcessNode, start_node
from tests.support.wait import wait_until
from tests.transport.doors import assert_problem, on_another_port


async def change(api: Api, who: Signed, friend: Signed | str, method: str = "PUT") -> Answer:
    friend_id = friend if isinstance(friend, str) else friend.id
    return await api.ask(method, f"/v1/players/me/friends/{friend_id}", token=who.token)


async def befriend(api: Api, who: Signed, *friends: Signed) -> None:
    for friend in friends:
        assert (await change(api, who, friend)).status == 204


async def listed(api: Api, who: Signed) -> list[str]:
    answer = await api.ask("GET", "/v1/players/me/friends", token=who.token)
    assert answer.status == 200, answer.body
    return [friend["id"] for friend in answer.body["friends"]]


def by_name(*players: Signed) -> list[str]:
    return [player.id for player in sorted(players, key=lambda player: player.name.lower())]


async def test_friends_are_added_once_and_taken_away(api: Api) -> None:
    who, *others = [await api.sign_up() for _ in range(4)]
    assert await listed(api, who) == []
    await befriend(api, who, *others, others[0])
    assert await listed(api, who) == by_name(*others)
    assert await listed(api, others[0]) == [], "friendship is one-sided"
    for _ in range(2):
        assert (await change(api, who, others[1], "DELETE")).status == 204
    assert await listed(api, who) == by_name(others[0], others[2])


async def test_no_player_befriends_itself_or_a_player_that_doesnt_exist(api: Api) -> None:
    who = await api.sign_up()
    assert_problem(await change(api, who, who), "bad_input")
    for nobody in ("1", str((1 << 63) - 1), str(int(who.id) + 1)):
        assert_problem(await change(api, who, nobody), "player_not_found", nobody)
        assert (await change(api, who, nobody, "DELETE")).status == 204
    for none in ("me", "0", "-1", "1.5", str(1 << 63), "9" * 30, "%C2%B2"):
        for method in ("PUT", "DELETE"):
            assert_problem(await change(api, who, none, method), "bad_input", none)
    assert await listed(api, who) == []


async def test_no_player_has_more_friends_than_the_settings_allow(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        few = settings.model_copy(update={"friends": FriendSettings(per_player=3)})
        api = await stack.enter_async_context(Api((await start_node(stack, few)).url))
        who, *others = [await api.sign_up() for _ in range(7)]
        results = await asyncio.gather(*(change(api, who, other) for other in others))
        assert sorted(result.status for result in results) == [204] * 3 + [409] * 3
        for result in results:
            if result.status == 409:
                assert_problem(result, "too_many_friends")
        kept = await listed(api, who)
        assert len(kept) == 3
        await befriend(api, who, *(other for other in others if other.id in kept))
        assert (await change(api, who, kept[0], "DELETE")).status == 204
        await befriend(api, who, next(other for other in others if other.id not in kept))


async def test_friends_that_deleted_themselves_make_room_for_others(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        few = settings.model_copy(update={"friends": FriendSettings(per_player=3)})
        api = await stack.enter_async_context(Api((await start_node(stack, few)).url))
        who, gone, friend, another, fourth = [await api.sign_up() for _ in range(5)]
        await befriend(api, who, gone, friend, another)
        assert (await api.ask("DELETE", "/v1/players/me", token=gone.token)).status == 204
        assert len(await listed(api, who)) == 2
        await befriend(api, who, fourth)
        assert await listed(api, who) == by_name(friend, another, fourth)
        assert_problem(await change(api, who, await api.sign_up()), "too_many_friends")


@pytest.mark.own_node
async def test_the_board_of_friends_has_the_player_and_its_friends_in_the_boards_order(api: Api) -> None:
    who, *others = [await api.sign_up() for _ in range(5)]
    for hunts, player in enumerate([*others, who]):
        for _ in range(hunts):
            assert (await api.act(player)).status == 200
    await befriend(api, who, others[0], others[2], others[3])

    async def are_ranked() -> bool:
        whole = (await api.ask("GET", "/v1/boards/exp")).body
        return whole.get("total") == 5 and [entry["score"] for entry in whole["entries"]] == await scores()

    async def scores() -> list[int]:
        players = [await api.ask("GET", f"/v1/players/{player.id}", token=who.token) for player in [*others, who]]
        return sorted((player.body["exp"] for player in players), reverse=True)

    await wait_until(are_ranked, what="the board has caught up")
    body = (await api.ask("GET", "/v1/boards/exp/friends", token=who.token)).body
    wanted = {player.id for player in (who, others[0], others[2], others[3])}
    whole = (await api.ask("GET", "/v1/boards/exp")).body["entries"]
    assert body["entries"] == [entry for entry in whole if entry["player"]["id"] in wanted]
    assert_problem(await api.ask("GET", "/v1/boards/nope/friends", token=who.token), "board_not_found")


async def test_friends_survive_a_redis_that_loses_everything(api: Api, node: InProcessNode) -> None:
    who, *others = [await api.sign_up() for _ in range(3)]
    await befriend(api, who, *others)
    assert await listed(api, who) == by_name(*others)
    await node.core.redis.commands.delete(*(await friends_keys(node)))
    assert await listed(api, who) == by_name(*others)
    assert await friends_keys(node) == [f"gs:friends:{{{who.id}}}".encode()], "it is there again for the next read"


async def friends_keys(node: InProcessNode) -> list[Any]:
    answer: list[Any] = await node.core.redis.commands.keys("gs:friends:*")
    return answer


async def test_friends_are_never_read_as_they_were_before_an_answered_change(settings: Settings) -> None:
    """Two nodes change and read at once; a read after an answered change sees that change."""
    wide = settings.limits.model_copy(update={"reads_per_player": PerSecond(per_second=10_000, burst=100_000)})
    settings = settings.model_copy(update={"limits": wide})
    async with AsyncExitStack() as stack:
        nodes = [await start_node(stack, node_settings) for node_settings in (settings, on_another_port(settings))]
        here, there = [await stack.enter_async_context(Api(node.url)) for node in nodes]
        who, friend = await here.sign_up(), await here.sign_up()
        done = asyncio.Event()

        async def keep_reading(api: Api) -> None:
            while not done.is_set():
                await listed(api, who)

        reading = [asyncio.create_task(keep_reading(client)) for client in (here, there, there)]
        for _ in range(15):
            assert (await change(here, who, friend)).status == 204
            assert await listed(there, who) == [friend.id]
            assert (await change(there, who, friend, "DELETE")).status == 204
            assert await listed(here, who) == []
        done.set()
        await asyncio.gather(*reading)


async def test_a_session_that_has_ended_changes_no_friends(api: Api, node: InProcessNode) -> None:
    """Also when this node hasn't heard that it ended."""
    who, friend, other = [await api.sign_up() for _ in range(3)]
    await befriend(api, who, friend)
    accounts, friends = node.core.rooms.accounts, node.core.rooms.social.friends
    await accounts.credentials.raise_session_epoch(int(who.id))
    with pytest.raises(SessionRevoked):
        await friends.add(FriendChange(int(who.id), 0, int(other.id)))
    with pytest.raises(SessionRevoked):
        await friends.remove(FriendChange(int(who.id), 0, int(friend.id)))
    assert await friends.of(int(who.id)) == [int(friend.id)]


async def test_a_deleted_player_is_nobodys_friend_and_has_no_friends(api: Api, node: InProcessNode) -> None:
    who, gone, kept = [await api.sign_up() for _ in range(3)]
    await befriend(api, who, gone, kept)
    await befriend(api, gone, who)
    assert (await api.ask("DELETE", "/v1/players/me", token=gone.token)).status == 204
    assert await listed(api, who) == [kept.id]
    assert (await change(api, who, gone, "DELETE")).status == 204
    assert await node.core.rooms.social.friends.of(int(gone.id)) == []
