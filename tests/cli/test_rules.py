"""`gameserver rules publish`, `orders`, `cancel` and `revert`."""

import json
from pathlib import Path

from gameserver.app import Core
from gameserver.config.settings import Settings
from tests.support.command_line import CommandLine
from tests.support.nodes import toml_of


async def test_rules_are_previewed_published_listed_and_cancelled(
    core: Core, settings: Settings, tmp_path: Path, command_line: CommandLine
) -> None:
    config, game = tmp_path / "gameserver.toml", tmp_path / "other.toml"
    config.write_text(toml_of(settings, settings.node.port))
    game.write_text(settings.game.read_text("utf-8").replace("exp = 5\n", "exp = 6\n"), "utf-8")

    async def run(*words: str) -> tuple[int, str]:
        done = await command_line.gameserver("rules", *words, "--config", str(config))
        return done.code, done.text

    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'title = "\xe9"')
    code, text = await run("publish", "--game", str(latin), "--reason", "x", "--in", "60")
    assert (code, f"{latin} can't be read" in text.replace("\n", ""), "Traceback" in text) == (1, True, False), text
    order = ("publish", "--game", str(game), "--reason", "easier foes", "--in", "60")
    code, text = await run(*order, "--preview")
    assert (code, "foes.slime.exp" in text, "Nothing stands in the way." in text) == (0, True, True)
    code, text = await run(*order[:-2], "--at", "2020-01-01T00:00:00Z", "--preview")
    assert (code, "Its moment has come already." in text) == (0, True), text
    code, text = await run("revert", "--reason", "too easy", "--in", "60")
    assert (code, "there is none to go back to" in text) == (1, True)
    code, text = await run(*order)
    assert (code, "edition 1: rulebook 2 from" in text, "foes.slime.exp" in text) == (0, True, True), text
    listed = await command_line.gameserver("rules", "orders", "--json", "--config", str(config))
    assert [(each["edition"], each["state"]) for each in json.loads(listed.out)["orders"]] == [(1, "ordered")]
    code, text = await run(*order, "--edition", "5")
    assert (code, "Meanwhile edition 0 is in force, not 5" in text) == (1, True), text
    code, text = await run("cancel", "--edition", "2", "--reason", "a typo")
    assert (code, "No rulebook is ordered" in text) == (1, True), text
    code, text = await run("cancel", "--edition", "1", "--reason", "a typo")
    assert (code, "cancelled" in text) == (0, True)
    code, text = await run("publish", "--game", str(game), "--reason", "when?")
    assert (code, "give either --at or --in" in text, "--in-seconds" in text) == (2, True, False)
    assert core.rules.edition.number == 0
