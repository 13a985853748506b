"""What operators ask over all databases."""

import base64
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.client import Api
from tests.support.servers import SLOTS
from tests.transport.doors import fields_of

pytestmark = pytest.mark.own_node

CLASSES = ("warrior", "fighter", "mage", "priest")


async def pages(api: Api, **query: Any) -> list[dict[str, Any]]:
    """All players of a ranking by its pages of two."""
    collected: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await api.admin("rankings", limit=2, **query, **cursor)
        assert answer.status == 200, answer.body
        collected += [entry["player"] for entry in answer.body["entries"]]
        if answer.body["next_cursor"] is None:
            return collected
        cursor = {"cursor": answer.body["next_cursor"]}


async def populate(api: Api) -> None:
    for number in range(9):
        who = await api.sign_up(CLASSES[number % 4])
        for _ in range(number % 3):
            await api.act(who)


@pytest.mark.family(3)
@pytest.mark.parametrize("by", ["exp", "level", "hp", "created_at"])
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_the_pages_of_a_ranking_are_its_exact_order_over_both_databases(api: Api, by: str, order: str) -> None:
    await populate(api)
    answer = await pages(api, by=by, order=order)
    assert len({result["id"] for result in answer}) == 9
    values = [result[by] for result in answer]
    assert values == sorted(values, reverse=order == "desc")
    if by != "created_at":
        for value in set(values):
            ids = [int(result["id"]) for result in answer if result[by] == value]
            assert ids == sorted(ids)


async def test_a_ranking_is_filtered_by_class_and_level(api: Api) -> None:
    await populate(api)
    mages = await pages(api, **{"class": "mage"})
    assert len(mages) == 2
    assert {mage["class"] for mage in mages} == {"mage"}
    assert await pages(api, min_level=50) == []
    assert len(await pages(api, max_level=50)) == 9
    assert (await api.admin("rankings", **{"class": "druid"})).code == "unknown_class"


RANKING = {"by": "exp", "order": "desc", "class": "mage", "min_level": 1, "max_level": 9}
OTHERS: list[dict[str, Any]] = [
    {"by": "level"}, {"by": "created_at"}, {"order": "asc"}, {"class": "priest"}, {"class": None}, {"min_level": 2},
    {"min_level": None}, {"max_level": 8},
]  # fmt: skip
GARBAGE = [
    "x", "=", "%00", "not a cursor", "é", "a 1 2", "0" * 256, "abcdef 1 -2", f"abcdef {1 << 63} 2", "abcdef 1 2 3",
    f"abcdef 1 {1 << 63}", "abcdef 1.5 2", "\x00 \x00 \x00", f"abcdef {'9' * 150} 1",
]  # fmt: skip


async def test_a_cursor_continues_its_own_ranking_and_no_other(api: Api) -> None:
    mages = [await api.sign_up("mage") for _ in range(3)]
    body = (await api.admin("rankings", limit=1, **RANKING)).body
    rest = (await api.admin("rankings", limit=5, cursor=body["next_cursor"], **RANKING)).body
    assert {entry["player"]["id"] for entry in body["entries"] + rest["entries"]} == {mage.id for mage in mages}
    for other in OTHERS:
        request = {name: value for name, value in {**RANKING, **other}.items() if value is not None}
        refused = await api.admin("rankings", cursor=body["next_cursor"], **request)
        assert (refused.code, fields_of(refused.body)) == ("bad_input", ["cursor"]), other
        assert "another ranking" in refused.body["errors"][0]["problem"], other


async def test_garbage_isnt_a_cursor(api: Api) -> None:
    for text in GARBAGE:
        for cursor in (text, base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")):
            for by in ("exp", "level", "created_at"):
                refused = await api.admin("rankings", by=by, cursor=quote(cursor))
                assert (refused.code, fields_of(refused.body)) == ("bad_input", ["cursor"]), (by, cursor)


async def test_the_map_has_every_slot_once_and_each_database_says_what_it_holds(api: Api) -> None:
    await populate(api)
    groups = (await api.admin("slots")).body["groups"]
    names = ["accounts", "items", "players"]
    assert [(group["group"], group["slots"]) for group in groups] == [(name, SLOTS) for name in names]
    for group in groups:
        assert [slot for own in group["ranges"] for slot in range(own["first"], own["last"] + 1)] == [*range(SLOTS)]
        assert [(own["database"], own["epoch"]) for own in group["ranges"]] == [("one", 1), ("two", 1)]
    databases = {database["name"]: database for database in (await api.admin("databases")).body["databases"]}
    stats = (await api.admin("stats")).body["by_database"]
    assert {name: database["players"] for name, database in databases.items()} == {"one": 0, "two": 0} | stats
    for database in databases.values():
        assert database["role"] == "primary"
        shares = sorted((own["group"], own["slots"]) for own in database["groups"])
        assert shares == [(name, SLOTS // 2) for name in names]
        assert database["bytes"] == sum(own["bytes"] for own in database["groups"]) > 100_000


async def test_stats_count_every_player_once(api: Api) -> None:
    await populate(api)
    body = (await api.admin("stats")).body
    assert body["players"] == 9
    assert body["by_class"] == {"warrior": 3, "fighter": 2, "mage": 2, "priest": 2}
    assert sum(body["by_database"].values()) == sum(body["by_level"].values()) == 9


async def test_only_an_admin_key_opens_the_admin_door(api: Api) -> None:
    who = await api.sign_up()
    assert (await api.ask("GET", "/admin/v1/stats")).status == 401
    assert (await api.ask("GET", "/admin/v1/stats", token=who.token)).status == 403
    assert (await api.ask("GET", "/admin/v1/rankings", token="wrong")).status == 403
    assert (await api.admin("rankings", cursor="x")).code == "bad_input"
    assert (await api.admin("rankings", limit=0)).code == "bad_input"
