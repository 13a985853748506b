"""Changing a password: who may, and which sessions it ends on every node."""

import asyncio
from contextlib import AsyncExitStack
from unicodedata import normalize

import pytest

from gameserver.config.settings import Settings
from tests.support.client import Answer, Api, Signed
from tests.support.nodes import start_node
from tests.transport.doors import assert_problem, closing_of, fields_of, on_another_port
from tests.transport.http.test_sessions import WITHIN, again, until_refused

PASSWORD, OTHER = "anns-password", "anns-other-password"


async def change(api: Api, who: Signed, **fields: object) -> Answer:
    return await api.ask("POST", "/v1/players/me/password", token=who.token, body=fields)


async def sign_in(api: Api, who: Signed, password: str) -> int:
    return (await api.ask("POST", "/v1/sessions", body={"name": who.name, "password": password})).status


def renewed(who: Signed, answer: Answer) -> Signed:
    assert answer.status == 200, answer.body
    return Signed(who.id, who.name, who.device, answer.body["session"]["token"])


async def test_a_player_with_a_device_gets_its_first_password(api: Api) -> None:
    who = await api.sign_up()
    assert await sign_in(api, who, PASSWORD) == 401
    assert_problem(await change(api, who, old="a-guess", new=PASSWORD), "wrong_credentials")
    fresh = renewed(who, await change(api, who, new=PASSWORD))
    assert await sign_in(api, who, PASSWORD) == 201
    assert (await api.act(await again(api, fresh))).status == 200, "its device still opens a session"


async def test_the_old_password_is_needed_and_gone_afterwards(api: Api) -> None:
    who = await api.sign_up(password=PASSWORD)
    missing = await change(api, who, new=OTHER)
    assert_problem(missing, "bad_input")
    assert fields_of(missing.body) == ["old"]
    assert_problem(await change(api, who, old=OTHER, new=OTHER), "wrong_credentials")
    assert [await sign_in(api, who, password) for password in (PASSWORD, OTHER)] == [201, 401]
    fresh = renewed(who, await change(api, who, old=PASSWORD, new=OTHER))
    assert [await sign_in(api, who, password) for password in (PASSWORD, OTHER)] == [401, 201]
    assert (await api.act(fresh)).status == 200


async def test_a_long_password_is_right_however_a_system_composes_it(api: Api) -> None:
    long = "".join(chr(0xAC01 + 28 * number) for number in range(86))
    typed = normalize("NFD", long)
    assert len(typed) > 256
    who = await api.sign_up(password=long)
    assert [await sign_in(api, who, password) for password in (long, typed)] == [201, 201]
    renewed(who, await change(api, who, old=typed, new=PASSWORD))


@pytest.mark.parametrize("fields", [{}, {"new": "short"}, {"new": "x" * 257}, {"new": 12345678}, {"new": None},
                                   {"new": PASSWORD, "old": 7}, {"new": PASSWORD, "more": 1}])  # fmt: skip
async def test_a_malformed_change_changes_nothing(api: Api, fields: dict[str, object]) -> None:
    who = await api.sign_up()
    assert_problem(await change(api, who, **fields), "bad_input")
    assert (await api.act(who)).status == 200


async def test_a_changed_password_ends_every_session_on_every_node(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        nodes = [await start_node(stack, node_settings) for node_settings in (settings, on_another_port(settings))]
        here, there = [await stack.enter_async_context(Api(node.url)) for node in nodes]
        who, stranger = await here.sign_up(), await there.sign_up()
        held = [who, await again(here, who), await again(there, who)]
        sockets = [(await api.socket(session.token)).connection for api in (here, there) for session in held]
        assert {(await there.act(session)).status for session in held} == {200}
        fresh = renewed(who, await change(here, held[1], new=PASSWORD))
        async with asyncio.timeout(WITHIN):
            assert {(await closing_of(socket))[1] for socket in sockets} == {4409}
        for api in (here, there):
            for session in held:
                await until_refused(api, session)
            assert (await api.act(fresh)).status == (await api.act(stranger)).status == 200
        listed = (await there.ask("GET", "/v1/sessions", token=fresh.token)).body["sessions"]
        assert [entry["current"] for entry in listed] == [True]


async def test_of_two_changes_at_the_same_time_one_succeeds(api: Api) -> None:
    who = await api.sign_up(password=PASSWORD)
    others = [await again(api, who), await again(api, who)]
    wanted = ["password-one", "password-two"]
    results = await asyncio.gather(
        *(change(api, other, old=PASSWORD, new=new) for other, new in zip(others, wanted, strict=True))
    )
    assert sorted(result.status for result in results) == [200, 401]
    signed_in = [await sign_in(api, who, entry) for entry in wanted]
    assert signed_in == [201 if result.status == 200 else 401 for result in results]


async def test_changes_are_limited_by_player_and_a_denied_one_changes_nothing(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        strict = {"password_changes_per_player": {"per_minute": 1, "burst": 2}}
        node = await start_node(stack, Settings(**{**settings.model_dump(), "limits": strict}))
        api = await stack.enter_async_context(Api(node.url))
        who, other = await api.sign_up(password=PASSWORD), await api.sign_up()
        for _ in range(2):
            assert_problem(await change(api, who, old="a-wrong-one", new=OTHER), "wrong_credentials")
        denied = await change(api, who, old=PASSWORD, new=OTHER)
        assert_problem(denied, "rate_limited")
        assert 1 <= int(denied.headers["Retry-After"]) <= 60
        assert (await change(api, other, new=PASSWORD)).status == 200
        assert [await sign_in(api, who, password) for password in (PASSWORD, OTHER)] == [201, 401]
