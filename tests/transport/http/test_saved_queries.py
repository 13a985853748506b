"""Queries of rankings that operators save for each other: kept whole, audited, bounded, and none names a player."""

from typing import Any
from unicodedata import normalize
from urllib.parse import quote

import pytest

from gameserver.commands import saved_queries as queries_of
from gameserver.storage.operators import saved_queries
from gameserver.storage.operators.saved_queries import SavedQueries
from tests.support.client import ADMIN_KEY, Answer, Api, command_id
from tests.support.nodes import InProcessNode
from tests.transport.doors import fields_of

pytestmark = pytest.mark.own_node

QUERY = {"class": "mage", "min_level": "1", "by": "hp", "order": "asc", "banned": "false"}


async def save(api: Api, name: str, query: Any, **more: Any) -> Answer:
    body = {"reason": "for the spring event", "query": query}
    return await api.ask("POST", f"/admin/v1/queries/{quote(name, safe='')}", token=ADMIN_KEY, body=body, **more)


async def names(api: Api) -> list[str]:
    return [saved["name"] for saved in (await api.admin("queries")).body["queries"]]


async def test_a_saved_query_comes_back_as_it_was_and_rankings_take_it(api: Api) -> None:
    await api.sign_up("mage", "Merlin")
    await api.sign_up("warrior", "Conan")
    saved = await save(api, "봄 이벤트", QUERY)
    assert (saved.status, saved.body["query"], saved.body["admin"]) == (200, QUERY, "tester")
    (listed,) = (await api.admin("queries")).body["queries"]
    assert listed == saved.body
    found = (await api.admin("rankings", **listed["query"])).body["entries"]
    assert [entry["player"]["name"] for entry in found] == ["Merlin"]


def query_of(shown: Any) -> Any:
    """Of what the audit log shows of a saved query."""
    return shown and shown["query"]


async def test_saving_again_replaces_and_each_change_is_audited_with_before_and_after(api: Api) -> None:
    first, second, last = command_id(), command_id(), command_id()
    await save(api, "mages", QUERY, key=first)
    await save(api, "mages", {"class": "priest"}, key=second)
    assert (await api.admin("queries")).body["queries"][0]["query"] == {"class": "priest"}
    path = "/admin/v1/queries/mages?reason=over"
    assert (await save(api, "mages", QUERY, key=first)).body["query"] == QUERY, "the first answer"
    assert (await api.admin("queries")).body["queries"][0]["query"] == {"class": "priest"}, "and the last one stays"
    assert (await save(api, "mages", {"class": "priest"}, key=first)).code == "command_mismatch"
    assert [(await api.ask("DELETE", path, token=ADMIN_KEY, key=last)).status for _ in range(2)] == [204, 204]
    assert (await api.ask("DELETE", path, token=ADMIN_KEY)).code == "query_not_found"
    assert await names(api) == []
    log = (await api.admin("audit", target="mages")).body["entries"]
    shown = [(each["action"], query_of(each["before"]), query_of(each["after"]), each["ended"]) for each in log]
    assert shown == [
        ("delete_query", None, None, "query_not_found"),
        ("delete_query", {"class": "priest"}, None, "done"),
        ("save_query", QUERY, {"class": "priest"}, "done"),
        ("save_query", None, QUERY, "done"),
    ]
    assert [each["command_id"] for each in log[1:]] == [last, second, first]
    assert {each["reason"] for each in log[2:]} == {"for the spring event"}


async def test_a_name_that_is_taken_is_replaced_unless_its_saver_says_otherwise(api: Api) -> None:
    await save(api, "mages", QUERY)
    body = {"reason": "mine", "query": {"class": "priest"}, "replace": False}
    refused = await api.ask("POST", "/admin/v1/queries/mages", token=ADMIN_KEY, body=body)
    assert (refused.status, refused.code) == (409, "conflict"), refused.body
    assert (await api.admin("queries")).body["queries"][0]["query"] == QUERY
    assert (await api.ask("POST", "/admin/v1/queries/priests", token=ADMIN_KEY, body=body)).status == 200


