"""Operators rename a player, end its sessions, write to it, ban and delete it; each after a preview that holds."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from gameserver.rules.errors import PresenceUnavailable
from tests.support.client import ADMIN_KEY, Answer, Api, Signed, command_id
from tests.support.deployment import assert_ledger_explains
from tests.support.nodes import InProcessNode
from tests.support.wait import wait_until
from tests.transport.doors import fields_of

pytestmark = pytest.mark.own_node


async def change(api: Api, method: str, who: Signed, what: str, key: str | None = None, **fields: Any) -> Answer:
    """A change with a reason, in the body or, of a DELETE, in the query; `preview=True` asks for what it would do."""
    query = ["preview=true"] if fields.pop("preview", False) else []
    if method == "DELETE":
        query.append(f"reason={fields.pop('reason', 'a+test')}")
    body = None if method == "DELETE" else {"reason": "a test", **fields}
    path = f"/admin/v1/players/{who.id}{what}" + ("?" + "&".join(query) if query else "")
    return await api.ask(method, path, token=ADMIN_KEY, body=body, key=key)


async def done(api: Api, method: str, who: Signed, what: str, **fields: Any) -> dict[str, Any]:
    answer = await change(api, method, who, what, **fields)
    assert answer.status == 200, answer.body
    body: dict[str, Any] = answer.body
    return body


async def audited(api: Api, who: Signed) -> list[tuple[str, str]]:
    """What the audit log has of the player: actions and how they ended, newest first."""
    entries = (await api.admin("audit", target=who.id)).body["entries"]
    return [(entry["action"], entry["ended"]) for entry in entries]


async def test_a_player_is_renamed_once_and_its_old_name_is_free(api: Api, node: InProcessNode) -> None:
    who, other = await api.sign_up("mage", name="Rude Name"), await api.sign_up("mage")
    shown = await done(api, "POST", who, "/name", name="Kind Name", preview=True)
    assert (shown["preview"], shown["changes"]) == (True, {"name": {"before": "Rude Name", "after": "Kind Name"}})
    assert await audited(api, who) == []
    assert (await api.ask("GET", "/v1/players/me", token=who.token)).body["name"] == "Rude Name"

    key = command_id()
    renamed = await done(api, "POST", who, "/name", key=key, name="Kind Name")
    assert (renamed["changes"], renamed["command_id"]) == (shown["changes"], key)
    again = await done(api, "POST", who, "/name", key=key, name="Kind Name")
    assert (again["replayed"], again["player"]["version"]) == (True, renamed["player"]["version"])
    assert (await change(api, "POST", who, "/name", key=key, name="Other Name")).code == "command_mismatch"
    assert (await api.ask("GET", "/v1/players/me", token=who.token)).body["name"] == "Kind Name"
    assert (await api.sign_up("mage", name="Rude Name")).id != who.id

    for preview in (True, False):
        assert (await change(api, "POST", other, "/name", name="KIND NAME", preview=preview)).code == "name_taken"
        bad = await change(api, "POST", other, "/name", name="x", preview=preview)
        assert (bad.code, fields_of(bad.body)) == ("bad_input", ["name"])
    assert (await change(api, "POST", Signed("5", "", "", ""), "/name", name="Nobody")).code == "player_not_found"
    entries = (await api.admin("audit", target=who.id)).body["entries"]
    assert "Name" not in str(entries), "names aren't in the audit log: an erasure couldn't take them out"
    await assert_ledger_explains(node.core, int(who.id))


async def is_signed_in(api: Api, token: str) -> bool:
    return (await api.ask("GET", "/v1/players/me", token=token)).status == 200


async def test_sessions_end_one_by_one_or_all_at_once(api: Api) -> None:
    who = await api.sign_up("mage")
    tokens = [who.token]
    for _ in range(2):
        opened = await api.ask("POST", "/v1/sessions", body={"device": who.device})
        tokens.append(opened.body["session"]["token"])
    listed = (await api.admin(f"players/{who.id}")).body["sessions"]
    assert len(listed) == 3
    path = f"/sessions/{listed[1]['id']}"
    shown = await done(api, "DELETE", who, path, preview=True)
    assert shown["changes"] == {"sessions": {"before": 3, "after": 2}}
    assert [await is_signed_in(api, token) for token in tokens] == [True] * 3
    key = command_id()
    assert (await done(api, "DELETE", who, path, key=key))["replayed"] is False
    assert (await done(api, "DELETE", who, path, key=key))["replayed"] is True
    assert sorted([await is_signed_in(api, token) for token in tokens]) == [False, True, True]
    assert (await change(api, "DELETE", who, path)).code == "session_not_found"
    assert (await change(api, "DELETE", who, "/sessions/x", preview=True)).code == "bad_input"

    shown = await done(api, "DELETE", who, "/sessions", preview=True)
    assert shown["changes"] == {"sessions": {"before": 2, "after": 0}}
    every = command_id()
    await done(api, "DELETE", who, "/sessions", key=every)
    assert [await is_signed_in(api, token) for token in tokens] == [False] * 3
    opened = await api.ask("POST", "/v1/sessions", body={"device": who.device})
    assert (await done(api, "DELETE", who, "/sessions", key=every))["replayed"] is True
    assert await is_signed_in(api, opened.body["session"]["token"]), "a retry ends nothing that was opened since"
    assert (await change(api, "DELETE", who, path, key=every)).code == "command_mismatch"
    entries = (await api.admin("audit", target=who.id)).body["entries"]
    sides = [(entry["before"], entry["after"]) for entry in entries if entry["ended"] == "done"]
    assert [(before["sessions"], after) for before, after in sides] == [
        (2, sides[0][0] | {"sessions": 0}), (3, sides[1][0] | {"sessions": 2})
    ]  # fmt: skip
    assert [entry for entry in await audited(api, who) if entry[1] == "done"] == [
        ("end_sessions", "done"), ("end_session", "done")
    ]  # fmt: skip


async def inbox(api: Api, who: Signed) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = (await api.ask("GET", "/v1/players/me/inbox", token=who.token)).body["entries"]
    return entries


async def items(api: Api, who: Signed) -> dict[str, int]:
    body = (await api.ask("GET", "/v1/players/me/items", token=who.token)).body
    return {stack["item"]: stack["count"] for stack in body["items"] if stack["count"]}


async def test_a_letter_with_items_arrives_once(api: Api, node: InProcessNode) -> None:
    who, key, text = await api.sign_up("mage"), command_id(), "<b>We are sorry</b>, 미안합니다."
    socket = await api.socket(who.token)
    letter = {"text": text, "items": {"potion": 90, "herb": 1}}
    shown = await done(api, "POST", who, "/mail", **letter, preview=True)
    assert shown["changes"] == {
        "items.herb": {"before": 0, "after": 1}, "items.potion": {"before": 0, "after": 90}
    }  # fmt: skip
    assert (await inbox(api, who), await items(api, who)) == ([], {})

    answers = await asyncio.gather(*(change(api, "POST", who, "/mail", key=key, **letter) for _ in range(4)))
    assert [answer.status for answer in answers] == [200] * 4, [answer.body for answer in answers]
    assert [answer.body["replayed"] for answer in answers].count(False) == 1
    [arrived] = await inbox(api, who)
    assert (arrived["kind"], arrived["sender"], arrived["args"]["text"]) == ("message", "0", text)
    assert await items(api, who) == {"potion": 90, "herb": 1}
    while (push := await socket.connection.receive_json(timeout=30))["push"] != "mail":
        pass
    assert push["data"] == arrived
    assert (await change(api, "POST", who, "/mail", key=key, text="Another one.")).code == "command_mismatch"

    more = await done(api, "POST", who, "/mail", text="More.", items={"potion": 20}, preview=True)
    assert more["changes"] == {"items.potion": {"before": 90, "after": 99}}
    assert more["left"] == ["Of 20 potion only 9 fit: what is beyond a full stack is lost."]
    sent = await done(api, "POST", who, "/mail", text="More.", items={"potion": 20})
    assert sent["left"] == more["left"]
    undone = await done(api, "POST", who, "/undo", command_id=(await inbox(api, who))[0]["mail_id"])
    assert undone["items"] == {"potion": -9}, "as much as it gave"
    undone = await done(api, "POST", who, "/undo", command_id=arrived["mail_id"])
    assert undone["items"] == {"potion": -90, "herb": -1}
    assert await items(api, who) == {}
    entries = (await api.admin("audit", target=who.id, action="mail")).body["entries"]
    assert [entry["ended"] for entry in entries] == ["done"] * len(entries)
    assert "sorry" not in str(entries)
    await assert_ledger_explains(node.core, int(who.id))


async def test_a_letter_that_arrives_while_redis_is_away_is_pushed_when_it_is_back(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = await api.sign_up("mage")
    socket = await api.socket(who.token)

    async def fail(*_: object) -> Sequence[int]:
        raise PresenceUnavailable("Redis is away.")

    with monkeypatch.context() as away:
        away.setattr(node.core.rooms.live.pushes, "keep_many", fail)
        await done(api, "POST", who, "/mail", text="We are sorry.")
    while (push := await socket.connection.receive_json(timeout=10))["push"] != "mail":
        pass
    assert push["data"]["args"]["text"] == "We are sorry."


BAD: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"text": ""}, "bad_input", ["text"]),
    ({"text": "x" * 1001}, "bad_input", ["text"]),
    ({"text": "Hello.", "items": {"sword": 1}}, "unknown_item", ["items.sword"]),
    ({"text": "Hello.", "items": {"herb": 0}}, "bad_input", ["items.herb"]),
    ({"text": "Hello.", "items": {"herb": "1"}}, "bad_input", ["items.herb"]),
    ({"text": "Hello.", "exp": 1}, "bad_input", ["exp"]),
    ({"text": "Hello.", "reason": ""}, "bad_input", ["reason"]),
]


async def test_a_bad_letter_is_refused_and_changes_nothing(api: Api) -> None:
    who = await api.sign_up("mage")
    for fields, code, problems in BAD:
        answer = await change(api, "POST", who, "/mail", **fields)
        assert (answer.code, fields_of(answer.body)) == (code, problems), (fields, answer.body)
    late = await change(api, "POST", who, "/mail", key=command_id(seconds_ago=50 * 3600), text="Hello.")
    assert late.code == "command_expired"
    assert (await change(api, "POST", Signed("5", "", "", ""), "/mail", text="Hello.")).code == "player_not_found"
    assert (await inbox(api, who), await audited(api, who)) == ([], [])


async def places(api: Api, who: Signed) -> dict[str, int]:
    return {place["board"]: place["entry"]["rank"] for place in (await api.admin(f"players/{who.id}")).body["places"]}


async def on_board(api: Api, who: Signed) -> bool:
    return (await api.ask("GET", f"/v1/boards/exp/ranks/{who.id}")).status == 200


async def test_bans_and_deletions_say_before_which_ranks_change(api: Api) -> None:
    who, better = await api.sign_up("mage"), await api.sign_up("mage")
    for player, exp in ((who, 50), (better, 60)):
        corrected = await change(api, "POST", player, "/corrections", exp=exp)
        assert corrected.status == 200, corrected.body

    async def is_placed() -> bool:
        return await places(api, who) == {"exp": 2, "mage": 2}

    async def is_gone() -> bool:
        return await places(api, who) == {}

    def ranks(answer: dict[str, Any]) -> dict[str, tuple[int | None, int | None]]:
        return {rank["board"]: (rank["before"], rank["after"]) for rank in answer["ranks"]}

    await wait_until(is_placed, what="both are on the boards")
    leaving = {"exp": (2, None), "mage": (2, None)}
    for preview in (True, False):
        past = await change(api, "POST", who, "/ban", until="2020-01-01T00:00:00Z", preview=preview)
        assert (past.code, fields_of(past.body)) == ("bad_input", ["until"])
        blank = await change(api, "POST", who, "/ban", reason="  ", preview=preview)
        assert (blank.code, fields_of(blank.body)) == ("bad_input", ["reason"])
    until = "2999-01-01T00:00:00.000Z"
    shown = await done(api, "POST", who, "/ban", until=until, preview=True)
    assert (shown["preview"], shown["command_id"], shown["banned"], ranks(shown)) == (True, None, True, leaving)
    assert shown["changes"]["until"] == {"before": None, "after": until}
    assert shown["changes"]["sessions"] == {"before": 1, "after": 0}
    assert await is_signed_in(api, who.token)
    assert await is_placed()

    await done(api, "POST", who, "/ban", until=until)
    await wait_until(is_gone, what="the player has left the boards")
    shown = await done(api, "POST", who, "/corrections", exp=70, preview=True)
    assert shown["ranks"] == [], "a banned player is on no board, whatever it becomes"
    shown = await done(api, "DELETE", who, "/ban", preview=True)
    assert (shown["banned"], ranks(shown)) == (False, {"exp": (None, 2), "mage": (None, 2)})
    assert (await api.admin(f"players/{who.id}")).body["banned"] is True
    await done(api, "DELETE", who, "/ban")
    await wait_until(is_placed, what="the player is back")

    for method, what in (("DELETE", ""), ("POST", "/erasure")):
        shown = await done(api, method, who, what, preview=True)
        assert (shown["preview"], shown["command_id"], ranks(shown)) == (True, None, leaving)
        assert shown["changes"]["name"] == {"before": who.name, "after": None}
    assert await is_placed()
    key = command_id()
    gone = await done(api, "DELETE", who, "", key=key)
    assert (gone["changes"]["name"]["before"], gone["replayed"]) == (who.name, False)
    assert await done(api, "DELETE", who, "", key=key) == {**gone, "replayed": True}, "the first answer"
    assert (await change(api, "DELETE", who, "")).code == "player_not_found"
    entries = (await api.admin("audit", target=who.id, action="delete")).body["entries"]
    assert [entry["ended"] for entry in entries] == ["player_not_found", "done"]
    gone_now = {"exists": False, "version": None, "level": None, "exp": None}
    assert entries[1]["after"] == gone_now | {"replayed": False}
    assert [entry["before"]["exists"] for entry in entries] == [False, True]
    assert entries[1]["before"]["exp"] == gone["player"]["exp"] == 50

    async def is_first() -> bool:
        return (await places(api, better), await on_board(api, who)) == ({"exp": 1, "mage": 1}, False)

    await wait_until(is_first, what="the deleted player has left the boards")
    assert (await api.sign_up("mage", name=who.name)).id != who.id, "its name is free"
    assert (await change(api, "POST", who, "/erasure")).body["complete"] is True
    again = await done(api, "DELETE", who, "", key=key)
    assert (again["player"]["name"], again["changes"]) == ("", {}), "erased"
