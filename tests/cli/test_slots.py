"""`gameserver slots check`, `reconcile` and `accept` after a database went back in time."""

import json
from pathlib import Path

from gameserver.config.settings import Settings
from tests.support.command_line import CommandLine
from tests.support.deployment import connected
from tests.support.nodes import toml_of

BACK = "update players_lineage set timeline = timeline + 1"


async def test_what_went_back_is_shown_opened_and_decided_by_commands(
    command_line: CommandLine, settings: Settings, tmp_path: Path
) -> None:
    config = tmp_path / "gameserver.toml"
    config.write_text(toml_of(settings, settings.node.port))

    async def slots(*words: str) -> tuple[int, str]:
        done = await command_line.gameserver("slots", *words, "--config", str(config))
        return done.code, done.text

    assert await slots("check") == (0, "Every database owns what the map says.\n")
    async with connected(settings.database_url("one")) as one, connected(settings.database_url("two")) as two:
        # Database two forgets that it gave slot 40 to one, and that it got slot 41 from there.
        await one.execute("update slots set database = 'one', epoch = 3 where slot = 40 and \"group\" = 'players'")
        await one.execute("insert into players_owned_slots (slot, owned, epoch) values (40, true, 3)")
        await one.execute("update slots set epoch = 5 where slot = 41 and \"group\" = 'players'")
        await two.execute("update players_owned_slots set owned = false where slot = 41")
        await two.execute(BACK)
        code, found = await slots("check", "--json")
        assert code == 1
        assert {(row["about"], row["slots"], row["what"]) for row in json.loads(found)} == {
            ("two", "", "closed"), ("players", "40", "released"), ("players", "41", "conflict"),
        }  # fmt: skip
        code, done = await slots("reconcile", "--reason", "two went back")
        assert code == 0
        assert "open again" in done
        owned = "select array_agg(slot order by slot) from players_owned_slots where owned and slot in (40, 41)"
        assert [await one.fetchval(owned), await two.fetchval(owned)] == [[40], None]
        assert (await slots("accept", "40", "--owner", "two", "--reason", "a guess"))[0] == 1
        assert (await slots("accept", "41", "--owner", "two", "--reason", "it has them"))[0] == 0
        assert await two.fetchval(owned) == [41]
        audited = "select array_agg(target || ': ' || reason order by id) from audit where action = 'slots_reconcile'"
        assert await one.fetchval(audited) == ["two: two went back", "players to two: it has them"]
    assert (await slots("check"))[0] == 0
