"""A run that its servers can't carry out isn't begun: the reason is one sentence, and no player has signed up."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bots.cli import preflight
from bots.count import slo
from bots.play.plan import SwarmPlan
from bots.proving import Target
from tests.bots.cli.test_bad_reports_and_faults import said

OWN = metadata.version("heroledger-bots")
SERVER = {"openapi": "3.1.0", "info": {"title": "gameserver", "version": OWN}}
SHORT = ("--players", "1", "--seconds", "0.1")
PLAN = SwarmPlan(players=1, seconds=0.1, sockets=0, rate=1, seed=1, name_prefix="bot")


class Somebody:
    """Answers `/openapi.json` with a document and operators with a status; counts what else it is asked."""

    def __init__(self, document: Any, status: int = 200, key_status: int = 200) -> None:
        self.document, self.status, self.key_status = document, status, key_status
        self.others = 0

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == preflight.DOCUMENT:
            return web.json_response(self.document, status=self.status)
        if request.path == preflight.WHOSE_KEY:
            codes = {401: "not_authenticated", 404: "not_found", 503: "overloaded"}
            body = {"code": codes.get(self.key_status), "detail": "there is no such key"}
            return web.json_response(body, status=self.key_status)
        if request.path == preflight.ACTIONS:
            return web.json_response({"actions": {"hunt": {"args": {}}}}, status=self.status)
        self.others += 1
        return web.json_response({"code": "bad_input"}, status=422)


@asynccontextmanager
async def listening(somebody: Somebody) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", somebody.answer)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


@pytest.mark.parametrize(
    ("somebody", "sentence"),
    [
        (Somebody([]), "isn't a game server"),
        (Somebody({"info": {"title": "a shop", "version": "1"}}), "isn't a game server"),
        (Somebody({}, status=404), "isn't a game server"),
        (Somebody({"info": {"title": "gameserver", "version": "77.1.0"}}), "has version 77.1.0, and these bots know"),
        (Somebody(SERVER, key_status=401), "the admin key isn't valid at {url}: there is no such key"),
        (Somebody(SERVER, key_status=404), "no operators are served at {url}: give --admin-url"),
    ],
)
async def test_a_run_against_the_wrong_server_does_not_begin(
    monkeypatch: pytest.MonkeyPatch, somebody: Somebody, sentence: str
) -> None:
    monkeypatch.setenv("BOTS_ADMIN_KEY", "wrong")
    async with listening(somebody) as url:
        text = await asyncio.to_thread(said, "run", "--url", url, *SHORT)
        assert sentence.format(url=url) in text
    assert somebody.others == 0


@pytest.mark.parametrize("command", ["run", "bench", "idle"])
def test_nobody_at_the_address_is_said_at_once(command: str) -> None:
    assert "no server answers at http://127.0.0.1:1 " in said(command, "--url", "http://127.0.0.1:1")


async def test_what_breaks_off_every_connection_is_no_game_server() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert f"no server answers at {url} (disconnected)" in await asyncio.to_thread(said, "run", "--url", url)


def asked(urls: tuple[str, ...], key: str | None = None) -> str:
    return preflight.require(Target(urls, key, urls, 1.0), PLAN)


async def test_a_game_server_says_its_version_and_one_that_is_busy_is_let_pass() -> None:
    async with listening(Somebody(SERVER)) as url, listening(Somebody({}, status=503, key_status=503)) as busy:
        assert await asyncio.to_thread(asked, (busy, url), "key") == OWN
        assert await asyncio.to_thread(asked, (busy,), "key") == ""


async def test_an_objective_of_an_operation_that_there_isnt_is_found_before_the_run_begins() -> None:
    async with listening(Somebody(SERVER)) as url:
        text = await asyncio.to_thread(said, "run", "--url", url, *SHORT, "--slo", "hunts p99 < 50ms")
    assert "'hunts p99 < 50ms': there is no operation 'hunts', but act, all, around, board, hunt, items, read" in text


async def test_objectives_of_actions_pass_as_do_all_while_the_servers_are_too_busy_to_tell() -> None:
    wanted = [slo.parse("hunt p99 < 50ms"), slo.parse("all rate > 1/s")]
    async with listening(Somebody(SERVER)) as url, listening(Somebody({}, status=503)) as busy:
        for urls in ((url,), (busy, url), (busy,)):
            await asyncio.to_thread(preflight.require_operations, Target(urls, None, urls, 1.0), wanted)


def test_more_players_than_open_files_are_refused_with_both_numbers() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        pytest.skip("the system sets no limit")
    text = said("run", "--url", "http://127.0.0.1:1", "--players", str(hard))
    assert f"the system allows {hard}" in text
    assert f"fewer than {hard:,} players" in text
