"""Blocks over HTTP: added, listed and ended, by their owner alone; a blocked player's letters come back."""

from typing import Any

from tests.support.client import Answer, Api, Signed
from tests.support.wait import wait_until
from tests.transport.doors import assert_problem
from tests.transport.test_openapi import assert_fits

BLOCKS = "/v1/players/me/blocks"


async def change(api: Api, who: Signed, blocked: str, method: str = "PUT") -> Answer:
    return await api.ask(method, f"{BLOCKS}/{blocked}", token=who.token)


async def listed(api: Api, who: Signed) -> list[str]:
    answer = await api.ask("GET", BLOCKS, token=who.token)
    assert answer.status == 200, answer.body
    assert_fits(answer, "GET", BLOCKS)
    assert answer.body["most"] == 200
    return [entry["id"] for entry in answer.body["blocks"]]


async def letters_of(api: Api, who: Signed) -> list[dict[str, Any]]:
    answer = await api.ask("GET", "/v1/players/me/inbox", token=who.token)
    entries: list[dict[str, Any]] = answer.body["entries"]
    return entries


async def test_a_blocked_players_duels_come_back_until_the_block_ends(api: Api) -> None:
    who, other = await api.sign_up(), await api.sign_up()
    for _ in range(2):
        assert (await change(api, who, other.id)).status == 204
    assert (await listed(api, who), await listed(api, other)) == ([other.id], [])
    assert (await api.act(other, "duel", player=who.id)).status == 200

    async def has_come_back() -> bool:
        return bool(await letters_of(api, other))

    await wait_until(has_come_back, what="the challenge has come back")
    (back,) = await letters_of(api, other)
    assert (back["kind"], back["args"]["reason"]) == ("returned", "not_accepted")
    assert await letters_of(api, who) == []
    for _ in range(2):
        assert (await change(api, who, other.id, "DELETE")).status == 204
    assert await listed(api, who) == []
    await api.act(other, "duel", player=who.id)

    async def has_arrived() -> bool:
        return bool(await letters_of(api, who))

    await wait_until(has_arrived, what="the challenge has arrived")


async def test_a_player_that_is_gone_can_be_unblocked(api: Api) -> None:
    who, other = await api.sign_up(), await api.sign_up()
    assert (await change(api, who, other.id)).status == 204
    assert (await api.ask("DELETE", "/v1/players/me", token=other.token)).status == 204
    assert await listed(api, who) == [other.id]
    assert (await change(api, who, other.id, "DELETE")).status == 204
    assert await listed(api, who) == []


async def test_no_player_blocks_itself_or_a_player_that_doesnt_exist(api: Api) -> None:
    who = await api.sign_up()
    assert_problem(await change(api, who, who.id), "bad_input")
    for nobody in ("1", str((1 << 63) - 1), str(int(who.id) + 1)):
        assert_problem(await change(api, who, nobody), "player_not_found", nobody)
        assert (await change(api, who, nobody, "DELETE")).status == 204
    for none in ("me", "0", "-1", "1.5", str(1 << 63), "9" * 30, "%C2%B2"):
        for method in ("PUT", "DELETE"):
            assert_problem(await change(api, who, none, method), "bad_input", none)
    assert await listed(api, who) == []
    for method, path in (("GET", BLOCKS), ("PUT", f"{BLOCKS}/1"), ("DELETE", f"{BLOCKS}/1")):
        assert (await api.ask(method, path)).code == "not_authenticated"