async def test_names_that_differ_only_in_how_they_were_typed_are_one(api: Api, node: InProcessNode) -> None:
    typed, composed = "A\u0308x", "\u00c4x"
    assert (await save(api, typed, QUERY)).body["name"] == composed
    body = {"reason": "mine", "query": QUERY, "replace": False}
    for name in (typed, composed):
        path = f"/admin/v1/queries/{quote(name)}"
        assert (await api.ask("POST", path, token=ADMIN_KEY, body=body)).code == "conflict"
    await SavedQueries(node.core.databases["one"]).put(typed, {}, "ann")  # by an earlier version
    path = f"/admin/v1/queries/{quote(typed)}?reason=twice"
    assert (await api.ask("DELETE", path, token=ADMIN_KEY)).status == 204
    assert await names(api) == [composed]
    assert (await queries_of.find(node.core.commands.operations, typed)).name == composed


async def test_a_change_of_a_query_is_the_same_when_it_is_sent_again_however_its_name_was_typed(
    api: Api, node: InProcessNode
) -> None:
    typed, composed = "A\u0308x", "\u00c4x"
    stored = SavedQueries(node.core.databases["one"])
    for name in (composed, typed):  # the second one by an earlier version
        await stored.put(name, {}, "ann")
        saving, deleting = command_id(), command_id()
        assert (await save(api, typed, QUERY, key=saving)).body["name"] == name
        path = f"/admin/v1/queries/{quote(typed)}?reason=over"
        assert [(await api.ask("DELETE", path, token=ADMIN_KEY, key=deleting)).status for _ in range(2)] == [204, 204]
        assert (await save(api, typed, QUERY, key=saving)).body["name"] == name, "the first answer"
        other = await api.ask("DELETE", "/admin/v1/queries/other?reason=over", token=ADMIN_KEY, key=deleting)
        assert other.code == "command_mismatch"
    assert await names(api) == []


async def test_a_name_may_have_more_letters_as_it_was_typed_than_as_it_is_kept(api: Api) -> None:
    composed = "\uac01" * 30
    typed = normalize("NFD", composed)
    assert len(typed) > 64
    assert (await save(api, typed, QUERY)).body["name"] == composed
    path = f"/admin/v1/queries/{quote(typed)}?reason=over"
    assert (await api.ask("DELETE", path, token=ADMIN_KEY)).status == 204


BAD: list[tuple[str, Any, str]] = [
    ("a/b", QUERY, "name"),
    ("<b>", QUERY, "name"),
    (" blank", QUERY, "name"),
    ("x" * 65, QUERY, "name"),
    ("mages", {"name": "Merlin"}, "query.name"),
    ("mages", {"name_part": "erl"}, "query.name_part"),
    ("mages", {"id": "1"}, "query.id"),
    ("mages", {"min_level": "07"}, "query.min_level"),
    ("mages", {"banned": "yes"}, "query.banned"),
    ("mages", {"min_level": "5", "max_level": "4"}, "max_level"),
    ("mages", {"min_level": 5}, "query.min_level"),
    ("mages", "class=mage", "query"),
]


async def test_what_cant_be_asked_or_names_a_player_isnt_saved(api: Api) -> None:
    for name, query, field in BAD:
        refused = await save(api, name, query)
        assert (refused.status, fields_of(refused.body)) == (422, [field]), (name, query, refused.body)
    assert (await save(api, "mages", {"class": "nobody"})).code == "unknown_class"
    assert await names(api) == []


async def test_there_are_never_more_than_the_most(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_queries, "MOST", 2)
    queries = SavedQueries(node.core.databases["one"])
    for name in ("a", "b"):
        await queries.put(name, {}, "ann")
    assert (await save(api, "c", QUERY)).code == "too_many_queries"
    assert (await save(api, "b", QUERY)).status == 200
    assert await names(api) == ["a", "b"]
