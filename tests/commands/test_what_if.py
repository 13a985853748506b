"""The real ledger of a period under other rules: what differs, where it is read, and that nothing changes."""

import json
import tomllib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gameserver.app import Core
from gameserver.app.looking_back import periods_of
from gameserver.cli.replay_report import tables
from gameserver.commands import what_if
from gameserver.commands.what_if import Supposition
from gameserver.config.settings import Settings
from gameserver.rules.errors import Refused
from gameserver.rules.player import Player
from gameserver.rules.rulebook import Rulebook
from gameserver.rules.what_if_tally import WhatIfTally
from gameserver.stack.servers.replica import PostgresReplica
from gameserver.storage.ids import slot_of
from gameserver.storage.ledger import periods as reading
from gameserver.storage.ledger.periods import Period
from tests.support.client import Api
from tests.support.command_line import CommandLine
from tests.support.deployment import act, carrying, drained, enlist, ledger, move_slot, owner, working
from tests.support.nodes import toml_of
from tests.support.replicas import standing_replica, url_of, with_replica
from tests.support.repository import CONFIG
from tests.support.servers import Servers
from tests.support.wait import wait_until

GAME = CONFIG / "game.toml"


def other(change: Callable[[dict[str, Any]], object]) -> Rulebook:
    game = tomllib.loads(GAME.read_text("utf-8"))
    change(game)
    return Rulebook.parse(game)


async def suppose(
    core: Core, rulebook: Rulebook, since: datetime, players: int | None = None, seed: int = 0
) -> WhatIfTally:
    period = Period(since, core.rooms.clock.now() + timedelta(seconds=5))
    return await what_if.suppose(periods_of(core), Supposition(rulebook, period, players, seed), lambda _: None)


async def hunted(core: Core, player: Player, times: int) -> int:
    """Hunts until it is down, at most so often; how many hunts took effect."""
    for number in range(times):
        try:
            await act(core, player.id, "hunt", foe="wolf")
        except Refused:
            return number
    return times


async def told(core: Core, *players: Player) -> list[list[dict[str, Any]]]:
    return [[dict(row) for row in await ledger(core, player.id)] for player in players]


async def played(core: Core) -> list[Player]:
    """Players on both databases who have hunted, rested, healed each other and used what they found."""
    players = [await enlist(core, "priest", exp=60_000, database=name) for name in ("one", "two", "one")]
    async with carrying(core):
        for player in players:
            await hunted(core, player, 12)
        hurt, healer = players[0], players[1]
        with pytest.raises(Refused):
            await act(core, healer.id, "use", item="potion", count=90)
        await act(core, healer.id, "heal_other", player=str(hurt.id))
        await act(core, hurt.id, "heal")
        await drained(core)
    return players


async def test_the_same_rules_differ_in_nothing_also_from_the_middle(core: Core, monkeypatch: Any) -> None:
    monkeypatch.setattr(reading, "ROWS", 5)
    monkeypatch.setattr(reading, "PLAYERS", 1)
    players = await played(core)
    rows = await told(core, *players)
    middle = rows[0][5]["at"]
    for since in (core.rooms.clock.now() - timedelta(hours=1), middle):
        tally = await suppose(core, core.rulebook, since)
        assert tally.total.players == 3
        assert tally.total.steps == sum(row["at"] >= since for each in rows for row in each if row["version"] > 1)
        assert tally.total.exp[0] == tally.total.exp[1] > 0
        assert tally.granted[0] == tally.granted[1]
        assert (tally.refused, tally.allowed, tally.shifts(), tally.unknown) == ({}, {}, [], 0)
    assert await told(core, *players) == rows


async def test_other_rules_show_who_would_differ_and_what_would_be_refused(core: Core) -> None:
    since = core.rooms.clock.now()
    players = await played(core)

    def harder(game: dict[str, Any]) -> None:
        game["foes"]["wolf"] |= {"exp": 1500, "drops": []}
        game["actions"].pop("heal")

    tally = await suppose(core, other(harder), since)
    assert tally.total.exp[1] == 100 * tally.total.exp[0] > 0
    assert tally.total.higher == len(tally.shifts()) == 3
    assert {shift.player_id for shift in tally.shifts()} == {player.id for player in players}
    assert tally.refused == {("heal", "unknown_action"): 1}
    assert tally.granted[0].total() > tally.granted[1].total() == 0
    sample = await suppose(core, other(harder), since, players=2)
    assert sample.total.players == 2


async def test_a_player_whose_slot_has_moved_is_read_once(core: Core) -> None:
    since = core.rooms.clock.now()
    player = await enlist(core, exp=60_000, database="one")
    hunts = await hunted(core, player, 5)
    await move_slot(core, slot_of(player.id), "two")
    tally = await suppose(core, core.rulebook, since)
    assert owner(core, player.id) == "two"
    assert (tally.total.players, tally.total.steps) == (1, hunts)


@pytest.fixture(scope="module")
def replica(servers: Servers) -> Iterator[PostgresReplica]:
    """Of database `one`."""
    with standing_replica(servers, "one-replica-w") as standing:
        yield standing


async def test_a_standby_is_read_where_there_is_one(settings: Settings, replica: PostgresReplica) -> None:
    async with working(with_replica(settings, url_of(replica, settings))) as core:
        since = core.rooms.clock.now()
        for database in ("one", "two"):
            await hunted(core, await enlist(core, exp=60_000, database=database), 3)

        async def is_there() -> bool:
            await core.replicas.compare()
            return core.replicas.fresh("one", 60) is not None

        await wait_until(is_there, 20, "the standby has come as far")
        periods = periods_of(core)
        period = Period(since, core.rooms.clock.now())
        tally = await what_if.suppose(periods, Supposition(core.rulebook, period), lambda _: None)
        assert tally.total.players == 2
        assert periods.sources == {core.replicas.all()[0].name, "two"}


async def test_the_command_line_reports_as_a_table_json_and_a_page(
    api: Api, settings: Settings, command_line: CommandLine, tmp_path: Path
) -> None:
    mage = await api.sign_up("mage", name="Ann Lee")
    for _ in range(6):
        await api.act(mage, foe="slime")
    config = tmp_path / "gameserver.toml"
    config.write_text(toml_of(settings, settings.node.port))
    text = GAME.read_text("utf-8")
    easier = tmp_path / "other.toml"
    easier.write_text(text.replace("win_chance = 80", "win_chance = 100").replace("exp = 5\n", "exp = 5000\n"))
    page = tmp_path / "report.html"
    words = ["replay", "--config", str(config), "--game", str(easier), "--since", "2026-01-01T00:00:00Z"]
    done = await command_line.gameserver(*words, "--json", "--html", str(page))
    assert done.code == 0, done.text
    report = json.loads(done.out)
    assert report["total"]["exp"]["changed"] > 100 * report["total"]["exp"]["recorded"]
    assert [player["id"] for player in report["players"]] == [mage.id]
    assert [(group["class"], group["level"]) for group in report["groups"]] == [("mage", 1)]
    assert mage.id in page.read_text("utf-8")
    assert [table.caption for table in tables(report)][-1] == "Whose EXP would differ most."
    done = await command_line.gameserver(*words, "--until", "2025-01-01T00:00:00Z")
    assert done.code == 1
    assert "since: must be before the end" in done.errors
    easier.write_text(text.replace("base = 50", "base = 0"))
    done = await command_line.gameserver(*words)
    assert done.code == 1
    assert "levels.base" in done.errors
