"""What operators ask of all players over HTTP: who fits, where one stands, percentiles, and files."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from gameserver.storage.operators import exports
from gameserver.storage.sessions import sightings
from gameserver.storage.sessions.sightings import Sightings
from tests.support.client import ADMIN_KEY, Answer, Api, Signed
from tests.support.nodes import InProcessNode
from tests.support.wait import wait_until
from tests.transport.doors import fields_of
from tests.transport.http.test_player_changes import change

pytestmark = pytest.mark.own_node


@pytest.fixture
async def players(api: Api) -> list[Signed]:
    """Nine players of four classes; every third has hunted, every fourth is banned."""
    names = ["Ada", "adam", "Bädam", "Eve", "Evelyn", "J-ohn", "Kim", "Ki_m", "Lo.u"]
    classes = ["warrior", "fighter", "mage", "priest"]
    signed = [await api.sign_up(classes[number % 4], name) for number, name in enumerate(names)]
    for who in signed[::3]:
        await api.act(who)
    for who in signed[::4]:
        body = {"reason": "a test"}
        assert (await api.ask("POST", f"/admin/v1/players/{who.id}/ban", token=ADMIN_KEY, body=body)).status == 200
    return signed


async def named(api: Api, path: str = "players", **query: Any) -> set[str]:
    answer = await api.admin(path, **{name: quote(str(value)) for name, value in query.items()})
    assert answer.status == 200, answer.body
    return {entry["player"]["name"] for entry in answer.body["entries"]}


async def test_players_are_found_by_id_name_parts_of_it_and_device(api: Api, players: list[Signed]) -> None:
    assert await named(api, id=players[3].id) == {"Eve"}
    assert await named(api, id="1") == set()
    assert await named(api, name="EVE") == {"Eve"}
    assert await named(api, name="Ev") == set()
    assert await named(api, name_begins="AD") == {"Ada", "adam"}
    assert await named(api, name_part="DA") == {"Ada", "adam", "Bädam"}
    assert await named(api, name_part="%") == set()
    assert await named(api, name_part="_") == {"Ki_m"}
    assert await named(api, device=players[5].device) == {"J-ohn"}
    assert await named(api, device="somebody-elses-device") == set()
    assert await named(api, name_part="da", banned="true") == {"Ada"}
    assert await named(api, id=players[3].id, name="Ada") == set()


async def test_names_are_searched_whatever_their_case_and_width(api: Api) -> None:
    for name in ("Ölaf Straße", "ΟΔΥΣΣΕΥΣ", "가온누리"):
        await api.sign_up("mage", name=name)
    assert await named(api, name_part="ölAF") == {"Ölaf Straße"}
    assert await named(api, name_begins="Ｏ\u0308laf\u3000Ｓ") == {"Ölaf Straße"}
    assert await named(api, name_part="σευς") == await named(api, name_part="σευσ") == {"ΟΔΥΣΣΕΥΣ"}
    assert await named(api, name_part="온") == await named(api, name_begins="가온") == {"가온누리"}
    assert await named(api, name_begins="온") == set()


async def test_a_renamed_player_is_found_by_its_new_name_alone_and_an_erased_one_by_none(api: Api) -> None:
    who = await api.sign_up("mage", name="Zyxwvut Qponm")
    assert await named(api, name_part="XWV") == {"Zyxwvut Qponm"}
    assert (await change(api, "POST", who, "/name", name="Abcdefg Hijkl")).status == 200
    assert await named(api, name_part="XWV") == await named(api, name_begins="zyx") == set()
    assert await named(api, name_part="fg h") == await named(api, name_begins="abc") == {"Abcdefg Hijkl"}
    assert (await change(api, "POST", who, "/erasure")).body["complete"] is True
    for part in ("xwv", "fg h", "a", "^", "^a"):
        assert await named(api, name_part=part) == set()
    assert await named(api, name_begins="abc") == set()


async def test_rankings_take_every_filter_and_their_pages_are_exact(api: Api, players: list[Signed]) -> None:
    assert await named(api, "rankings", banned="true") == {"Ada", "Evelyn", "Lo.u"}
    assert len(await named(api, "rankings", banned="false")) == 6
    assert await named(api, "rankings", created_until="2020-01-01T00:00:00Z") == set()
    assert len(await named(api, "rankings", created_since="2020-01-01T00:00:00+09:00")) == 9
    cursor: dict[str, str] = {}
    found = []
    while True:
        answer = await api.admin("rankings", limit=2, banned="false", by="created_at", order="asc", **cursor)
        found += [entry["player"]["name"] for entry in answer.body["entries"]]
        if answer.body["next_cursor"] is None:
            break
        cursor = {"cursor": answer.body["next_cursor"]}
    assert found == [who.name for number, who in enumerate(players) if number % 4]
    refused = await api.admin("rankings", limit=2, banned="true", by="created_at", order="asc", **cursor)
    assert fields_of(refused.body) == ["cursor"]


async def test_who_is_online_is_who_has_a_socket(api: Api, players: list[Signed]) -> None:
    await api.socket(players[2].token)

    async def only_that_one() -> bool:
        return await named(api, "rankings", online="true") == {"Bädam"}

    await wait_until(only_that_one)
    assert len(await named(api, "rankings", online="false")) == 8
    assert await named(api, "rankings", online="true", **{"class": "priest"}) == set()


async def test_a_player_has_a_rank_among_those_asked_for(api: Api, players: list[Signed]) -> None:
    newest = (await api.admin(f"players/{players[8].id}/rank", by="created_at")).body
    assert (newest["rank"], newest["of"], newest["below"]) == (1, 9, 8 / 9)
    free = (await api.admin(f"players/{players[7].id}/rank", by="created_at", order="asc", banned="false")).body
    assert (free["rank"], free["of"], free["below"]) == (6, 6, 0)
    other = (await api.admin(f"players/{players[7].id}/rank", banned="true")).body
    assert (other["rank"], other["of"], other["below"]) == (None, 3, None)
    assert (await api.admin("players/1/rank")).code == "player_not_found"


async def test_percentiles_and_bars_count_everybody_once(api: Api, players: list[Signed]) -> None:
    body = (await api.admin("rankings/spread", percentiles="0.5,50,100", bars=4)).body
    values = sorted([entry["player"]["exp"] for entry in (await api.admin("rankings")).body["entries"]])
    assert (body["players"], body["least"], body["most"]) == (9, values[0], values[-1])
    assert body["percentiles"] == [
        {"percentile": 0.5, "value": values[0]},
        {"percentile": 50.0, "value": values[4]},
        {"percentile": 100.0, "value": values[-1]},
    ]
    assert sum(bar["players"] for bar in body["histogram"]) == 9
    empty = (await api.admin("rankings/spread", min_level=99)).body
    assert (empty["players"], empty["least"], empty["histogram"]) == (0, None, [])
    created = (await api.admin("rankings/spread", by="created_at", percentiles="100")).body
    assert created["most"] == created["percentiles"][0]["value"]
    assert created["most"].endswith("Z")


async def test_a_file_has_what_the_pages_have(api: Api, players: list[Signed]) -> None:
    pages = [entry["player"] for entry in (await api.admin("rankings", by="hp")).body["entries"]]
    answer = await api.admin("rankings/export", by="hp")
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    shown = ("id", "name", "class", "level", "hp", "exp", "version", "created_at")
    assert [[row[name] for name in shown] for row in rows] == [[str(page[name]) for name in shown] for page in pages]
    assert {row["name"] for row in rows if row["banned"] == "True"} == {"Ada", "Evelyn", "Lo.u"}
    lines = (await api.admin("rankings/export", by="hp", format="ndjson", banned="true")).body.decode().splitlines()
    assert [json.loads(line)["name"] for line in lines] == [page["name"] for page in pages if page["banned"]]
    assert (await api.admin("rankings/export", format="ndjson", min_level=99)).body == b""
    assert len(players) == 9


async def test_players_are_ranked_chosen_and_exported_by_when_they_were_last_seen(
    api: Api, node: InProcessNode, players: list[Signed]
) -> None:
    core, hour = node.core, datetime(2035, 5, 5, 5, tzinfo=UTC)
    for number, who in enumerate(players[:3]):
        seen = Sightings(lambda: (hour + timedelta(hours=number, minutes=31)).timestamp())  # noqa: B023 (asked at once)
        seen.note(int(who.id))
        for database in core.slots.databases("players"):
            await sightings.write(core.slots, seen, database)
    first = (await api.admin("rankings", by="seen_at", limit=2)).body
    assert [entry["player"]["seen_at"] for entry in first["entries"]] == [
        "2035-05-05T07:00:00.000Z", "2035-05-05T06:00:00.000Z",
    ]  # fmt: skip
    second = (await api.admin("rankings", by="seen_at", limit=2, cursor=first["next_cursor"])).body["entries"]
    assert second[0]["player"]["seen_at"] == "2035-05-05T05:00:00.000Z"
    assert [entry["player"]["id"] for entry in first["entries"]] == [players[2].id, players[1].id]
    assert len(await named(api, seen_since="2035-05-05T05:00:00Z", seen_until="2035-05-05T07:00:00Z")) == 2
    assert len(await named(api, seen_until="2035-05-05T05:00:00Z")) == len(players) - 3
    assert (await api.admin(f"players/{players[1].id}/rank", by="seen_at")).body["rank"] == 2
    spread = (await api.admin("rankings/spread", by="seen_at", percentiles="100", bars=3)).body
    assert spread["percentiles"] == [{"percentile": 100, "value": "2035-05-05T07:00:00.000Z"}]
    lines = (await api.admin("rankings/export", by="seen_at", format="ndjson")).body.decode().splitlines()
    assert json.loads(lines[0])["seen_at"] == "2035-05-05T07:00:00.000Z"


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("rankings", {"banned": "yes"}, "banned"),
    ("rankings", {"online": "1"}, "online"),
    ("rankings", {"created_since": "now"}, "created_since"),
    ("rankings", {"min_level": 5, "max_level": 4}, "max_level"),
    (
        "rankings",
        {"created_since": "2026-01-02T00:00:00Z", "created_until": "2026-01-01T00:00:00Z"},
        "created_until",
    ),
    ("rankings", {"seen_since": "yesterday"}, "seen_since"),
    ("rankings", {"seen_since": "2026-01-02T00:00:00Z", "seen_until": "2026-01-01T00:00:00Z"}, "seen_until"),
    ("players", {"id": "me"}, "id"),
    ("players", {"name_part": ""}, "name_part"),
    ("players", {"name": "x" * 60}, "name"),
    ("players/1/rank", {"limit": 1}, "limit"),
    ("rankings/spread", {"percentiles": "0"}, "percentiles"),
    ("rankings/spread", {"percentiles": "101"}, "percentiles"),
    ("rankings/spread", {"percentiles": "nan"}, "percentiles"),
    ("rankings/spread", {"bars": 0}, "bars"),
    ("rankings/export", {"format": "xlsx"}, "format"),
]


async def test_a_bad_question_names_its_field(api: Api) -> None:
    for path, query, field in BAD:
        answer = await api.admin(path, **query)
        assert (answer.status, fields_of(answer.body)) == (422, [field]), (query, answer.body)


async def test_whether_a_ranking_can_be_exported_is_told_without_sorting_it(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.sign_up("mage", "Ann Lee")
    sorted_: list[str] = []
    monkeypatch.setattr(exports, "lines_of", lambda *_: sorted_.append("a database"))

    async def checked(**query: str) -> Answer:
        return await api.admin("rankings/export", check="true", **query)

    told = await checked(format="csv")
    assert (told.status, told.body) == (204, b"")
    assert sorted_ == []
    assert (await checked(format="xlsx")).status == 422
    async with node.core.rooms.operators.exports._turn:
        assert (await checked()).code == "overloaded"
