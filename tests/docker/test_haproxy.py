"""haproxy.cfg with HAProxy and two real nodes: players play over both doors, also while nodes come and go."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
from aiohttp import WSMsgType

from gameserver.config.settings import Settings
from gameserver.stack.processes.ports import free_port
from gameserver.stack.servers import haproxy_config
from gameserver.stack.servers.node import NodeProcess
from tests.docker import files, front
from tests.docker.front import DockerFront
from tests.support.client import ADMIN_KEY, Api, Signed, command_id
from tests.support.nodes import node_process, start_node
from tests.support.wait import wait_until


@dataclass
class Deployment:
    nodes: list[NodeProcess]
    front: DockerFront


@asynccontextmanager
async def deployed(settings: Settings, folder: Path, quick: Mapping[str, str] = {}) -> AsyncIterator[Deployment]:
    front.require_haproxy()
    nodes = [node_process(settings, folder, f"node-{number}") for number in (1, 2)]
    try:
        await asyncio.gather(*(node.start() for node in nodes))
        async with front.running(folder, [node.port for node in nodes], quick) as found:
            yield Deployment(nodes, found)
    finally:
        await asyncio.gather(*(node.stop() for node in nodes))


@pytest.fixture
async def found(settings: Settings, tmp_path: Path) -> AsyncIterator[DockerFront]:
    """HAProxy before two nodes in this process, which nobody can kill."""
    front.require_haproxy()
    ports = [free_port(), free_port()]
    async with AsyncExitStack() as stack:
        for port in ports:
            own = settings.model_copy(update={"node": settings.node.model_copy(update={"port": port})})
            await start_node(stack, own)
        yield await stack.enter_async_context(front.running(tmp_path, ports))


def test_the_configuration_is_what_the_settings_ask_for() -> None:
    settings = files.settings()
    assert haproxy_config.render(settings, haproxy_config.first_places(settings)) == files.HAPROXY.read_text("utf-8")


def test_haproxy_accepts_the_configuration() -> None:
    program = front.require_haproxy()
    checked = subprocess.run([program, "-c", "-f", files.HAPROXY], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr


async def test_players_play_over_both_doors_and_on_both_nodes(found: DockerFront) -> None:
    async with Api(found.url()) as api:
        who = await api.sign_up()
        socket = await api.socket(who.token)
        for _ in range(4):
            acted = await api.act(who, action="hunt")
            assert acted.status == 200
            assert (await socket.ask("read"))["ok"]["player"] == acted.body["player"]
    for node in ("node-1", "node-2"):
        assert await found.server_metric("haproxy_server_http_responses_total", node, 'code="2xx"') > 0


async def test_only_the_game_is_open_to_players(found: DockerFront) -> None:
    key = {"Authorization": f"Bearer {ADMIN_KEY}"}
    kept = ["/admin/v1/stats", "/metrics", "/live", "//admin/v1/stats", "/%61dmin/v1/stats", "/v1/../admin/v1/stats",
            "/v1/%2e%2e/admin/v1/stats", "/v1/..%2fmetrics"]  # fmt: skip
    for path in kept:
        response, told = await found.ask(path, headers=key)
        assert (response.status, orjson.loads(told)["code"]) == (404, "not_found"), path
        assert orjson.loads(told)["request_id"] == response.headers["X-Request-Id"]
    assert (await found.ask("/openapi.json"))[0].status == 200
    asked, told = await found.ask("/admin/v1/stats", door="operators")
    assert (asked.status, orjson.loads(told)["code"]) == (401, "not_authenticated")


async def test_players_notice_nothing_of_nodes_that_are_killed_or_told_to_stop(
    settings: Settings, tmp_path: Path
) -> None:
    async with deployed(settings, tmp_path, front.QUICK) as deployment, Api(deployment.front.url()) as api:
        one, two = deployment.nodes
        state_is = deployment.front.state_is
        players = [await api.sign_up() for _ in range(6)]
        over = asyncio.Event()
        playing = [asyncio.create_task(play(api, who, over)) for who in players]
        await asyncio.sleep(0.3)
        one.kill()
        await wait_until(lambda: state_is("node-1", "DOWN"), what="HAProxy has given up the killed node")
        await one.start()
        await wait_until(lambda: state_is("node-1", "UP"), what="HAProxy has the node again")
        await two.stop()
        over.set()
        for answered in await asyncio.gather(*playing):
            assert set(answered) <= {200, 409}
            assert len(answered) > 2
        one.kill()
        response, told = await deployment.front.ask("/v1/classes")
        assert (response.status, orjson.loads(told)["code"]) == (503, "unavailable")
        assert response.headers["Retry-After"] == "1"
        assert response.headers["Content-Type"] == "application/problem+json"


async def play(api: Api, who: Signed, over: asyncio.Event) -> list[int]:
    """The status of every answer that a player got; 409 is a rule's no."""
    answered = []
    while not over.is_set():
        answered.append((await api.act(who, key=command_id())).status)
    return answered


