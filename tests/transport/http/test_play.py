"""Signing up, acting and reading, over both doors."""

import pytest

from tests.support.client import Api, command_id
from tests.support.wait import wait_until


@pytest.mark.own_node
async def test_a_new_player_can_act_and_is_ranked(api: Api) -> None:
    who = await api.sign_up("mage")
    acted = await api.act(who)
    assert acted.status == 200
    assert acted.body["player"]["version"] == 2
    assert acted.headers["Consistency-Token"] == f"{who.id}:2"

    async def is_ranked() -> bool:
        page = (await api.ask("GET", "/v1/boards/mage")).body
        return bool(page.get("entries")) and page["entries"][0]["score"] == acted.body["player"]["exp"]

    await wait_until(is_ranked, what="the mage is on the mages' board with its present exp")
    warriors = (await api.ask("GET", "/v1/boards/warrior")).body
    assert warriors["total"] == 0


@pytest.mark.parametrize("first", ["http", "socket"])
async def test_a_retry_over_the_other_door_gets_the_first_answer(api: Api, first: str) -> None:
    who, key = await api.sign_up(), command_id()
    socket = await api.socket(who.token)

    async def over_http() -> dict[str, object]:
        return dict((await api.act(who, key=key)).body)

    async def over_socket() -> dict[str, object]:
        return dict((await socket.ask("act", action="hunt", args={"foe": "slime"}, command_id=key))["ok"])

    doors = [over_http, over_socket] if first == "http" else [over_socket, over_http]
    answer, again = await doors[0](), await doors[1]()
    assert (answer.pop("replayed"), again.pop("replayed")) == (False, True)
    assert answer == again
    ledger = (await api.ask("GET", "/v1/players/me/ledger", token=who.token)).body["entries"]
    assert [entry["command_id"] for entry in ledger].count(key) == 1


async def test_pipelined_commands_take_effect_in_the_order_sent(api: Api) -> None:
    who = await api.sign_up()
    socket = await api.socket(who.token)
    for number in range(100):
        await socket.connection.send_json({"id": f"n{number}", "op": "act", "action": "hunt", "args": {"foe": "slime"}})
    versions: dict[int, int | None] = {}
    while len(versions) < 100:
        answer = await socket.connection.receive_json(timeout=10)
        versions[int(answer["id"][1:])] = answer.get("ok", {}).get("player", {}).get("version")
    applied = [version for _, version in sorted(versions.items()) if version is not None]
    assert applied == sorted(applied)
    assert len(applied) > 10


async def test_the_ledger_pages_cover_every_action_once(api: Api) -> None:
    who = await api.sign_up()
    keys = [command_id() for _ in range(7)]
    done = [key for key in keys if (await api.act(who, key=key)).status == 200]
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await api.ask("GET", f"/v1/players/me/ledger?limit=3{cursor}", token=who.token)).body
        seen += [entry["command_id"] for entry in page["entries"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen)) == len(done) + 1
    assert set(done) <= set(seen)


async def test_reading_players_gives_those_that_exist(api: Api) -> None:
    one, two = await api.sign_up(), await api.sign_up()
    answer = await api.ask("GET", f"/v1/players?ids={one.id},{two.id},123", token=one.token)
    assert [player["id"] for player in answer.body["players"]] == [one.id, two.id]
    assert (await api.ask("GET", "/v1/players/123", token=one.token)).code == "player_not_found"
    assert (await api.ask("GET", f"/v1/players/{two.id}", token=one.token)).body["name"] == two.name


async def test_the_socket_reads_boards_and_pings(api: Api) -> None:
    who = await api.sign_up("priest")
    socket = await api.socket(who.token)
    assert (await socket.ask("read"))["ok"]["player"]["id"] == who.id
    assert "server_time" in (await socket.ask("ping"))["ok"]

    async def is_there() -> bool:
        return "ok" in await socket.ask("around", board="priest", radius=2)

    await wait_until(is_there, what="the priest is on its class's board")
    assert (await socket.ask("board", board="priest", limit=1))["ok"]["entries"][0]["player"]["id"] == who.id
    assert (await socket.ask("around", board="mage"))["error"]["code"] == "not_on_board"
    assert (await socket.ask("board", board="nope"))["error"]["code"] == "board_not_found"
