"""Whoever has a stolen device neither takes the owner's name away nor uses up what the owner needs to be rid of it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from gameserver.config.limits import PerMinute, PerSecond
from gameserver.config.settings import Settings
from tests.support.client import Answer, Api, Signed
from tests.support.devices import device_of
from tests.support.nodes import start_node
from tests.transport.callers.test_limits import HOURLY, limited
from tests.transport.doors import assert_problem

PASSWORD, OTHER = "the owner's own password 7", "another one of the owner 8"
DEVICES, NAME = "/v1/players/me/devices", "/v1/players/me/name"


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    """A node that allows two of everything that is counted by player."""
    few, reads = PerMinute(per_minute=HOURLY, burst=2), PerSecond(per_second=HOURLY / 60, burst=2)
    async with AsyncExitStack() as stack:
        own = limited(settings, key_changes_per_player=few, password_changes_per_player=few, reads_per_player=reads)
        yield await stack.enter_async_context(Api((await start_node(stack, own)).url))


async def thief_of(api: Api, owner: Signed) -> str:
    answer = await api.ask("POST", "/v1/sessions", body={"device": owner.device})
    assert answer.status == 201
    token: str = answer.body["session"]["token"]
    return token


async def rename(api: Api, token: str, name: str) -> Answer:
    return await api.ask("POST", NAME, token=token, body={"name": name})


async def test_a_stolen_device_does_not_take_the_name_under_which_the_password_signs_in(api: Api) -> None:
    owner = await api.sign_up(password=PASSWORD)
    assert_problem(await rename(api, await thief_of(api, owner), "Somebody else"), "proof_needed")
    signed_in = await api.ask("POST", "/v1/sessions", body={"name": owner.name, "password": PASSWORD})
    assert (signed_in.status, signed_in.body["player"]["id"]) == (201, owner.id)
    assert (await rename(api, signed_in.body["session"]["token"], "The owner")).status == 200
    without = await api.sign_up()
    assert (await rename(api, await thief_of(api, without), "No password")).status == 200, "the device is all it has"


async def test_a_thiefs_tries_leave_the_owner_the_whole_walk(api: Api) -> None:
    owner = await api.sign_up(password=PASSWORD)
    thief = await thief_of(api, owner)
    for _ in range(3):
        tries = [
            await api.ask("GET", DEVICES, token=thief),
            await api.ask("DELETE", f"{DEVICES}/{'0' * 16}", token=thief),
            await api.ask("POST", "/v1/players/me/password", token=thief, body={"old": "a guess of it", "new": OTHER}),
        ]
    assert [answer.code for answer in tries] == ["rate_limited"] * 3
    (device,) = (await api.ask("GET", DEVICES, token=owner.token)).body["devices"]
    gone = await api.ask("DELETE", f"{DEVICES}/{device['id']}", token=owner.token)
    token = gone.body["session"]["token"]
    assert (await api.ask("POST", DEVICES, token=token, body={"device": device_of("a new one")})).status == 201
    change = {"old": PASSWORD, "new": OTHER}
    assert (await api.ask("POST", "/v1/players/me/password", token=token, body=change)).status == 200
    assert_problem(await api.ask("POST", "/v1/sessions", body={"device": owner.device}), "wrong_credentials")
