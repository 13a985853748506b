"""Mail at the doors: pushed to connected players, kept for the others, read and deleted in the inbox."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gameserver.config.settings import Settings
from gameserver.rules.errors import PresenceUnavailable
from gameserver.storage.live.pushes import Pushes
from tests.support.client import Api, Signed
from tests.support.nodes import InProcessNode, start_node
from tests.support.wait import wait_until
from tests.transport.doors import assert_problem, fields_of, on_another_port, unchanged
from tests.transport.socket.test_pushes import hello, push_of
from tests.transport.test_openapi import assert_fits

INBOX = "/v1/players/me/inbox"
NO_IDS = ["x", "0", "%00", "01890000-0000-7000-8000", "g" * 36, "0" * 5000, "-1", "null"]


@pytest.fixture
async def two(settings: Settings) -> AsyncIterator[tuple[Api, Api]]:
    """Two nodes over the same servers."""
    async with AsyncExitStack() as stack:
        nodes = [await start_node(stack, node_settings) for node_settings in (settings, on_another_port(settings))]
        one, other = [await stack.enter_async_context(Api(node.url)) for node in nodes]
        yield one, other


async def inbox(api: Api, who: Signed, query: str = "") -> Any:
    answer = await api.ask("GET", INBOX + query, token=who.token)
    assert answer.status == 200, answer.body
    assert_fits(answer, "GET", INBOX)
    return answer.body


async def until_delivered(api: Api, who: Signed, count: int) -> None:
    async def is_there() -> bool:
        return len((await inbox(api, who))["entries"]) == count

    await wait_until(is_there, what=f"{count} letters have arrived")


async def test_a_spell_cast_at_one_node_is_pushed_to_the_socket_at_another_and_lies_in_the_inbox(
    two: tuple[Api, Api],
) -> None:
    one, other = two
    priest, target = await one.sign_up("priest"), await one.sign_up("warrior")
    hunted = await other.act(target, "hunt", foe="slime")
    connection, opened = await hello(other, target.token)
    cast = await one.act(priest, "heal_other", player=target.id)
    healed, sent = cast.body["events"]
    assert sent == {"type": "mail_sent", "mail_id": sent["mail_id"], "kind": "healed", "to": target.id}
    push = await push_of(connection, "mail")
    assert push["seq"] == opened["seq"] + 1
    gained = push["data"]["events"][0]["hp"]
    assert gained == min(healed["points"], 110 - hunted.body["player"]["hp"])
    (mail,) = (await inbox(one, target))["entries"]
    assert mail == push["data"]
    assert (mail["mail_id"], mail["kind"], mail["sender"]) == (sent["mail_id"], "healed", priest.id)
    assert mail["args"] == {"sender": priest.id, "points": healed["points"]}
    ledger = await other.ask("GET", "/v1/players/me/ledger?limit=1", token=target.token)
    assert [(entry["command_id"], entry["action"]) for entry in ledger.body["entries"]] == [
        (sent["mail_id"], "mail:healed")
    ]
    older = await other.ask("GET", f"/v1/players/me/ledger?cursor={ledger.body['next_cursor']}", token=target.token)
    assert [entry["action"] for entry in older.body["entries"]] == ["hunt", "sign_up"]


async def test_a_players_new_state_is_pushed_when_mail_has_changed_it(api: Api) -> None:
    one, other = await api.sign_up(), await api.sign_up()
    connection, opened = await hello(api, other.token)
    await api.act(one, "duel", player=other.id)
    state = await push_of(connection, "player")
    assert state["data"]["version"] == opened["player"]["version"] + 1
    lost, won = opened["player"]["hp"] - state["data"]["hp"], state["data"]["exp"]
    assert (lost, won) in ((22, 0), (0, 10))


async def test_mail_that_arrived_while_a_player_was_away_follows_its_resume(api: Api) -> None:
    one, other = await api.sign_up(), await api.sign_up()
    connection, opened = await hello(api, other.token)
    await connection.close()
    for _ in range(3):
        await api.act(one, "duel", player=other.id)
    await until_delivered(api, other, 3)
    again, resumed = await hello(api, other.token, resume={"stream": opened["stream"], "seq": opened["seq"]})
    assert resumed["resumed"] is True
    pushed = [(await push_of(again, "mail"))["data"]["mail_id"] for _ in range(3)]
    assert pushed == [entry["mail_id"] for entry in reversed((await inbox(api, other))["entries"])]


async def test_mail_that_redis_couldnt_take_is_pushed_when_redis_is_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_many, lost = Pushes.keep_many, 2

    async def refuse(self: Pushes, *arguments: Any) -> list[int]:
        nonlocal lost
        lost -= 1
        if lost < 0:
            return await keep_many(self, *arguments)
        raise PresenceUnavailable("Redis is away.")

    monkeypatch.setattr(Pushes, "keep_many", refuse)
    one, other = await api.sign_up(), await api.sign_up()
    connection, _ = await hello(api, other.token)
    await api.act(one, "duel", player=other.id)
    push = await push_of(connection, "mail")
    assert push["data"]["mail_id"] == (await inbox(api, other))["entries"][0]["mail_id"]


async def test_the_inbox_is_paged_and_what_is_deleted_is_gone_for_its_owner_alone(api: Api) -> None:
    one, other = await api.sign_up(), await api.sign_up()
    for _ in range(5):
        await api.act(one, "duel", player=other.id)
    await until_delivered(api, other, 5)
    await until_delivered(api, one, 5)
    ids: list[str] = []
    cursor = ""
    while True:
        page = await inbox(api, other, f"?limit=2{cursor}")
        ids += [entry["mail_id"] for entry in page["entries"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert ids == [entry["mail_id"] for entry in (await inbox(api, other))["entries"]]
    assert (len(ids), ids) == (5, sorted(ids, reverse=True))
    for who, left in ((one, 5), (other, 4), (other, 4)):
        gone = await api.ask("DELETE", f"{INBOX}/{ids[2].upper()}", token=who.token)
        assert (gone.status, gone.body) == (204, b"")
        assert len((await inbox(api, other))["entries"]) == left
    assert (await api.ask("DELETE", f"{INBOX}/{ids[0]}")).code == "not_authenticated"
    assert (await api.ask("GET", INBOX)).code == "not_authenticated"


async def test_an_invalid_mail_id_or_cursor_is_refused(api: Api) -> None:
    who = await api.sign_up()
    async with unchanged(api, who):
        for no_id in NO_IDS:
            answer = await api.ask("DELETE", f"{INBOX}/{no_id}", token=who.token)
            assert_problem(answer, "bad_input", no_id[:40])
            assert fields_of(answer.body) == ["mail_id"]
        for query in (*(f"cursor={no_id}" for no_id in NO_IDS), "cursor=", "limit=0", "limit=201", "limit=x", "page=1"):
            assert_problem(await api.ask("GET", f"{INBOX}?{query}", token=who.token), "bad_input", query[:40])


async def test_letters_to_a_player_that_doesnt_exist_come_back_over_the_wire(api: Api, node: InProcessNode) -> None:
    who = await api.sign_up()
    connection, _ = await hello(api, who.token)
    for nobody in ("1", str(2**63 - 1)):
        assert (await api.act(who, "duel", player=nobody)).status == 200
        push = await push_of(connection, "mail")
        assert (push["data"]["kind"], push["data"]["sender"]) == ("returned", who.id)
        assert (push["data"]["args"]["to"], push["data"]["args"]["reason"]) == (nobody, "player_not_found")
    refused = await api.act(who, "duel", player=who.id)
    assert (refused.status, refused.code) == (409, "same_player")


async def test_letters_to_a_deleted_player_come_back_and_its_own_mail_is_gone(api: Api, node: InProcessNode) -> None:
    one, other = await api.sign_up(), await api.sign_up()
    await api.act(one, "duel", player=other.id)
    await until_delivered(api, other, 1)
    await until_delivered(api, one, 1)
    assert (await api.ask("DELETE", "/v1/players/me", token=other.token)).status == 204
    assert (await node.core.commands.play.inbox.page(int(other.id), 10, None)).rows == []
    assert (await api.act(one, "duel", player=other.id)).status == 200
    await until_delivered(api, one, 2)
    back = (await inbox(api, one))["entries"][0]
    assert (back["kind"], back["args"]["reason"], back["args"]["to"]) == ("returned", "player_not_found", other.id)


async def test_the_whole_inbox_is_deleted_at_once_and_only_the_callers(api: Api) -> None:
    one, other = await api.sign_up(), await api.sign_up()
    for _ in range(3):
        await api.act(one, "duel", player=other.id)
    await until_delivered(api, other, 3)
    await until_delivered(api, one, 3)
    for _ in range(2):
        gone = await api.ask("DELETE", INBOX, token=other.token)
        assert (gone.status, gone.body) == (204, b"")
        assert (await inbox(api, other))["entries"] == []
    assert len((await inbox(api, one))["entries"]) == 3
    assert (await api.ask("DELETE", INBOX)).code == "not_authenticated"
    assert_problem(await api.ask("DELETE", f"{INBOX}?all=1", token=one.token), "bad_input")


async def test_too_many_duels_with_one_player_are_refused_and_change_nothing(api: Api) -> None:
    one, other = await api.sign_up(), await api.sign_up()
    answers = [await api.act(one, "duel", player=other.id) for _ in range(30)]
    refused = [answer for answer in answers if answer.status != 200]
    assert len(refused) >= 18, "ten at once, and one every five seconds"
    for answer in refused:
        if answer.code != "player_is_down":
            assert_problem(answer, "rate_limited")
            assert int(answer.headers["Retry-After"]) >= 1
    challenges = [entry for entry in (await inbox(api, other))["entries"] if entry["kind"] == "challenged"]
    assert len(challenges) <= 12
