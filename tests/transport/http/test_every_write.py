"""Every change of operators has a reason, a command id, and an entry in the audit log with both sides of it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from gameserver.config.settings import Settings
from gameserver.transport.route import Route
from gameserver.transport.routes import ROUTES
from tests.support.client import ADMIN_KEY, Answer, Api, Signed, command_id
from tests.support.example_requests import path_of

WRITES = {route.name: route for route in ROUTES if route.key == "admin" and route.method != "GET"}
SESSIONS = {"open_console", "leave_console"}
"""Nobody is asked why it signs in or out, and what ends needs no command id."""
ELSEWHERE = {
    "agree_to_campaign": "test_campaigns.py",
    "cancel_move": "test_fleet.py",
    "drain_node": "test_node_drains.py",
    "resume_node": "test_node_drains.py",
    "revoke_campaign": "test_campaigns.py",
    "revert_rules": "is ordered as `publish_rules` is, by `rollouts._ordered`",
}
"""What one node, or one operator, can't do, or not for sure; their entries are judged by `both_sides` there."""
FACTS = {
    "replayed",
    "complete",
    "names",
    "erased",
    "left",
    "mentions",
    "unsearched",
    "backups",
    "revoked",
    "pending",
}
"""What only `after` has: how a change went, and nothing that was another way before."""

Fields = dict[str, Any]
Deed = Callable[[Api, Signed], Awaitable[tuple[dict[str, str], Fields]]]
"""Prepares a change of a new player, or of anything: the parts of its path besides the player's id, and its fields."""


def both_sides(entry: Mapping[str, Any]) -> None:
    """The entry says what was before and what is after, in the same words."""
    before, after = entry["before"], entry["after"]
    assert before, entry
    assert before.keys() <= after.keys(), entry
    assert after.keys() - before.keys() <= FACTS, entry


def fields_named(route: Route) -> set[str]:
    body = route.terms.body
    return {*route.terms.query.model_fields, *(() if body is None else body.model_fields)}


async def order(api: Api, name: str, parts: Mapping[str, str], fields: Fields, key: str | None = None) -> Answer:
    route, why = WRITES[name], {"reason": f"a test of {name}"}
    path = path_of(route, parts)
    if route.terms.body is None:
        path, sent = f"{path}?{urlencode(why | fields)}", None
    else:
        sent = why | fields
    return await api.ask(route.method, path, token=ADMIN_KEY, body=sent, key=key or command_id())


async def prepared(api: Api, name: str, parts: Mapping[str, str], /, **fields: Any) -> Any:
    answer = await order(api, name, parts, fields)
    assert answer.status < 300, (name, answer.body)
    return answer.body


def of_player(**fields: Any) -> Deed:
    async def deed(_: Api, __: Signed) -> tuple[dict[str, str], Fields]:
        return {}, fields

    return deed


async def lifting(api: Api, who: Signed) -> tuple[dict[str, str], Fields]:
    await prepared(api, "ban", {"id": who.id}, until="2100-01-02T03:04:05.000Z")
    return {}, {}


async def device(api: Api, who: Signed) -> tuple[dict[str, str], Fields]:
    return {"device": (await api.admin(f"players/{who.id}/devices")).body["devices"][0]["id"]}, {}


async def a_session(api: Api, who: Signed) -> tuple[dict[str, str], Fields]:
    listed = (await api.ask("GET", "/v1/sessions", token=who.token)).body["sessions"]
    return {"session": listed[0]["id"]}, {}


async def undone(api: Api, who: Signed) -> tuple[dict[str, str], Fields]:
    return {}, {"command_id": (await prepared(api, "correct", {"id": who.id}, exp=5))["command_id"]}


async def rolled_back(api: Api, who: Signed) -> tuple[dict[str, str], Fields]:
    moment = (await api.admin(f"players/{who.id}/ledger")).body["entries"][0]["at"]
    await prepared(api, "correct", {"id": who.id}, exp=5)
    return {}, {"to": moment.replace("Z", "999Z")}


async def new_key(_: Api, who: Signed) -> tuple[dict[str, str], Fields]:
    return {}, {"name": who.id, "role": "viewer"}


def named(first: str | None = None, **fields: Any) -> Deed:
    """A change of what is called by a name of its own, once `first` has made it."""

    async def deed(api: Api, who: Signed) -> tuple[dict[str, str], Fields]:
        made: dict[str, Fields] = {
            "save_query": {"query": {"class": "mage"}},
            "create_key": {"name": who.id, "role": "viewer"},
        }
        if first is not None:
            await prepared(api, first, {"name": who.id}, **made[first])
        return {"name": who.id}, fields

    return deed


async def campaign(api: Api, who: Signed) -> tuple[dict[str, str], Fields]:
    """To nobody: no player has such a level."""
    return {}, {"text": "Hello.", "items": {}, "filter": {"class": "mage", "min_level": 50}, "expected_count": 0}


