"""Boards and bans over HTTP: pages, places, percentiles, seasons by name, and what can't be asked."""

from typing import Any

import pytest

from gameserver.storage.ids import new_command_id
from gameserver.transport import board_pages
from tests.support.client import ADMIN_KEY, Api, Signed
from tests.support.nodes import InProcessNode
from tests.support.wait import wait_until
from tests.transport.doors import closing_of

pytestmark = pytest.mark.own_node


async def ranked(api: Api, count: int) -> list[Signed]:
    """Players that are on the board in this order."""
    players = [await api.sign_up("mage") for _ in range(count)]

    async def are_there() -> bool:
        return bool((await api.ask("GET", "/v1/boards/exp")).body.get("total") == count)

    await wait_until(are_there, what="all are on the board")
    return players


async def test_a_client_that_has_the_page_already_gets_304(api: Api) -> None:
    await ranked(api, 3)
    first = await api.ask("GET", "/v1/boards/exp?limit=2")
    assert [entry["rank"] for entry in first.body["entries"]] == [1, 2]
    assert first.body["as_of"] is not None
    assert "stale" not in first.body
    again = await api.ask("GET", "/v1/boards/exp?limit=2", If_None_Match=f'"x", {first.headers["ETag"]}')
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    other = await api.ask("GET", "/v1/boards/exp?limit=3", If_None_Match=first.headers["ETag"])
    assert other.status == 200


async def test_a_socket_gets_the_page_that_http_serves(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_pages, "PAGE_SECONDS", 60)
    who = await api.sign_up("mage")
    socket = await api.socket(who.token)

    async def is_there() -> bool:
        return "ok" in await socket.ask("around", board="exp", radius=0)

    await wait_until(is_there, what="the player is on the board")
    page = (await api.ask("GET", "/v1/boards/exp?limit=2")).body
    socket = await api.socket((await api.sign_up("mage")).token)
    await wait_until(is_there, what="another one is, too")
    assert (await socket.ask("board", board="exp", limit=2))["ok"] == page
    assert (await socket.ask("board", board="exp", limit=3))["ok"]["total"] == 2


async def test_places_have_percentiles_and_players_without_a_place_are_named(api: Api) -> None:
    players = await ranked(api, 4)
    body = (await api.ask("GET", f"/v1/boards/exp/ranks?ids={players[2].id},5,{players[0].id}")).body
    assert [(entry["rank"], entry["player"]["id"]) for entry in body["entries"]] == [
        (3, players[2].id),
        (1, players[0].id),
    ]
    assert body["not_on_board"] == ["5"]
    answer = await api.ask("GET", "/v1/boards/exp/ranks/me", token=players[1].token)
    assert (answer.body["entry"]["rank"], answer.body["entry"]["percentile"], answer.body["total"]) == (2, 0.0, 4)
    assert (await api.ask("GET", "/v1/boards/exp/ranks/me")).status == 401
    for path in ("exp/ranks/5", "exp/around/5", f"warrior/ranks/{players[0].id}", f"warrior/around/{players[0].id}"):
        assert (await api.ask("GET", f"/v1/boards/{path}")).code == "not_on_board"


async def test_boards_say_how_they_rank(api: Api) -> None:
    by_name = {board["name"]: board for board in (await api.ask("GET", "/v1/boards")).body["boards"]}
    assert (by_name["mage"]["score"], by_name["mage"]["class"], by_name["mage"]["season"]) == (
        "exp",
        "mage",
        "all-time",
    )
    weekly = by_name["dragons_weekly"]
    assert (weekly["operator"], weekly["ties"], weekly["season"]["zone"]) == ("sum", "first", "Asia/Seoul")
    assert weekly["season"]["starts_at"] < weekly["season"]["ends_at"]
    assert weekly["rewards"][0]["exp"] == 1000


async def test_a_season_is_named_by_its_start(api: Api) -> None:
    by_name = {board["name"]: board for board in (await api.ask("GET", "/v1/boards")).body["boards"]}
    starts = by_name["dragons_weekly"]["season"]["starts_at"]

    async def is_there() -> bool:
        return (await api.ask("GET", f"/v1/boards/dragons_weekly?season={starts}")).status == 200

    await wait_until(is_there, what="the season's board")
    assert (await api.ask("GET", "/v1/boards/dragons_weekly")).body["season"] == starts
    assert (await api.ask("GET", "/v1/boards/exp?season=all-time")).body["season"] == "all-time"
    for path in (
        "exp?season=2026-01-01T00:00Z",
        "dragons_weekly?season=all-time",
        "dragons_weekly?season=2020-01-01T00:00Z",
    ):
        assert (await api.ask("GET", f"/v1/boards/{path}")).code == "season_not_found", path
    for season in ("x", "2026", "2026-13-45T99:99Z", "2026-01-01T00:00", "0", "-1"):
        answer = await api.ask("GET", f"/v1/boards/dragons_weekly?season={season}")
        assert answer.code in ("bad_input", "season_not_found"), season