async def test_the_sockets_of_a_node_that_froze_are_cut_and_the_others_live_on(
    settings: Settings, tmp_path: Path
) -> None:
    async with deployed(settings, tmp_path, front.QUICK) as deployment, Api(deployment.front.url()) as api:
        who = await api.sign_up()
        sockets = [await api.socket(who.token) for _ in range(2)]
        pid = deployment.nodes[0].process.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            ends = [asyncio.create_task(each.connection.receive()) for each in sockets]
            done, living = await asyncio.wait(ends, timeout=10, return_when=asyncio.FIRST_COMPLETED)
            assert [task.result().type for task in done] == [WSMsgType.CLOSED]
            assert len(living) == 1
            going_on = living.pop()
            going_on.cancel()
            await asyncio.wait([going_on])
            assert "ok" in await sockets[ends.index(going_on)].ask("ping")
            assert "ok" in await (await api.socket(who.token)).ask("read")
        finally:
            os.kill(pid, signal.SIGCONT)


async def test_pages_of_the_settings_origins_read_haproxys_own_answers_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = files.settings()
    node = section.node.model_copy(update={"origins": ("https://game.example", "https://*.itch.zone")})
    monkeypatch.setattr(files, "settings", lambda: section.model_copy(update={"node": node}))
    async with front.running(tmp_path, [free_port(), free_port()], wait=False) as listening:
        preflight = {"Access-Control-Request-Method": "POST"}
        for origin, admitted in (
            ("https://game.example", True),
            ("https://a.itch.zone", True),
            ("https://itch.zone", False),
            ("https://gameXexample", False),
        ):
            for path, status in (("/v1/classes", 503), ("/nope", 404)):
                response, _ = await listening.ask(path, headers={"Origin": origin})
                assert response.status == status
                assert response.headers["Access-Control-Allow-Origin"] == (origin if admitted else None)
            response, _ = await listening.ask("/v1/players", "OPTIONS", headers={"Origin": origin, **preflight})
            assert (response.status == 204) == admitted, "also while no node is ready"
            if admitted:
                assert "POST" in response.headers["Access-Control-Allow-Methods"]


async def test_haproxys_own_answers_carry_the_requests_id_and_are_stored_by_nobody(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section, origin = files.settings(), "https://game.example"
    node = section.node.model_copy(update={"origins": (origin,)})
    monkeypatch.setattr(files, "settings", lambda: section.model_copy(update={"node": node}))
    preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    wanted = [("/ready", "GET", 200), ("/nope", "GET", 404), ("/v1/players", "OPTIONS", 204), ("/v1/me", "GET", 404)]
    async with AsyncExitStack() as stack:
        port = free_port()
        own = settings.model_copy(update={"node": settings.node.model_copy(update={"port": port})})
        await start_node(stack, own)
        ready = await stack.enter_async_context(front.running(tmp_path, [port, free_port()]))
        (tmp_path / "alone").mkdir()
        without = front.running(tmp_path / "alone", [free_port(), free_port()], wait=False)
        alone = await stack.enter_async_context(without)
        for asked, paths in ((ready, wanted), (alone, [("/v1/me", "GET", 503)])):
            for path, method, status in paths:
                response, _ = await asked.ask(path, method, headers={"X-Request-Id": "mine", **preflight})
                assert response.status == status, path
                assert response.headers.get_all("X-Request-Id") == ["mine"], path
                assert response.headers.get_all("Cache-Control") == ["no-store"], path


async def test_a_socket_whose_path_is_spelt_otherwise_is_a_socket_for_haproxy(found: DockerFront) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    for path in ("/v1/socket", "/v1/%73ocket", "/v1/%73%6f%63ket", "/%76%31/socket"):
        response, _ = await found.ask(path, headers=upgrade)
        assert response.status in (101, 404), path
    _, metrics = await found.ask("/metrics", door="operators")
    played = [line for line in metrics.decode().splitlines() if 'proxy="play"' in line and 'code="1xx"' in line]
    assert played
    assert all(line.endswith(" 0") for line in played), "no socket went over the backend of requests"
