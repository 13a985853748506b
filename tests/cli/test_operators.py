"""`gameserver keys`, `audit` and `rank`, as operators use them."""

import csv
import io
import json
from pathlib import Path

import pytest

from gameserver.config.settings import Settings
from tests.support.client import Api
from tests.support.command_line import CommandLine
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
    taken = await command_line.gameserver("keys", "create", "ann", "--reason", "twice", "--config", config)
    assert (taken.code, "rotate it" in taken.errors) == (1, True)
    listed = json.loads(await keys("list", "--json"))
    assert [(row["name"], row["role"], row["state"]) for row in listed] == [
        ("tester", "operator", "holds"),
        ("ann", "support", "holds"),
    ]
    assert made["key"] not in json.dumps(listed)
    plain = await keys("rotate", "ann", "--grace", "3600", "--reason", "yearly")
    assert plain.startswith("hlk_")
    assert "2 keys revoked" in await keys("revoke", "ann", "--reason", "has left")
    await opens(403)
    bad = await command_line.gameserver("keys", "create", "a b", "--reason", "a blank", "--config", config)
    assert bad.code == 2
    found = await command_line.gameserver("audit", "--target", "ann", "--json", "--config", config)
    entries = json.loads(found.out)["entries"]
    assert [(entry["action"], entry["reason"], entry["ended"]) for entry in entries] == [
        ("key_revoke", "has left", "done"),
        ("key_rotate", "yearly", "done"),
        ("key_create", "twice", "conflict"),
        ("key_create", "new colleague", "done"),
    ]
    shown = await command_line.gameserver("audit", "--text", "colleague", "--config", config)
    assert "key_create" in shown.out
    assert "key_revoke" not in shown.out
    file = await command_line.gameserver("audit", "--export", "csv", "--config", config)
    assert len(list(csv.DictReader(io.StringIO(file.out)))) == 4


async def test_rank_filters_and_exports(api: Api, command_line: CommandLine, config: str) -> None:
    players = [await api.sign_up("mage" if number % 2 else "priest") for number in range(5)]
    await api.act(players[1])
    done = await command_line.gameserver("rank", "--class", "mage", "--csv", "--config", config)
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["id"] for row in rows] == [players[1].id, players[3].id]
    done = await command_line.gameserver("rank", "--name-part", players[4].name[3:], "--json", "--config", config)
    assert [entry["player"]["id"] for entry in json.loads(done.out)["entries"]] == [players[4].id]
    done = await command_line.gameserver("rank", "--banned", "--ndjson", "--config", config)
    assert (done.code, done.out) == (0, "")
    done = await command_line.gameserver("rank", "--min-level", "9", "--max-level", "3", "--config", config)
    assert (done.code, "max_level" in done.errors) == (1, True)
