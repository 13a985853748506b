"""Command ids that are refused, and that a used one always gets its first answer."""

from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlencode

import pytest

from gameserver.config.sections import LedgerSettings
from gameserver.config.settings import Settings
from gameserver.transport.routes import ROUTES
from tests.support.client import ADMIN_KEY, Api, Signed, command_id
from tests.support.devices import device_of
from tests.support.example_requests import fields_of as example_of
from tests.support.example_requests import path_of, query_of
from tests.support.nodes import start_node
from tests.transport.doors import Door, assert_problem, fields_of, unchanged

DAY = 86_400
HUNT = {"action": "hunt", "args": {"foe": "slime"}}
GOOD = command_id()
NO_IDS = [
    "",
    "x",
    "7",
    GOOD[:-1],
    GOOD + "0",
    GOOD.replace("-", ""),
    "{" + GOOD + "}",
    "urn:uuid:" + GOOD,
    GOOD[:14] + "4" + GOOD[15:],
    GOOD[:19] + "c" + GOOD[20:],
    GOOD[:-1] + "g",
    "１" + GOOD[1:],
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "x" * 64,
]


@pytest.mark.own_node
async def test_a_command_id_that_is_no_uuidv7_is_refused_and_changes_nothing(door: Door) -> None:
    async with unchanged(door.api, door.who):
        for key in NO_IDS:
            error = await door.act(HUNT, key)
            assert error["code"] == "bad_input", (key, error)
            assert fields_of(error) == ["Idempotency-Key" if door.kind == "http" else "command_id"]
        if door.kind == "socket":
            wrongs: list[Any] = [7, 2**63, 1.5, True, [], {}, "x" * 65, GOOD + "\0"]
            for wrong in wrongs:
                assert (await door.act(HUNT, wrong))["code"] == "bad_input", wrong


@pytest.mark.own_node
async def test_a_new_command_from_last_year_or_tomorrow_is_refused_with_the_servers_time(door: Door) -> None:
    async with unchanged(door.api, door.who):
        for seconds_ago in (365 * DAY, 2 * DAY + 60, -360, -DAY, -365 * DAY):
            error = await door.act(HUNT, command_id(seconds_ago))
            assert error["code"] == "command_expired", seconds_ago
            assert error["server_time"].endswith("Z")
        for far in ("00000000-0000-7000-8000-000000000000", "ffffffff-ffff-7fff-bfff-ffffffffffff"):
            assert (await door.act(HUNT, far))["code"] == "command_expired"
    for seconds_ago in (2 * DAY - 60, 3600, -240):
        assert "player" in await door.act(HUNT, command_id(seconds_ago)), "within the window"


@pytest.mark.own_node
async def test_a_command_id_reused_with_another_body_is_refused_and_changes_nothing(door: Door) -> None:
    key = command_id()
    first = await door.act(HUNT, key)
    others: list[dict[str, Any]] = [
        {"action": "hunt", "args": {"foe": "wolf"}},
        {"action": "rest"},
        {"action": "change_class", "args": {"class": "priest"}},
    ]
    async with unchanged(door.api, door.who):
        for other in others:
            assert (await door.act(other, key))["code"] == "command_mismatch", other
        assert (await door.act(HUNT, key)) == {**first, "replayed": True}
        assert (await door.act(HUNT, key.upper())) == {**first, "replayed": True}
    sign_up = {"name": "Ann Lee", "class": "mage", "device": device_of("anns-device")}
    made = await door.api.ask("POST", "/v1/players", body=sign_up, key=key)
    assert made.status == 201, "another player's command id"


@pytest.mark.own_node
async def test_the_command_id_of_the_players_sign_up_cant_be_used_for_an_action(door: Door) -> None:
    ledger = await door.api.ask("GET", "/v1/players/me/ledger", token=door.who.token)
    key = ledger.body["entries"][-1]["command_id"]
    async with unchanged(door.api, door.who):
        assert (await door.act(HUNT, key))["code"] == "command_mismatch"


@pytest.mark.own_node
async def test_a_rules_refusal_is_the_final_answer_of_its_command_id(door: Door) -> None:
    key = command_id()
    for _ in range(2):
        assert (await door.act({"action": "rest"}, key))["code"] == "full_hp"
    assert (await door.act(HUNT, key))["code"] == "command_mismatch"


async def test_every_operation_that_takes_a_command_id_refuses_what_is_none_and_so_does_its_preview(api: Api) -> None:
    who, accepted = await api.sign_up(), []
    for route in ROUTES:
        if route.terms.takes_command_id:
            query = query_of(route) | ({"preview": "true"} if "preview" in route.terms.query.model_fields else {})
            path = f"{path_of(route, {'id': who.id})}?{urlencode(query)}".rstrip("?")
            token = ADMIN_KEY if route.key == "admin" else who.token
            answer = await api.ask(route.method, path, token=token, key="not-a-uuid", body=example_of(route))
            if answer.status != 422 or fields_of(answer.body) != ["Idempotency-Key"]:
                accepted.append((route.name, answer.status, answer.body))
    assert not accepted, accepted


async def test_a_retry_of_what_took_effect_is_answered_however_late(settings: Settings) -> None:
    key, own = command_id(seconds_ago=7200), command_id(seconds_ago=7200)
    sign_up = {"name": "Ann Lee", "class": "mage", "device": device_of("anns-device"), "password": "anns-password"}
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api((await start_node(stack, settings)).url))
        made = (await api.ask("POST", "/v1/players", body=sign_up, key=own)).body
        who = Signed(made["player"]["id"], "Ann Lee", "anns-device", made["session"]["token"])
        answer = await Door("socket", api, who).act(HUNT, key)
    late = settings.model_copy(update={"ledger": LedgerSettings(window_back_seconds=3600)})
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api((await start_node(stack, late)).url))
        async with unchanged(api, who):
            for kind in ("http", "socket"):
                door = Door(kind, api, who)
                assert await door.act(HUNT, key) == {**answer, "replayed": True}
                assert (await door.act({"action": "rest"}, key))["code"] == "command_mismatch"
                assert (await door.act(HUNT, command_id(seconds_ago=7200)))["code"] == "command_expired"
            again = await api.ask("POST", "/v1/players", body=sign_up, key=own)
            assert (again.status, again.body["replayed"], again.body["player"]) == (201, True, made["player"])
            new = {**sign_up, "name": "Bea Lee", "device": device_of("beas-device")}
            refused = await api.ask("POST", "/v1/players", body=new, key=command_id(seconds_ago=7200))
            assert_problem(refused, "command_expired")
