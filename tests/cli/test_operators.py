"""`gameserver keys`, `audit` and `rank`, as operators use them."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest
from rich.cells import cell_len

from gameserver.cli.actor import actor
from gameserver.config.settings import Settings
from tests.support.client import ADMIN_KEY, Api, command_id
from tests.support.command_line import CommandLine
from tests.support.deployment import connected
from tests.support.nodes import InProcessNode, toml_of
from tests.support.wait import wait_until


@pytest.fixture
def config(settings: Settings, tmp_path: Path) -> str:
    path = tmp_path / "gameserver.toml"
    path.write_text(toml_of(settings, settings.node.port))
    return str(path)


async def test_a_key_is_made_used_listed_and_revoked(
    node: InProcessNode, api: Api, command_line: CommandLine, config: str
) -> None:
    async def keys(*words: str) -> str:
        done = await command_line.gameserver("keys", *words, "--config", config)
        assert done.code == 0, done.text
        return done.out

    made = json.loads(await keys("create", "ann", "--role", "support", "--reason", "new colleague", "--json"))

    async def opens(status: int) -> None:
        async def asked() -> bool:
            return (await api.ask("GET", "/admin/v1/slots", token=made["key"])).status == status

        await wait_until(asked)

    await opens(200)
    listed = json.loads(await keys("list", "--json"))
    assert [(row["name"], row["role"], row["state"]) for row in listed] == [
        ("tester", "operator", "holds"),
        ("ann", "support", "holds"),
    ]
    assert made["key"] not in json.dumps(listed)
    assert "1 keys revoked" in await keys("revoke", "ann", "--reason", "has left")
    await opens(403)
    found = await command_line.gameserver("audit", "--target", "ann", "--json", "--config", config)
    entries = json.loads(found.out)["entries"]
    assert [(entry["action"], entry["reason"], entry["ended"]) for entry in entries] == [
        ("key_revoke", "has left", "done"),
        ("key_create", "new colleague", "done"),
    ]


async def test_rank_filters_and_exports(api: Api, command_line: CommandLine, config: str) -> None:
    players = [await api.sign_up("mage" if number % 2 else "priest") for number in range(5)]
    await api.act(players[1])
    done = await command_line.gameserver("rank", "--class", "mage", "--csv", "--config", config)
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["id"] for row in rows] == [players[1].id, players[3].id]
    done = await command_line.gameserver("rank", "--name-part", players[4].name[3:], "--json", "--config", config)
    assert [entry["player"]["id"] for entry in json.loads(done.out)["entries"]] == [players[4].id]


async def test_rank_takes_a_saved_query_and_options_over_it(
    api: Api, command_line: CommandLine, config: str, node: InProcessNode
) -> None:
    players = [await api.sign_up("mage" if number % 2 else "priest") for number in range(5)]
    query = {"class": "mage", "by": "created_at", "order": "asc"}
    await node.core.rooms.operators.queries.put("mages", query, "ann")

    async def ranked(*words: str) -> list[str]:
        done = await command_line.gameserver("rank", *words, "--json", "--config", config)
        assert done.code == 0, done.text
        return [entry["player"]["id"] for entry in json.loads(done.out)["entries"]]

    assert await ranked("--saved", "mages") == [players[1].id, players[3].id]
    assert await ranked("--saved", "mages", "--class", "priest") == [players[number].id for number in (0, 2, 4)]
    unknown = await command_line.gameserver("rank", "--saved", "nobody", "--config", config)
    assert unknown.code != 0
    assert "nobody" in unknown.text


async def test_rank_tells_a_place_and_the_spread_as_the_api_does(
    api: Api, command_line: CommandLine, config: str
) -> None:
    players = [await api.sign_up("mage" if number % 2 else "priest") for number in range(5)]
    await api.act(players[1])

    async def ranked(*words: str, code: int = 0) -> str:
        done = await command_line.gameserver("rank", *words, "--config", config)
        assert done.code == code, done.text
        return done.text

    def alike(*answers: dict[str, object]) -> bool:
        return len({json.dumps({**answer, "as_of": ""}) for answer in answers}) == 1

    place = json.loads(await ranked("--place", players[3].id, "--class", "mage", "--json"))
    assert alike(place, (await api.admin(f"players/{players[3].id}/rank", **{"class": "mage"})).body)
    assert (place["rank"], place["of"]) == (2, 2)
    assert (await ranked("--place", players[3].id, "--class", "mage")).startswith("2 of 2, with exp 0; as of ")
    assert (await ranked("--place", players[0].id, "--class", "mage")).startswith("none of these 2, with exp 0; as of ")
    assert "no such player" in await ranked("--place", "7", code=1)
    found = json.loads(await ranked("--spread", "--percentiles", "50,99.5", "--bars", "3", "--json"))
    assert alike(found, (await api.admin("rankings/spread", percentiles="50,99.5", bars="3")).body)
    for by in ("exp", "created_at"):
        lines = (await ranked("--spread", "--by", by)).splitlines()
        assert max(cell_len(line.rstrip()) for line in lines) <= 80
        assert lines[-1].startswith("5 players, as of ")
    assert "percentiles: must be numbers above 0" in await ranked("--spread", "--percentiles", "0", code=1)
    await ranked("--spread", "--csv", code=2)
    only = json.loads(await ranked("--id", players[2].id, "--json"))["entries"]
    assert [entry["player"]["id"] for entry in only] == [players[2].id]
    await ranked("--class", "mage", "--min-level", "1", "--save", "mages", "--reason", "an event")
    saved = (await api.admin("queries")).body["queries"]
    assert [(each["name"], each["query"]) for each in saved] == [("mages", {"class": "mage", "min_level": "1"})]
    assert "name" in await ranked("--name", players[0].name, "--save", "one", "--reason", "x", code=1)


async def test_a_campaign_is_previewed_started_shown_and_revoked(
    node: InProcessNode, api: Api, command_line: CommandLine, config: str
) -> None:
    players = [await api.sign_up("mage") for _ in range(2)]

    async def campaigns(*words: str, code: int = 0) -> str:
        done = await command_line.gameserver("campaigns", *words, "--config", config)
        assert done.code == code, done.text
        return done.text

    letter = ("--text", "Sorry", "--item", "potion=2", "--class", "mage")
    assert "2 players." in await campaigns("preview", *letter)
    start = ("start", *letter, "--reason", "an outage")
    assert "There are 2 players in the segment, not 3." in await campaigns(*start, "--expected-count", "3", code=1)
    campaign = (await campaigns(*start, "--expected-count", "2")).split()[0]

    async def is_done() -> bool:
        return str((await api.admin(f"campaigns/{campaign}")).body["state"]) == "done"

    await wait_until(is_done, seconds=60)
    assert json.loads(await campaigns("show", campaign))["arrived"] == 2
    assert f"{campaign}  done: of 2 players 2 arrived" in await campaigns("list")
    got = (await api.ask("GET", "/v1/players/me/items", token=players[0].token)).body["items"]
    assert [(stack["item"], stack["count"]) for stack in got] == [("potion", 2)]
    # Another operator's, within the limit, as after a restore: it waits until somebody agrees.
    waiting = await node.core.commands.campaigns.records.find(campaign)
    assert waiting is not None
    other = replace(waiting, id=command_id(), admin="somebody else", state="waiting", arrived=0)
    await node.core.commands.campaigns.records.insert(other)
    assert "under way. An operator has to agree until" in " ".join((await campaigns("list")).split())
    reason = ("--reason", "as agreed")
    refused = await campaigns("agree", other.id, "--expected-count", "3", *reason, code=1)
    assert "There are 2 players in the segment, not 3." in refused
    async with connected(node.core.settings.database_url("one")) as connection:
        await connection.execute("update campaigns set postponed = '{5,0}' where id = $1", other.id)
    waits = f" 1 slots and 0 letters wait for database {node.core.slots.owner('players', 5).name}."
    agreed = " ".join((await campaigns("agree", other.id, "--expected-count", "2", *reason)).split())
    assert f"{other.id} running: of 2 players 0 arrived, 0 refused, 0 under way.{waits}" in agreed
    limit = node.core.commands.campaigns.above
    own = replace(other, id=command_id(), admin=actor(), counted=limit + 1)
    await node.core.commands.campaigns.records.insert(own)
    assert "So many fit that a second operator has to agree until" in " ".join((await campaigns("list")).split())
    await campaigns("agree", own.id, "--expected-count", str(limit + 1), *reason, code=1)
    assert f"{own.id}  revoked" in await campaigns("revoke", own.id, *reason)
    assert "it is done" in await campaigns("revoke", campaign, "--reason", "a test", code=1)


async def test_what_somebody_has_written_is_printed_as_it_is(api: Api, command_line: CommandLine, config: str) -> None:
    """What looks like markup, or the name of an emoji, would be left out, or end the command half-way."""
    written = "ticket [/x] 4711 [red] :cat: [b]"
    who = await api.sign_up("mage")

    async def said(*words: str, code: int = 0) -> str:
        done = await command_line.gameserver(*words, "--config", config)
        assert done.code == code, done.text
        return " ".join(done.text.split())

    start = ("campaigns", "start", "--text", written, "--class", "mage", "--reason", written, "--expected-count", "1")
    campaign = (await said(*start)).split()[0]
    (listed,) = [line for line in (await api.admin("campaigns")).body["campaigns"] if line["id"] == campaign]
    assert listed["reason"] == written
    assert campaign in await said("campaigns", "list")
    path = f"/admin/v1/players/{who.id}/sessions?{urlencode({'reason': written})}"
    assert (await api.ask("DELETE", path, token=ADMIN_KEY)).status == 200
    audited = await said("audit", "--action", "end_sessions")
    assert all(word in audited for word in written.split()), audited
    game = Path("config/game.toml").read_text("utf-8").replace("exp = 5\n", "exp = 6\n", 1)
    changed = Path(config).with_name("changed.toml")
    changed.write_text(game)
    await said("rules", "publish", "--game", str(changed), "--in", "60", "--reason", written)
    ordered = await said("rules", "orders")
    assert all(word in ordered for word in written.split()), ordered


@pytest.mark.parametrize("reason", [" ", "\u200b", "\x1b[2J", "\x9b2J", "two\nlines", "x" * 201])
async def test_a_reason_is_one_over_http_and_on_the_command_line(
    command_line: CommandLine, config: str, reason: str
) -> None:
    done = await command_line.gameserver("keys", "revoke", "ann", "--reason", reason, "--config", config)
    assert (done.code, "Invalid value for '--reason'" in done.text) == (2, True), done.text
