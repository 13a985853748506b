"""Idle sockets of an ended session epoch are closed although nothing announced it, also while Redis is away."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gameserver.config.settings import Settings
from gameserver.storage.sessions import endings
from gameserver.transport.route import Route
from gameserver.transport.routes import ROUTES
from tests.support.client import Api, Signed, command_id
from tests.support.devices import device_of
from tests.support.nodes import InProcessNode, start_node
from tests.support.redis_kinds import alone
from tests.support.redis_play import played
from tests.transport.doors import closing_of
from tests.transport.http.test_sessions import WITHIN
from tests.transport.samples import HUNT

BODIES = {
    "rename": {"name": "Another Name"},
    "act": HUNT,
    "add_device": {"device": device_of("one of a thief")},
    "change_password": {"old": "the old password", "new": "a thief's password"},
}
CHANGES = [route for route in ROUTES if route.key == "session" and route.method != "GET"]


async def answer_to_an_outdated(route: Route, node: InProcessNode, api: Api, other: Signed) -> str | None:
    """The code of it, where another node has ended the session's epoch and this one hasn't heard of it."""
    who = await api.sign_up(**({"password": "the old password"} if route.name == "change_password" else {}))
    devices = (await api.ask("GET", "/v1/players/me/devices", token=who.token)).body["devices"]
    await node.core.rooms.accounts.credentials.raise_session_epoch(int(who.id))
    later = (await api.ask("POST", "/v1/sessions", body={"device": who.device})).body["session"]["token"]
    (newest,) = (await api.ask("GET", "/v1/sessions", token=later)).body["sessions"]
    named = newest["id"] if route.path.startswith("/v1/sessions") else other.id
    path = route.path.format(id=named, device=devices[0]["id"], mail_id=command_id())
    answer = await api.ask(route.method, path, token=who.token, body=BODIES.get(route.name))
    assert (await api.ask("GET", "/v1/sessions", token=later)).status == 200, route.name
    return answer.code if answer.status >= 400 else None


async def test_a_session_of_an_ended_epoch_changes_nothing_where_a_node_still_takes_it_for_open(
    settings: Settings,
) -> None:
    async with AsyncExitStack() as stack:
        node = await start_node(stack, settings)
        api = await stack.enter_async_context(Api(node.url))
        other = await api.sign_up()
        codes = {route.name: await answer_to_an_outdated(route, node, api, other) for route in CHANGES}
    # It may end itself, and its own epoch's sessions, which have ended.
    assert codes.pop("sign_out") in (None, "session_revoked")
    assert codes.pop("sign_out_elsewhere") in ("session_not_found", "session_revoked")
    assert codes == dict.fromkeys(codes, "session_revoked")
    assert len(codes) > 10


async def test_idle_sockets_of_an_ended_epoch_are_closed_with_and_without_redis(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "RECHECK_SECONDS", 0.1)
    async with alone(tmp_path) as redis, AsyncExitStack() as stack:
        all_of = await played(stack, settings, redis)
        api, credentials = all_of.api, all_of.node.core.rooms.accounts.credentials
        ends, ends_later, stays = [await api.sign_up() for _ in range(3)]
        sockets = [await api.socket(value.token) for value in (ends, ends_later, stays)]
        for number, who in enumerate((ends, ends_later)):
            await credentials.raise_session_epoch(int(who.id))
            async with asyncio.timeout(WITHIN):
                assert (await closing_of(sockets[number].connection))[1] == 4409
            redis.servers[0].kill()
        assert "ok" in await sockets[2].ask("read")
