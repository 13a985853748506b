"""Redis is killed, loses everything, or returns with older data: play goes on, and no ended session is revived."""

import shutil
from contextlib import AsyncExitStack
from pathlib import Path

from gameserver.config.settings import Settings
from tests.support.client import Api, Signed
from tests.support.nodes import start_node
from tests.support.redis_kinds import Server, alone
from tests.support.redis_play import play, played, playing, until_back, until_open, until_ranked
from tests.transport.doors import closing_of, on_another_port
from tests.transport.http.test_sessions import again, refused

FILES = "appendonlydir"


async def on_disk(server: Server) -> None:
    assert (await server.ask("WAITAOF", 1, 0, 5000))[0] == 1


async def test_a_kill_of_redis_interrupts_no_play_and_its_restart_keeps_the_sessions(
    settings: Settings, tmp_path: Path
) -> None:
    async with alone(tmp_path) as redis, AsyncExitStack() as stack:
        all_of = await played(stack, settings, redis)
        api, (server,) = all_of.api, redis.servers
        player = await play(all_of)
        await on_disk(server)
        async with playing(api, player):
            server.kill()
            for path in ("/v1/boards/exp", "/v1/boards/exp/friends"):
                answer = await api.ask("GET", path, token=player.token)
                assert (answer.status, answer.code) == (503, "board_unavailable")
                assert int(answer.headers["Retry-After"]) >= 1
            for path, key in (("feed", "entries"), ("friends", "friends")):
                assert (await api.ask("GET", f"/v1/players/me/{path}", token=player.token)).body[key], "from Postgres"
            answer = await api.ask("POST", "/v1/sessions", body={"device": player.device})
            assert (answer.status, answer.code) == (503, "sessions_unavailable")
            friends = (await api.ask("GET", "/v1/players/me/friends", token=player.token)).body["friends"]
            answer = await api.ask("DELETE", f"/v1/players/me/friends/{friends[0]['id']}", token=player.token)
            assert (answer.status, answer.code) == (503, "friends_unavailable")
            await server.start()
            await until_open(api, player)
        await until_back(api, player)


async def test_an_older_redis_revives_no_session_that_has_ended(settings: Settings, tmp_path: Path) -> None:
    async with alone(tmp_path) as redis, AsyncExitStack() as stack:
        all_of = await played(stack, settings, redis)
        api, (server,) = all_of.api, redis.servers
        stays, renews, leaves, banned = [await api.sign_up() for _ in range(4)]
        ended = [session for player in (renews, leaves, banned) for session in (player, await again(api, player))]
        await until_ranked(api, stays, renews, leaves, banned)
        await on_disk(server)
        shutil.copytree(server.folder / FILES, tmp_path / "older")

        changed = await api.ask("POST", "/v1/players/me/password", token=renews.token, body={"new": "a-password"})
        fresh = Signed(renews.id, renews.name, renews.device, changed.body["session"]["token"])
        assert (await api.ask("DELETE", "/v1/sessions", token=leaves.token)).status == 204
        await all_of.node.core.rooms.accounts.credentials.raise_session_epoch(int(banned.id))
        await all_of.node.core.rooms.sessions.revoke_all(int(banned.id))
        for _ in range(3):
            assert (await api.act(stays)).status == (await api.act(fresh)).status == 200
        server.kill()
        shutil.rmtree(server.folder / FILES)
        shutil.copytree(tmp_path / "older", server.folder / FILES)
        await server.start()

        await until_open(api, stays)
        later = await start_node(stack, on_another_port(all_of.node.core.settings))
        for door in (api, await stack.enter_async_context(Api(later.url))):
            for session in ended:
                assert await refused(door, session) <= {"session_revoked", "not_authenticated"}
            assert (await door.act(stays)).status == 200
        await until_ranked(api, stays, *[await again(api, player) for player in (renews, leaves, banned)])


async def test_who_plays_when_redis_loses_everything_signs_in_again(settings: Settings, tmp_path: Path) -> None:
    async with alone(tmp_path) as redis, AsyncExitStack() as stack:
        all_of = await played(stack, settings, redis)
        api, (server,) = all_of.api, redis.servers
        player = await play(all_of)
        connection = (await api.socket(player.token)).connection
        server.kill()
        shutil.rmtree(server.folder / FILES)
        await server.start()
        while (code := (await closing_of(connection))[1]) is None:
            pass
        assert code == 4409
        await until_open(api, player)
        await until_back(api, await again(api, player))