async def kept(api: Api, who: Signed) -> tuple[dict[str, str], Fields]:
    await prepared(api, "drain_database", {"database": "two"})
    return {}, {}


DEEDS: dict[str, Deed] = {
    "add_note": of_player(text="was kind"),
    "ban": of_player(until="2100-01-02T03:04:05.000Z", said="for a while"),
    "correct": of_player(exp=5, items={"herb": 1}),
    "create_key": new_key,
    "delete_player": of_player(),
    "delete_query": named("save_query"),
    "end_device": device,
    "end_session": a_session,
    "end_sessions": of_player(),
    "erase": of_player(),
    "lift_ban": lifting,
    "proclaim": of_player(text="Back in ten minutes."),
    "rebuild_board": of_player(),
    "rename_player": of_player(name="Kind Name"),
    "revoke_key": named("create_key"),
    "roll_back": rolled_back,
    "rotate_key": named("create_key"),
    "save_query": named(query={"class": "mage"}),
    "send_mail": of_player(text="We are sorry.", items={"potion": 3}),
    "start_campaign": campaign,
    "undo": undone,
}
"""What the node of this file can do beside all others."""
ALONE: dict[str, Deed] = {
    "drain_database": of_player(),
    "keep_database": kept,
    "order_moves": of_player(group="players", slots="0-3", target="two"),
}
"""What needs a node of its own."""


def test_every_write_takes_a_reason_and_a_command_id() -> None:
    lacking = [name for name, route in WRITES.items() if "reason" not in fields_named(route)]
    assert set(lacking) == SESSIONS
    assert {name for name, route in WRITES.items() if not route.terms.takes_command_id} == SESSIONS


def test_the_entry_of_every_write_is_looked_at() -> None:
    assert WRITES.keys() - SESSIONS == DEEDS.keys() | ALONE.keys() | ELSEWHERE.keys() | {
        "publish_rules",
        "cancel_rules",
    }


@pytest.mark.parametrize("name", [*DEEDS, *(pytest.param(each, marks=pytest.mark.own_node) for each in ALONE)])
async def test_a_write_is_recorded_with_its_reason_and_both_sides(api: Api, name: str) -> None:
    who, key = await api.sign_up("mage"), command_id()
    parts, fields = await {**DEEDS, **ALONE}[name](api, who)
    answer = await order(api, name, {"id": who.id, **parts}, fields, key)
    assert answer.status < 300, answer.body
    (entry,) = (await api.admin("audit", command_id=key)).body["entries"]
    assert (entry["ended"], entry["reason"], entry["command_id"]) == ("done", f"a test of {name}", key)
    both_sides(entry)


@pytest.mark.own_node
async def test_so_are_orders_of_rules(api: Api, settings: Settings) -> None:
    keys = [command_id(), command_id()]
    game = settings.game.read_text("utf-8").replace("exp = 5\n", "exp = 6\n")
    for name, key, fields in (
        ("publish_rules", keys[0], {"game": game, "in_seconds": 3600}),
        ("cancel_rules", keys[1], {}),
    ):
        answer = await order(api, name, {}, fields, key)
        assert answer.status < 300, answer.body
        (entry,) = (await api.admin("audit", command_id=key)).body["entries"]
        assert (entry["ended"], entry["reason"]) == ("done", f"a test of {name}")
        both_sides(entry)


async def test_a_sign_in_and_a_sign_out_are_recorded_with_both_sides(api: Api) -> None:
    opened = await api.ask("POST", "/admin/v1/session", token=ADMIN_KEY, body={})
    cookie = opened.headers["Set-Cookie"].partition(";")[0]
    for _ in range(2):
        left = await api.ask("DELETE", "/admin/v1/session", token=ADMIN_KEY, Cookie=cookie)
        assert left.status == 204
    entries = (await api.admin("audit", target="tester", limit=2)).body["entries"]
    assert [(entry["action"], entry["ended"]) for entry in entries] == [
        ("console_sign_out", "done"),
        ("console_sign_in", "done"),
    ]
    for entry in entries:
        both_sides(entry)
    ends = [(entry["before"]["session_ends_at"], entry["after"]["session_ends_at"]) for entry in entries]
    assert ends == [(opened.body["expires_at"], None), (None, opened.body["expires_at"])]


async def test_a_notes_reason_may_be_left_out_as_its_text_is_one(api: Api) -> None:
    """The text itself isn't in the log: an erasure takes it away with the note."""
    who, key = await api.sign_up("mage"), command_id()
    path = f"/admin/v1/players/{who.id}/notes"
    added = await api.ask("POST", path, token=ADMIN_KEY, key=key, body={"text": "was kind"})
    assert added.status == 201, added.body
    (entry,) = (await api.admin("audit", command_id=key)).body["entries"]
    assert (entry["reason"], entry["after"]) == ("a note", {"note": added.body["id"]})
    assert "was kind" not in str(entry)
    both_sides(entry)
