"""Operators see everything of a player, ban it until a time, and erase it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from gameserver.commands import player_export
from gameserver.storage.ids import slot_of
from gameserver.times import rfc3339
from tests.support.client import ADMIN_KEY, Answer, Api, Signed, command_id
from tests.support.deployment import connected, owner
from tests.support.everywhere import everywhere
from tests.support.freezing import frozen
from tests.support.nodes import InProcessNode
from tests.support.servers import Servers
from tests.support.wait import wait_until
from tests.transport.doors import assert_problem, fields_of

pytestmark = pytest.mark.own_node


async def admin(api: Api, method: str, path: str, key: str | None = None, **body: Any) -> Answer:
    return await api.ask(method, f"/admin/v1/players/{path}", token=ADMIN_KEY, body=body or None, key=key)


async def is_on_board(api: Api, who: Signed) -> bool:
    return (await api.ask("GET", f"/v1/boards/exp/ranks/{who.id}")).status == 200


async def test_a_page_has_everything_about_a_player(api: Api) -> None:
    who, friend = await api.sign_up("mage"), await api.sign_up("priest")
    await api.ask("PUT", f"/v1/players/me/friends/{friend.id}", token=who.token)
    await admin(api, "POST", f"{who.id}/corrections", exp=60, items={"potion": 2}, reason="a test")
    await api.act(friend, "heal_other", player=who.id)
    noted = await admin(api, "POST", f"{who.id}/notes", text="A <b>regular</b>.", key=(key := command_id()))
    again = await admin(api, "POST", f"{who.id}/notes", text="A <b>regular</b>.", key=key)
    assert (noted.status, again.body) == (201, noted.body)

    async def is_complete() -> bool:
        body = (await admin(api, "GET", who.id)).body
        return bool({place["board"] for place in body["places"]} == {"exp", "mage"} and body["mail"])

    await wait_until(is_complete, what="boards and mail have arrived")
    body = (await admin(api, "GET", who.id)).body
    assert (body["player"]["name"], body["player"]["exp"], body["banned"]) == (who.name, 60, False)
    assert [session["label"] for session in body["sessions"]] == [body["sessions"][0]["label"]]
    assert body["friends"] == [friend.id]
    assert [(stack["item"], stack["count"]) for stack in body["items"]] == [("potion", 2)]
    assert [letter["kind"] for letter in body["mail"]] == ["healed"]
    assert [(note["admin"], note["text"]) for note in body["notes"]] == [(noted.body["admin"], "A <b>regular</b>.")]
    assert (await admin(api, "GET", "5")).code == "player_not_found"
    assert (await api.ask("GET", f"/admin/v1/players/{who.id}", token=who.token)).status == 403


async def test_the_timeline_has_filters_and_pages_and_says_what_was_undone(api: Api) -> None:
    who = await api.sign_up("warrior")
    hunts = [(await api.act(who)).body["command_id"] for _ in range(5)]
    await admin(api, "POST", f"{who.id}/undo", command_id=hunts[1], reason="a test")
    entries: list[dict[str, Any]] = []
    cursor = ""
    while True:
        body = (await admin(api, "GET", f"{who.id}/ledger?limit=2{cursor}")).body
        entries += body["entries"]
        if body["next_cursor"] is None:
            break
        cursor = f"&cursor={body['next_cursor']}"
    assert [entry["version"] for entry in entries] == [7, 6, 5, 4, 3, 2, 1]
    assert [entry["command_id"] for entry in entries if entry["undone"]] == [hunts[1]]
    assert entries[0]["args"] == {"command_id": hunts[1]}
    only = (await admin(api, "GET", f"{who.id}/ledger?actions=sign_up,operator:undo")).body["entries"]
    assert [entry["action"] for entry in only] == ["operator:undo", "sign_up"]
    since, until = entries[3]["at"], entries[1]["at"]
    part = (await admin(api, "GET", f"{who.id}/ledger?since={since}&until={until}")).body["entries"]
    assert set(range(5, 6)) <= {entry["version"] for entry in part} <= {3, 4, 5, 6}
    bad = await admin(api, "GET", f"{who.id}/ledger?since=yesterday")
    assert (bad.code, fields_of(bad.body)) == ("bad_input", ["since"])


async def test_the_state_at_a_moment_is_replayed_from_the_ledger(api: Api) -> None:
    who = await api.sign_up("warrior")
    for _ in range(3):
        await api.act(who)
    entries = (await admin(api, "GET", f"{who.id}/ledger")).body["entries"]
    for entry in entries:
        moment = entry["at"].replace("Z", "999Z")  # to the end of the millisecond
        body = (await admin(api, "GET", f"{who.id}/state?at={moment}")).body
        assert body["differing"] == []
        if body["command_id"] == entry["command_id"]:  # not two in one millisecond
            assert (body["player"], body["replayed"]) == (entry["player"], entry["version"] - 1)
    assert (await admin(api, "GET", f"{who.id}/state?at=2020-01-01T00:00:00Z")).code == "state_unknown"


async def test_a_ban_ends_by_itself(api: Api) -> None:
    who = await api.sign_up("mage")
    await wait_until(lambda: is_on_board(api, who), what="the player is on the board")
    until = rfc3339(datetime.now(UTC) + timedelta(seconds=4))
    key = command_id()
    banned = await admin(
        api, "POST", f"{who.id}/ban", key=key, until=until, said="You used a bot.", reason="ticket 4711"
    )
    assert (banned.status, banned.body["until"], banned.body["said"]) == (200, until, "You used a bot.")
    refused = await api.ask("POST", "/v1/sessions", body={"device": who.device})
    assert (refused.code, refused.body["until"], refused.body["reason"]) == ("banned", until, "You used a bot.")
    assert "4711" not in str(refused.body)

    async def is_gone() -> bool:
        return not await is_on_board(api, who)

    await wait_until(is_gone, what="the player has left the board")
    open_ban = (await admin(api, "GET", who.id)).body["bans"]
    assert [(ban["until"], ban["reason"], ban["ended_at"]) for ban in open_ban] == [(until, "ticket 4711", None)]

    async def may_play() -> bool:
        return (await api.ask("POST", "/v1/sessions", body={"device": who.device})).status == 201

    await wait_until(may_play, seconds=30, what="the ban has ended")
    await wait_until(lambda: is_on_board(api, who), what="the player is back on the board")
    [ended] = (await admin(api, "GET", who.id)).body["bans"]
    assert (ended["ended_by"], ended["ended_at"] >= until) == ("the server", True)
    again = await admin(
        api, "POST", f"{who.id}/ban", key=key, until=until, said="You used a bot.", reason="ticket 4711"
    )
    assert (again.status, again.body["replayed"], again.body["banned"]) == (200, True, False)


async def test_a_ban_can_be_replaced_by_another_and_has_to_end_later(api: Api) -> None:
    who = await api.sign_up("mage")
    for until in ("2020-01-01T00:00:00Z", "tomorrow", "2999-01-01T00:00:00"):
        bad = await admin(api, "POST", f"{who.id}/ban", until=until, reason="a test")
        assert (bad.code, fields_of(bad.body)) == ("bad_input", ["until"]), until
    await admin(api, "POST", f"{who.id}/ban", until="2998-01-01T00:00:00Z", reason="a test")
    await admin(api, "POST", f"{who.id}/ban", until="2999-01-01T00:00:00Z", reason="a test")
    bans = (await admin(api, "GET", who.id)).body["bans"]
    assert [(ban["until"], ban["ended_at"] is None) for ban in bans] == [
        ("2999-01-01T00:00:00.000Z", True),
        ("2998-01-01T00:00:00.000Z", False),
    ]
    assert (await admin(api, "DELETE", f"{who.id}/ban?reason=a")).body["banned"] is False
    assert (await admin(api, "GET", who.id)).body["banned"] is False


def lines_of(answer: Answer) -> dict[str, list[dict[str, Any]]]:
    """The lines of an export, by what they are."""
    assert answer.status == 200, answer.body
    lines: dict[str, list[dict[str, Any]]] = {}
    raw = answer.body if isinstance(answer.body, bytes) else orjson.dumps(answer.body)
    for line in map(orjson.loads, raw.splitlines()):
        lines.setdefault(line.pop("part"), []).append(line)
    return lines


async def test_an_export_is_everything_but_what_operators_say_among_themselves(api: Api) -> None:
    who, friend = await api.sign_up("mage"), await api.sign_up("priest")
    corrected = await admin(api, "POST", f"{who.id}/corrections", hp=1, reason="a secret reason")
    undone = corrected.body["command_id"]
    await admin(api, "POST", f"{who.id}/undo", command_id=undone, reason="a secret reason, too")
    await admin(api, "POST", f"{who.id}/corrections", hp=1, reason="a secret reason")
    await admin(api, "POST", f"{who.id}/notes", text="A secret note.")
    await api.act(friend, "heal_other", player=who.id)

    async def has_arrived() -> bool:
        return bool((await api.ask("GET", "/v1/players/me/inbox", token=who.token)).body["entries"])

    await wait_until(has_arrived, what="the letter has arrived")
    of_operators = await api.ask("GET", f"/admin/v1/players/{who.id}/export", token=ADMIN_KEY)
    own = await api.ask("GET", "/v1/players/me/export", token=who.token)
    everything, shown = lines_of(of_operators), lines_of(own)
    assert set(everything) == {"player", "device", "note", "letter", "ledger", "audit"}
    assert set(shown) == {"player", "device", "letter", "ledger"}
    assert "a secret" in str(everything).lower()
    assert "a secret" not in str(shown).lower()
    versions = [entry["version"] for entry in shown["ledger"]]
    assert versions == [entry["version"] for entry in everything["ledger"]] == [5, 4, 3, 2, 1]
    assert [entry["command_id"] for entry in shown["ledger"] if entry["undone"]] == [undone]
    assert everything["ledger"] == (await admin(api, "GET", f"{who.id}/ledger")).body["entries"]
    assert shown["player"][0]["player"]["name"] == who.name
    assert (await api.ask("GET", "/v1/players/me/export")).status == 401
    assert (await api.ask("GET", "/admin/v1/players/5/export", token=ADMIN_KEY)).code == "player_not_found"


MANY = """
insert into player_notes (player_id, admin, text, command_id)
select $1, 'ann', 'note ' || n, gen_random_uuid() from generate_series(1, $2::int) n;
insert into season_standings (board, start, position, rank, player_id, score, reached_at, name, class, level)
select case n % 2 when 0 then 'exp' else 'mage' end, n / 2, 1, 1, $1, n, now(), 'x', 'mage', 1
from generate_series(1, $2::int) n;
"""
MANY_BANS = """
insert into bans (slot, player_id, command_id, at, said, reason, banned_by, ended_at, ended_by, settled)
select $1, $2, gen_random_uuid(), timestamptz '2020-01-01' + n / 3 * interval '1 day', 'ban ' || n, 'a test', 'ann',
    now(), 'ann', true
