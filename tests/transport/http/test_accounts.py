"""Signing up and in: one player per command id, one holder per name and device, on every node and database."""

import asyncio
from contextlib import AsyncExitStack
from hashlib import sha256
from typing import Any

import pytest

from gameserver.config.settings import Settings
from gameserver.storage.accounts.claims import Key, KeyKind
from gameserver.storage.ids import command_milliseconds, new_command_id, player_id_of
from tests.support.client import Answer, Api, command_id
from tests.support.devices import device_of
from tests.support.nodes import InProcessNode, start_node
from tests.support.servers import SLOTS
from tests.transport.doors import assert_problem, on_another_port, unchanged

pytestmark = pytest.mark.own_node

ANN = {"name": "Ann Lee", "class": "mage", "device": device_of("anns-device"), "password": "anns-password"}


@pytest.fixture
async def two(settings: Settings) -> Any:
    """Clients of two nodes of one deployment."""
    async with AsyncExitStack() as stack:
        nodes = [await start_node(stack, node_settings) for node_settings in (settings, on_another_port(settings))]
        yield [await stack.enter_async_context(Api(node.url)) for node in nodes]


async def sign_up(api: Api, key: str | None = None, **fields: Any) -> Answer:
    request = {name: value for name, value in {**ANN, **fields}.items() if value is not None}
    return await api.ask("POST", "/v1/players", body=request, key=key)


async def test_a_player_comes_back_by_device_and_by_name_and_password(api: Api) -> None:
    made = await sign_up(api)
    player = made.body["player"]
    assert (made.status, made.body["replayed"]) == (201, False)
    assert player == {
        "id": player["id"],
        "name": "Ann Lee",
        "class": "mage",
        "level": 1,
        "hp": 65,
        "max_hp": 65,
        "exp": 0,
        "version": 1,
        "created_at": player["created_at"],
    }
    tokens = {made.body["session"]["token"]}
    for credentials in (
        {"device": device_of("anns-device")},
        {"name": "Ann Lee", "password": "anns-password"},
        {"name": "  ＡＮＮ  lee", "password": "anns-password"},
    ):
        back = await api.ask("POST", "/v1/sessions", body=credentials)
        assert (back.status, back.body["player"]) == (201, player)
        token = back.body["session"]["token"]
        assert (await api.ask("GET", "/v1/players/me", token=token)).body == player
        tokens.add(token)
    assert len(tokens) == 4, "every session has a token of its own"


@pytest.mark.parametrize("credential", ["device", "password", "both"])
async def test_a_sign_up_sent_again_gets_its_player_and_a_new_session(two: list[Api], credential: str) -> None:
    key = command_id()
    fields = {"device": {"password": None}, "password": {"device": None}, "both": {}}[credential]
    made = await sign_up(two[0], key, **fields)
    again = await sign_up(two[1], key, **fields)
    assert (again.status, again.body["replayed"], again.body["player"]) == (201, True, made.body["player"])
    assert again.body["session"]["token"] != made.body["session"]["token"]
    acted = await two[1].ask(
        "POST",
        "/v1/players/me/actions",
        token=again.body["session"]["token"],
        body={"action": "hunt", "args": {"foe": "slime"}},
    )
    assert acted.status == 200
    later = await sign_up(two[0], key, **fields)
    assert later.body["player"] == made.body["player"], "the first answer, whatever has happened since"


async def test_a_sign_up_sent_at_once_to_two_nodes_makes_one_player(two: list[Api]) -> None:
    for number in range(5):
        key, fields = (
            command_id(),
            {"name": f"Twin {number}", "device": device_of(f"twin-device-{number}"), "password": None},
        )
        results = await asyncio.gather(*(sign_up(api, key, **fields) for api in two * 3))
        assert {result.status for result in results} == {201}, [result.body for result in results]
        assert len({result.body["player"]["id"] for result in results}) == 1
        assert [result.body["replayed"] for result in results].count(False) == 1
    assert (await two[0].admin("stats")).body["players"] == 5


async def test_a_sign_ups_command_id_with_another_body_is_a_mismatch(api: Api) -> None:
    key = command_id()
    made = await sign_up(api, key)
    who = await api.sign_up()
    others: list[dict[str, Any]] = [
        {"name": "Bea Lee"},
        {"name": "ANN LEE"},
        {"class": "priest"},
        {"device": device_of("another-device")},
        {"device": None},
        {"password": "another-password"},
        {"password": None},
    ]
    async with unchanged(api, who):
        for other in others:
            assert_problem(await sign_up(api, key, **other), "command_mismatch", other)
    assert (await sign_up(api, key)).body["player"] == made.body["player"]
    assert (await sign_up(api, name="Bea Lee", device=device_of("another-device"))).status == 201, "nothing was claimed"


