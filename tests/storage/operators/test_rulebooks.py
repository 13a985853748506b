"""Rulebooks have a number for ever, and every row that a rule made carries that of its own."""

import asyncio
import json
from pathlib import Path
from typing import Any

from gameserver.app import Core
from gameserver.app.looking_back import periods_of
from gameserver.commands import what_if
from gameserver.commands.what_if import Supposition
from gameserver.config.settings import Settings
from gameserver.rules.errors import Refused
from gameserver.storage.ids import slot_of
from gameserver.storage.ledger.periods import Period
from tests.support.command_line import CommandLine
from tests.support.deployment import act, connected, enlist, working
from tests.support.nodes import toml_of
from tests.support.repository import CONFIG


def with_game(settings: Settings, file: Path, old: str, new: str) -> Settings:
    """The same deployment under another game.toml."""
    text = (CONFIG / "game.toml").read_text("utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    return settings.model_copy(update={"game": file})


async def rows_of(core: Core, player_id: int) -> list[tuple[str, bool, int | None]]:
    """Action, whether it took effect, and the rulebook of each row, in order."""
    query = """select action, seed >= 0 as done, rules from ledger
               where slot = $1 and player_id = $2 order by version, seed < 0"""
    async with connected(core.slots.owner("players", slot_of(player_id)).url) as connection:
        return [tuple(row) for row in await connection.fetch(query, slot_of(player_id), player_id)]


async def test_rows_carry_the_rulebook_that_made_them_over_a_change_of_the_game(
    core: Core, settings: Settings, tmp_path: Path
) -> None:
    since, first = core.rooms.clock.now(), core.rulebook.number
    player = await enlist(core, exp=60_000)
    await act(core, player.id)
    changed = with_game(settings, tmp_path / "game.toml", "exp = 5\n", "exp = 6\n")
    async with working(changed) as other:
        second = other.rulebook.number
        while not (await act(other, player.id)).events[0]["won"]:
            pass
        try:
            while True:
                await act(other, player.id, "rest")
        except Refused:
            rests = [row for row in await rows_of(other, player.id) if row[0] == "rest"]
        records = other.commands.rollouts.library.records
        games: dict[int | None, str] = {each.number: each.game for each in await records.all()}
    rows = await rows_of(core, player.id)
    assert rows[:2] == [("sign_up", True, first), ("hunt", True, first)]
    assert {row[2] for row in rows[2:]} == {second} != {first}
    assert rests[-1] == ("rest", False, second)
    assert '"exp":6' in games[second]
    assert '"exp":6' not in games[first]
    period = Period(since, core.rooms.clock.now())
    tally = await what_if.suppose(periods_of(core), Supposition(core.rulebook, period), lambda _: None)
    assert tally.rules == {first: 1, second: tally.total.steps - 1}
    assert tally.total.exp[1] < tally.total.exp[0]


async def test_nodes_that_start_together_agree_on_a_new_number(settings: Settings, tmp_path: Path) -> None:
    changed = with_game(settings, tmp_path / "game.toml", "exp = 5\n", "exp = 7\n")

    async def number() -> int | None:
        async with working(changed) as core:
            return core.rulebook.number

    numbers = await asyncio.gather(*(number() for _ in range(3)))
    assert len(set(numbers)) == 1
    assert numbers[0] is not None
    assert await number() == numbers[0]


async def test_the_command_line_lists_rulebooks_and_shows_what_differs(
    core: Core, settings: Settings, tmp_path: Path, command_line: CommandLine
) -> None:
    first = core.rulebook.number
    async with working(with_game(settings, tmp_path / "game.toml", "exp = 5\n", "exp = 8\n")) as other:
        second = other.rulebook.number
    config = tmp_path / "gameserver.toml"
    config.write_text(toml_of(settings, settings.node.port))

    async def asked(*words: str) -> dict[str, Any]:
        done = await command_line.gameserver("rules", *words, "--config", str(config))
        assert done.code == 0, done.text
        answer: dict[str, Any] = json.loads(done.out)
        return answer

    changed = {"value": "foes.slime.exp", "first": 5, "second": 8}
    differences = await asked("diff", str(first), str(second), "--json")
    assert changed in differences["values"]
    assert "foes.wolf.exp" not in {row["value"] for row in differences["values"]}
    assert differences["same_code"] is True
    assert (await asked("show", str(second)))["number"] == second
    listed = await command_line.gameserver("rules", "list", "--config", str(config))
    assert [line.split()[0] for line in listed.out.splitlines()[1:]] == [str(second), str(first)]
    assert "this one" in listed.out.splitlines()[2]
    unknown = await command_line.gameserver("rules", "show", "9999", "--config", str(config))
    assert (unknown.code, unknown.errors) == (1, "There is no rulebook 9999.\n")