from generate_series(1, $3::int) n
"""


async def test_an_export_has_every_ban_note_and_past_place_and_so_does_the_preview_of_an_erasure(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player_export, "PAGE", 10)
    who, count = await api.sign_up("mage"), 123
    player_id = int(who.id)
    async with connected(node.core.databases[node.core.settings.control.database].url) as connection:
        for statement in filter(str.strip, MANY.split(";")):
            await connection.execute(statement, player_id, count)
    async with connected(node.core.databases[owner(node.core, player_id)].url) as connection:
        await connection.execute(MANY_BANS, slot_of(player_id), player_id, count)
    everything = lines_of(await api.ask("GET", f"/admin/v1/players/{who.id}/export", token=ADMIN_KEY))
    own = lines_of(await api.ask("GET", "/v1/players/me/export", token=who.token))
    texts = [f"note {n}" for n in range(count, 0, -1)]
    assert [line["text"] for line in everything["note"]] == texts
    assert "note" not in own
    for lines in (everything, own):
        assert sorted(line["said"] for line in lines["ban"]) == sorted(f"ban {n}" for n in range(1, count + 1))
        assert sorted(line["score"] for line in lines["past_place"]) == [*range(1, count + 1)]
    assert {(line["reason"], line["banned_by"], line["ended_by"]) for line in own["ban"]} == {("", "", None)}
    shown = (await admin(api, "GET", who.id)).body
    assert [note["text"] for note in shown["notes"]] == texts[:100]
    assert len(shown["bans"]) == 100
    for deleted in (False, True):
        if deleted:
            await api.ask("DELETE", "/v1/players/me", token=who.token)
        foreseen = await admin(api, "POST", f"{who.id}/erasure?preview=true", reason="a test")
        changes = foreseen.body["changes"]
        assert changes["notes"] == changes["bans"] == {"before": count, "after": 0}, deleted


async def test_a_page_says_where_a_player_is_connected_when_it_was_seen_and_what_others_are_called(api: Api) -> None:
    who, friend, blocked = [await api.sign_up("mage") for _ in range(3)]
    await api.ask("PUT", f"/v1/players/me/friends/{friend.id}", token=who.token)
    await api.ask("PUT", f"/v1/players/me/blocks/{blocked.id}", token=who.token)
    body = (await admin(api, "GET", who.id)).body
    assert body["names"] == {friend.id: friend.name, blocked.id: blocked.name}
    assert body["nodes"] == []
    [ranked] = (await api.admin("players", id=who.id)).body["entries"]
    assert body["seen_at"] == ranked["player"]["seen_at"]
    assert body["seen_at"].endswith(":00:00.000Z")
    await api.socket(who.token)

    async def is_connected() -> bool:
        [node] = (await api.admin("nodes")).body["nodes"]
        return bool((await admin(api, "GET", who.id)).body["nodes"] == [node["name"]])

    await wait_until(is_connected, what="the player is connected")


async def test_a_silent_database_takes_away_the_names_of_its_own_players_alone(
    api: Api, node: InProcessNode, servers: Servers
) -> None:
    players = await asyncio.gather(*(api.sign_up() for _ in range(12)))
    who, here = [each for each in players if owner(node.core, int(each.id)) == "one"][:2]
    away = next(each for each in players if owner(node.core, int(each.id)) == "two")
    for other in (here, away):
        await api.ask("PUT", f"/v1/players/me/friends/{other.id}", token=who.token)
        await api.ask("PUT", f"/v1/players/me/blocks/{other.id}", token=who.token)
    with frozen(servers.postgres["two"]):
        page = await admin(api, "GET", who.id)
    assert page.status == 200, page.body
    assert page.body["names"] == {here.id: here.name}
    assert {away.id, here.id} == set(page.body["friends"])
    assert (await admin(api, "GET", who.id)).body["names"] == {each.id: each.name for each in (here, away)}


async def pages_of(api: Api, path: str, limit: int) -> list[dict[str, Any]]:
    """All entries, by pages of at most so many."""
    entries: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = await admin(api, "GET", f"{path}?limit={limit}{cursor}")
        assert answer.status == 200, answer.body
        assert len(answer.body["entries"]) <= limit
        entries += answer.body["entries"]
        if answer.body["next_cursor"] is None:
            return entries
        cursor = f"&cursor={answer.body['next_cursor']}"


async def test_letters_have_pages_and_the_names_of_their_senders(api: Api) -> None:
    who, friend = await api.sign_up("mage"), await api.sign_up("priest")
    for number in range(3):
        sent = await admin(api, "POST", f"{who.id}/mail", text=f"Letter {number}", reason="a test")
        assert sent.status == 200, sent.body
    await admin(api, "POST", f"{who.id}/corrections", hp=1, reason="hurt, so that a spell heals it")
    await api.act(friend, "heal_other", player=who.id)

    async def has_all() -> bool:
        return len((await admin(api, "GET", f"{who.id}/inbox")).body["entries"]) == 4

    await wait_until(has_all, what="the letters have arrived")
    own = (await api.ask("GET", "/v1/players/me/inbox", token=who.token)).body["entries"]
    names = [friend.name, None, None, None]
    for limit in (1, 2, 4, 5):
        entries = await pages_of(api, f"{who.id}/inbox", limit)
        assert [entry.pop("sender_name") for entry in entries] == names, limit
        assert entries == own, limit
    assert_problem(await admin(api, "GET", f"{who.id}/inbox?cursor=x"), "bad_input")
    assert_problem(await admin(api, "GET", "5/inbox"), "player_not_found")


async def test_past_places_have_pages(api: Api, node: InProcessNode) -> None:
    who, count = await api.sign_up("mage"), 7
    async with connected(node.core.databases[node.core.settings.control.database].url) as connection:
        await connection.execute(MANY.split(";")[1], int(who.id), count)
    expected = [(n // 2, ["exp", "mage"][n % 2], n) for n in range(1, count + 1)]
    expected.sort(key=lambda place: (-place[0], place[1]))
    for limit in (1, 2, 7, 8):
        entries = await pages_of(api, f"{who.id}/places", limit)
        assert [entry["score"] for entry in entries] == [score for *_, score in expected], limit
    assert [entry["board"] for entry in entries] == [board for _, board, _ in expected]
    assert {entry["start"][:4] for entry in entries} == {"1970"}
    for cursor in ("x", "1", ":", "1:", "x:exp", f"{'9' * 30}:exp", "-1:exp", "1:\u0000"):
        answer = await admin(api, "GET", f"{who.id}/places?cursor={quote(cursor)}")
        assert (answer.code, fields_of(answer.body)) == ("bad_input", ["cursor"]), cursor
    assert_problem(await admin(api, "GET", "5/places"), "player_not_found")


async def test_an_erased_player_is_nowhere_to_be_read(api: Api, node: InProcessNode) -> None:
    who, other = await api.sign_up("priest", name="Zyxwvut Qponm"), await api.sign_up("mage")
    renamed = await api.ask("POST", "/v1/players/me/name", token=who.token, body={"name": "Abracadab Rax"})
    assert renamed.status == 200, renamed.body
    await admin(api, "POST", f"{other.id}/corrections", hp=1, reason="hurt, so that a spell heals it")
    await api.act(who, "heal_other", player=other.id)
    await api.ask("GET", "/v1/players/me/feed", token=who.token)
    await api.act(who)
    await admin(api, "POST", f"{who.id}/notes", text="The brother of Abracadab Rax.")
    await admin(api, "POST", f"{who.id}/ban", said="Abracadab Rax, stop.", reason="a test")
    found = (await everywhere(node.core)).lower()
    assert "zyxwvut" in found
    assert "abracadab" in found
    assert f"{int(who.id)}" in found
    key = command_id()
    receipt = await admin(api, "POST", f"{who.id}/erasure", key=key, reason="article 17")
    assert receipt.status == 200, receipt.body
    assert (receipt.body["complete"], receipt.body["names"], receipt.body["erased"]["letters"]) == (True, 2, 1)
    assert not any(receipt.body["left"].values())
    left = (await everywhere(node.core)).lower()
    for name in ("zyxwvut", "qponm", "abracadab"):
        at = left.find(name)
        assert at < 0, left[max(at - 300, 0) : at + 100]
    assert (await admin(api, "GET", who.id)).code == "player_not_found"
    again = await admin(api, "POST", f"{who.id}/erasure", key=key, reason="article 17")
    assert (again.status, again.body["complete"]) == (200, True)
    taken = await api.sign_up("mage", name="Abracadab Rax")
    assert taken.id != who.id
    assert (await admin(api, "POST", f"{taken.id[:-1]}/erasure", reason="a test")).code == "player_not_found"


async def test_an_erasure_leaves_others_as_they_are(api: Api) -> None:
    who, other = await api.sign_up("priest"), await api.sign_up("mage")
    await admin(api, "POST", f"{other.id}/corrections", hp=1, reason="hurt, so that a spell heals it")
    await api.act(who, "heal_other", player=other.id)

    async def has_arrived() -> bool:
        return bool((await api.ask("GET", "/v1/players/me/inbox", token=other.token)).body["entries"])

    await wait_until(has_arrived, what="the letter has arrived")
    before = (await api.ask("GET", "/v1/players/me", token=other.token)).body
    assert (await admin(api, "POST", f"{who.id}/erasure", reason="a test")).status == 200
    assert (await api.ask("GET", "/v1/players/me", token=other.token)).body == before
    [letter] = (await api.ask("GET", "/v1/players/me/inbox", token=other.token)).body["entries"]
    assert letter["args"] == {"sender": who.id}
