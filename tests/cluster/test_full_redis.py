"""Redis is out of memory: what needs no lasting keys there goes on, also on a node that was started just now."""

from contextlib import AsyncExitStack
from pathlib import Path

from gameserver.config.settings import Settings
from tests.support.client import ADMIN_KEY, Api
from tests.support.devices import device_of
from tests.support.nodes import start_node
from tests.support.redis_kinds import alone
from tests.support.redis_play import act_or_revive, play, played
from tests.support.wait import wait_until
from tests.transport.doors import on_another_port

READS = ("", "/ledger", "/inbox", "/feed", "/friends", "/items", "/blocks", "/devices")


async def test_a_player_plays_on_while_redis_is_full_also_on_a_node_that_didnt_know_its_session(
    settings: Settings, tmp_path: Path
) -> None:
    async with alone(tmp_path) as redis, AsyncExitStack() as stack:
        all_of = await played(stack, settings, redis)
        player, friend = await play(all_of), await all_of.api.sign_up()
        await redis.servers[0].ask("CONFIG", "SET", "maxmemory", 1)
        started = await start_node(stack, on_another_port(all_of.node.core.settings))
        for api in (all_of.api, await stack.enter_async_context(Api(started.url))):
            paths = [*(f"/v1/players/me{path}" for path in READS), "/v1/sessions", "/v1/boards/exp/friends"]
            answers = {path: await api.ask("GET", path, token=player.token) for path in paths}
            assert {path: answer.status for path, answer in answers.items()} == dict.fromkeys(paths, 200)
            for method in ("PUT", "DELETE"):
                path = f"/v1/players/me/friends/{friend.id}"
                assert (await api.ask(method, path, token=player.token)).status == 204
            await act_or_revive(api, player)
            assert (await (await api.socket(player.token)).ask("read"))["ok"]["player"]["id"] == player.id
            newcomer = {"name": "Somebody New", "class": "mage", "device": device_of("somebody new")}
            for path, body in (("/v1/sessions", {"device": player.device}), ("/v1/players", newcomer)):
                refused = await api.ask("POST", path, body=body)
                assert (refused.status, refused.code) == (503, "sessions_unavailable")
                assert int(refused.headers["Retry-After"]) >= 1


async def test_players_sign_out_and_are_banned_and_deleted_while_redis_is_full(
    settings: Settings, tmp_path: Path
) -> None:
    async with alone(tmp_path) as redis, AsyncExitStack() as stack:
        all_of = await played(stack, settings, redis)
        api, other = all_of.api, await start_node(stack, on_another_port(all_of.node.core.settings))
        elsewhere = await stack.enter_async_context(Api(other.url))
        players = [await api.sign_up() for _ in range(5)]
        by_itself, everywhere, by_id, banned, deleted = players
        again = await api.ask("POST", "/v1/sessions", body={"device": by_id.device})
        (listed,) = [
            each["id"]
            for each in (await api.ask("GET", "/v1/sessions", token=by_id.token)).body["sessions"]
            if not each["current"]
        ]
        for player in players:
            assert (await elsewhere.ask("GET", "/v1/players/me", token=player.token)).status == 200
        await redis.servers[0].ask("CONFIG", "SET", "maxmemory", 1)
        asked = [
            await api.ask("DELETE", "/v1/sessions/current", token=by_itself.token),
            await api.ask("DELETE", "/v1/sessions", token=everywhere.token),
            await api.ask("DELETE", f"/v1/sessions/{listed}", token=by_id.token),
            await api.ask("DELETE", "/v1/players/me", token=deleted.token),
            await api.ask("POST", f"/admin/v1/players/{banned.id}/ban", token=ADMIN_KEY, body={"reason": "cheated"}),
        ]
        assert [answer.status for answer in asked] == [204, 204, 204, 204, 200]
        ended = [by_itself.token, everywhere.token, deleted.token, banned.token, again.body["session"]["token"]]

        async def are_out() -> bool:
            answers = [await elsewhere.ask("GET", "/v1/players/me", token=token) for token in ended]
            return [answer.status for answer in answers] == [401] * len(ended)

        await wait_until(are_out, what="the other node knows")
        assert (await elsewhere.ask("GET", "/v1/players/me", token=by_id.token)).status == 200
