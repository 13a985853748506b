"""HAProxy as a child: its configuration is valid, it serves TLS, and what prevents a start is named."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector

from gameserver.config.deployment import HAProxySettings
from gameserver.config.settings import Settings
from gameserver.stack.errors import StackError
from gameserver.stack.processes.ports import free_port
from gameserver.stack.servers.haproxy import HAProxyServer
from gameserver.stack.servers.haproxy_api import is_up
from gameserver.stack.servers.haproxy_config import HAProxyPlace, first_places, render
from tests.docker.front import require_haproxy
from tests.support.nodes import start_node
from tests.support.wait import wait_until


def behind(settings: Settings, **section: Any) -> Settings:
    """The settings with a [haproxy] on free ports."""
    given = HAProxySettings(**{"port": free_port(), "operators_port": free_port(), "connections": 100, **section})
    return settings.model_copy(update={"haproxy": given})


def child(settings: Settings, folder: Path, places: list[HAProxyPlace] | None = None) -> HAProxyServer:
    assert settings.haproxy is not None
    return HAProxyServer(
        section=settings.haproxy,
        certificate=settings.certificate,
        configuration=lambda: render(settings, places if places is not None else first_places(settings)),
        run=folder,
        log=folder / "haproxy.log",
        stop_seconds=5,
    )


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed one for localhost, in a file whose name needs quoting."""
    key, made = tmp_path / "key.pem", tmp_path / "made.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
               "-keyout", str(key), "-out", str(made)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    both = tmp_path / "it's a #1 $file.pem"
    both.write_text(made.read_text() + key.read_text())
    return both


@pytest.fixture
async def started(tmp_path: Path) -> AsyncIterator[Callable[[HAProxyServer], Any]]:
    """Checks and starts a child, which is stopped when the test is over."""
    require_haproxy()
    running: list[HAProxyServer] = []

    async def start(front: HAProxyServer) -> HAProxyServer:
        running.append(front)
        await front.wait_for_earlier_run()
        await front.check()
        await front.start()
        return front

    yield start
    for front in running:
        await front.stop()


@pytest.mark.parametrize(
    "section",
    [
        {},
        {"host": "0.0.0.0", "operators_host": "::1", "places": 64},
        {"nodes": ("node-1:8080", "10.0.0.2:80", "[::1]:8080"), "resolvers": True},
        {"nodes": ("10.0.0.2:80",), "socket": "/tmp/a socket"},
    ],
)
def test_haproxy_accepts_what_the_settings_ask_for(settings: Settings, tmp_path: Path, section: dict[str, Any]) -> None:
    fronted = behind(settings, **section)
    file = tmp_path / "haproxy.cfg"
    file.write_text(render(fronted, first_places(fronted)), "utf-8")
    checked = subprocess.run([require_haproxy(), "-c", "-f", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr


async def test_players_speak_tls_over_http_1_and_2_and_over_sockets(
    settings: Settings, tmp_path: Path, certificate: Path, started: Callable[[HAProxyServer], Any]
) -> None:
    fronted = behind(settings, certificate=certificate)
    async with AsyncExitStack() as stack:
        await start_node(stack, fronted)
        front = await started(
            child(fronted, tmp_path, [HAProxyPlace("node-1", f"127.0.0.1:{settings.node.port}", open=True)])
        )
        trusting = ssl.create_default_context(cafile=str(certificate))
        url = f"https://localhost:{fronted.haproxy.port}" if fronted.haproxy else ""
        session = await stack.enter_async_context(ClientSession(url, connector=TCPConnector(ssl=trusting)))
        async with session.get("/v1/classes") as answer:
            assert answer.status == 200
        connection = await session.ws_connect("/v1/socket")
        await connection.send_json({"id": 1, "op": "hello", "token": "1.wrong"})
        assert (await connection.receive_json(timeout=5))["id"] == 1
        await connection.close()
        assert front.players == url.replace("localhost", "127.0.0.1")
        trusting.set_alpn_protocols(["h2"])
        assert await asyncio.to_thread(_agreed_protocol, trusting, int(url.rpartition(":")[2])) == "h2"


def _agreed_protocol(context: ssl.SSLContext, port: int) -> str | None:
    with closing(
        context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
    ) as connection:
        return connection.selected_alpn_protocol()


async def test_a_place_is_filled_drained_and_shut_while_it_runs_however_deep_its_folder_lies(
    settings: Settings, tmp_path: Path, started: Callable[[HAProxyServer], Any]
) -> None:
    fronted = behind(settings, places=2)
    folder = tmp_path / ("deep" * 30)
    folder.mkdir()
    async with AsyncExitStack() as stack:
        await start_node(stack, fronted)
        front = await started(child(fronted, folder, [HAProxyPlace("node-1", "127.0.0.1:1", open=False)]))
        api = front.api

        async def up() -> bool:
            return is_up(await api.states(), "node-1")

        assert not await up()
        await api.let_in("node-1", "127.0.0.1", settings.node.port)
        assert not await up(), "checks come first"
        await wait_until(up, what="two checks have succeeded")
        await api.drain("node-1")
        assert (await api.states())["node-1"]["play"].status == "DRAIN"
        await api.shut("node-1")
        assert {state.status for state in (await api.states())["node-1"].values()} == {"MAINT"}
        with pytest.raises(StackError, match="No such server"):
            await api.drain("node-7")


async def test_players_that_take_every_connection_leave_operators_theirs(
    settings: Settings, tmp_path: Path, started: Callable[[HAProxyServer], Any]
) -> None:
    fronted = behind(settings, connections=20)
    assert fronted.haproxy is not None
    await started(child(fronted, tmp_path, [HAProxyPlace("node-1", "127.0.0.1:1", open=False)]))
    async with AsyncExitStack() as stack:
        for _ in range(40):
            stack.enter_context(closing(socket.create_connection(("127.0.0.1", fronted.haproxy.port))))
        session = await stack.enter_async_context(ClientSession())
        async with asyncio.timeout(3):
            for _ in range(5):
                answer = await session.get(f"http://127.0.0.1:{fronted.haproxy.operators_port}/stats")
                assert answer.status == 200


async def test_without_the_program_one_sentence_says_so(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(StackError, match=r"^The program haproxy is missing.*apt-get install haproxy"):
        await child(behind(settings), tmp_path).check()


async def test_what_prevents_a_start_is_named(settings: Settings, tmp_path: Path, certificate: Path) -> None:
    require_haproxy()
    fronted = behind(settings)
    taken = socket.create_server(("127.0.0.1", fronted.haproxy.port if fronted.haproxy else 0))
    with taken, pytest.raises(StackError, match=r"taken .*haproxy\.port"):
        await child(fronted, tmp_path).check()
    certificate.write_text("nothing")
    for path in (certificate, tmp_path / "nowhere.pem"):
        with pytest.raises(StackError, match=r"haproxy\.certificate"):
            await child(behind(settings, certificate=path), tmp_path).check()
    front = child(fronted, tmp_path)
    front.configuration = lambda: "nonsense\n"
    with pytest.raises(StackError, match="unknown keyword 'nonsense'"):
        await front.check()