async def test_an_invalid_question_to_a_board_is_refused_by_its_field(api: Api) -> None:
    await ranked(api, 3)
    cursor = (await api.ask("GET", "/v1/boards/exp?limit=1")).body["next_cursor"]
    assert (await api.ask("GET", f"/v1/boards/exp?limit=1&cursor={cursor}")).body["entries"][0]["rank"] == 2
    bad = [f"mage?cursor={cursor}", f"dragons_weekly?cursor={cursor}", "exp?cursor=x", "exp?cursor=exp~0~1~zz"]
    no_id = cursor[:-16] + "f" * 16
    bad += [f"exp?cursor={no_id}", f"exp?cursor=exp~0~1~{'f' * 32}"]
    bad += [f"exp?limit={limit}" for limit in (0, -1, 10**9, "x")]
    bad += [f"exp/around/7?radius={radius}" for radius in (-1, 10**9, "x")]
    bad += ["exp/ranks?ids=", "exp/ranks", "exp/ranks?ids=x", "exp/ranks?ids=" + ",".join(["1"] * 101), "exp/around/x"]
    for path in bad:
        answer = await api.ask("GET", f"/v1/boards/{path}")
        assert answer.code == "bad_input", (path, answer.body)
    for path in ("nope", "nope/around/1", "nope/ranks?ids=1", "nope/ranks/1"):
        assert (await api.ask("GET", f"/v1/boards/{path}")).code == "board_not_found"


async def judge(api: Api, who: Signed, method: str = "POST", key: str | None = None, reason: str = "cheats") -> Any:
    path = f"/admin/v1/players/{who.id}/ban"
    if method == "POST":
        return await api.ask("POST", path, token=ADMIN_KEY, body={"reason": reason}, key=key)
    return await api.ask("DELETE", f"{path}?reason={reason}", token=ADMIN_KEY, key=key)


async def on_board(api: Api, board: str) -> list[str]:
    return [entry["player"]["id"] for entry in (await api.ask("GET", f"/v1/boards/{board}")).body["entries"]]


async def test_a_ban_hides_a_player_on_every_board_and_ends_its_sessions_and_lifting_it_restores_its_ranks(
    api: Api, node: InProcessNode
) -> None:
    players = await ranked(api, 3)
    who, all_ids = players[1], [player.id for player in players]
    socket = await api.socket(who.token)
    assert (await judge(api, who)).body["banned"] is True

    async def is_off() -> bool:
        return all([who.id not in await on_board(api, board) for board in ("exp", "mage")])

    await wait_until(is_off, what="the player is off the boards")
    assert await on_board(api, "exp") == [players[0].id, players[2].id]
    assert (await closing_of(socket.connection))[1] == 4409

    async def is_out() -> bool:
        return (await api.act(who)).status == 401

    await wait_until(is_out, what="its session has ended")
    signed = await api.ask("POST", "/v1/sessions", body={"device": who.device})
    assert (signed.status, signed.code) == (403, "banned")
    await node.core.redis.commands.flushall()

    async def is_rebuilt() -> bool:
        return "stale" not in (await api.ask("GET", "/v1/boards/exp")).body and await is_off()

    await wait_until(is_rebuilt, what="the boards are rebuilt without the player")
    assert (await judge(api, who, "DELETE")).body["banned"] is False

    async def is_back() -> bool:
        return await on_board(api, "exp") == all_ids and await on_board(api, "mage") == all_ids

    await wait_until(is_back, what="the player has its ranks again")
    signed = await api.ask("POST", "/v1/sessions", body={"device": who.device})
    assert signed.status == 201
    again = Signed(who.id, who.name, who.device, signed.body["session"]["token"])
    assert (await api.act(again)).status == 200


async def test_a_ban_takes_effect_once_per_key_and_says_what_is_wrong_with_it(api: Api, node: InProcessNode) -> None:
    who, key = await api.sign_up(), new_command_id(int(node.core.commands.accounts.policy.now().timestamp() * 1000))
    first, again = await judge(api, who, key=key), await judge(api, who, key=key)
    assert (first.body["replayed"], again.body["replayed"]) == (False, True)
    assert first.body["player"]["version"] == again.body["player"]["version"] == 2
    assert (await judge(api, who, key=key, reason="other")).code == "command_mismatch"
    assert (await judge(api, who)).body["player"]["version"] == 2, "the player was banned already"
    nobody = Signed("5", "", "", "")
    assert (await judge(api, nobody)).code == "player_not_found"
    assert (await judge(api, who, reason="")).code == "bad_input"
    assert (await judge(api, who, "DELETE", reason="")).code == "bad_input"
    path = f"/admin/v1/players/{who.id}/ban"
    assert (await api.ask("POST", path, token=ADMIN_KEY, body={})).code == "bad_input"
    assert (await api.ask("POST", path, body={"reason": "x"})).status == 401
    assert (await api.ask("POST", "/admin/v1/players/x/ban", token=ADMIN_KEY, body={"reason": "x"})).code == "bad_input"
