"""What operators ask over all databases."""

from typing import Any

import pytest

from tests.client import Api

CLASSES = ("warrior", "fighter", "mage", "priest")


async def pages(api: Api, **query: Any) -> list[dict[str, Any]]:
    """All players of a ranking by its pages of two."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        told = await api.admin("rankings", limit=2, **query, **cursor)
        assert told.status == 200, told.told
        found += [each["player"] for each in told.told["entries"]]
        if told.told["next_cursor"] is None:
            return found
        cursor = {"cursor": told.told["next_cursor"]}


async def populate(api: Api) -> None:
    for number in range(9):
        who = await api.sign_up(CLASSES[number % 4])
        for _ in range(number % 3):
            await api.act(who)


@pytest.mark.parametrize("by", ["exp", "level", "hp", "created_at"])
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_the_pages_of_a_ranking_are_its_exact_order_over_both_databases(api: Api, by: str, order: str) -> None:
    await populate(api)
    found = await pages(api, by=by, order=order)
    assert len({each["id"] for each in found}) == 9
    values = [each[by] for each in found]
    assert values == sorted(values, reverse=order == "desc")
    if by != "created_at":
        for value in set(values):
            ids = [int(each["id"]) for each in found if each[by] == value]
            assert ids == sorted(ids)


async def test_a_ranking_is_filtered_by_class_and_level(api: Api) -> None:
    await populate(api)
    mages = await pages(api, **{"class": "mage"})
    assert len(mages) == 2
    assert {each["class"] for each in mages} == {"mage"}
    assert await pages(api, min_level=50) == []
    assert len(await pages(api, max_level=50)) == 9
    assert (await api.admin("rankings", **{"class": "druid"})).code == "unknown_class"


async def test_stats_count_every_player_once(api: Api) -> None:
    await populate(api)
    told = (await api.admin("stats")).told
    assert told["players"] == 9
    assert told["by_class"] == {"warrior": 3, "fighter": 2, "mage": 2, "priest": 2}
    assert sum(told["by_database"].values()) == sum(told["by_level"].values()) == 9


async def test_only_an_admin_key_opens_the_admin_door(api: Api) -> None:
    who = await api.sign_up()
    assert (await api.ask("GET", "/admin/v1/stats")).status == 401
    assert (await api.ask("GET", "/admin/v1/stats", token=who.token)).status == 403
    assert (await api.ask("GET", "/admin/v1/rankings", token="wrong")).status == 403
    assert (await api.admin("rankings", cursor="x")).code == "bad_input"
    assert (await api.admin("rankings", limit=0)).code == "bad_input"