async def test_no_name_or_device_has_two_holders_on_any_node_or_database(two: list[Api]) -> None:
    first, second = two
    for number in range(12):
        fields = {"name": f"Holder {number}", "device": device_of(f"device-of-holder-{number}"), "password": None}
        assert (await sign_up(first, **fields)).status == 201
    stats = (await first.admin("stats")).body
    assert set(stats["by_database"]) == {"one", "two"}, "the players lie in both databases"
    for number in range(12):
        other = {"device": device_of(f"another-device-{number}"), "password": None}
        assert_problem(await sign_up(second, name=f"HOLDER {number}", **other), "name_taken")
        other = {"name": f"Another {number}", "password": None}
        assert_problem(await sign_up(second, device=device_of(f"device-of-holder-{number}"), **other), "device_taken")
        taken = await sign_up(second, **other, device=device_of(f"another-device-{number}"))
        assert taken.status == 201, "what a refused sign-up had reserved is free again"
    assert (await first.admin("stats")).body["players"] == 24


async def test_of_many_sign_ups_with_one_name_at_once_one_gets_it(two: list[Api]) -> None:
    tries = [
        sign_up(api, name=name, device=device_of(f"racer-{number}-{name}-{place}"), password=None)
        for place, api in enumerate(two)
        for number in range(4)
        for name in ("Ann Lee", "Bea Lee", "Cid Lee")
    ]
    results = await asyncio.gather(*tries)
    won = [result.body["player"]["name"] for result in results if result.status == 201]
    assert sorted(won) == ["Ann Lee", "Bea Lee", "Cid Lee"]
    assert {result.code for result in results if result.status != 201} == {"name_taken"}


async def test_wrong_credentials_get_the_same_answer_whatever_is_wrong(api: Api) -> None:
    await sign_up(api)
    await api.sign_up(name="Bea Lee", device=device_of("beas-device"))
    collected = set()
    for wrong in (
        {"device": device_of("nobodys-device")},
        {"device": device_of("anns-device").upper()},
        {"device": device_of("Ann Lee")},
        {"name": "Nobody", "password": "anns-password"},
        {"name": "", "password": "anns-password"},
        {"name": "admin", "password": "anns-password"},
        {"name": "Ann Lee", "password": "Anns-password"},
        {"name": "Ann Lee", "password": ""},
        {"name": "Ann Lee", "password": "anns-device"},
        {"name": "Bea Lee", "password": "beas-device"},
    ):
        answer = await api.ask("POST", "/v1/sessions", body=wrong)
        assert_problem(answer, "wrong_credentials", wrong)
        collected.add(tuple(value for field, value in sorted(answer.body.items()) if field != "request_id"))
    assert len(collected) == 1


def forged(victim: int, like: str) -> str:
    """A command id whose sign-up draws the victim's id, found by trying: clients choose their command ids."""
    while player_id_of(command := new_command_id(command_milliseconds(like)), 0, SLOTS) != victim:
        pass
    return command


async def test_a_command_id_made_to_draw_another_players_id_gives_no_access_to_that_player(
    api: Api, node: InProcessNode
) -> None:
    victim = await api.sign_up()
    ledger = (await api.ask("GET", "/v1/players/me/ledger", token=victim.token)).body["entries"]
    key = forged(int(victim.id), ledger[-1]["command_id"])
    thief: dict[str, Any] = {"name": "Thief", "device": device_of("device-of-a-thief"), "password": None}
    claimed = Key(KeyKind.DEVICE, sha256(thief["device"].encode()).hexdigest())

    (claim,) = await node.core.rooms.accounts.claims.reserve([claimed], int(victim.id), key)
    entered = await api.ask("POST", "/v1/sessions", body={"device": thief["device"]})
    assert_problem(entered, "wrong_credentials", "while the thief's sign-up is under way")
    await node.core.rooms.accounts.claims.release(claim)

    before = (await api.ask("GET", "/v1/players/me", token=victim.token)).body
    made = await sign_up(api, key, **thief)
    assert (made.status, made.body["player"]["id"] == victim.id) == (201, False)
    entered = await api.ask("POST", "/v1/sessions", body={"device": thief["device"]})
    assert entered.body["player"] == made.body["player"]
    assert (await sign_up(api, key, **thief)).body["player"] == made.body["player"], "a retry finds its own player"
    assert (await api.ask("GET", "/v1/players/me", token=victim.token)).body == before
