"""What the command line changes is in the audit log with its end, like what is changed over HTTP."""

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gameserver.__main__ import cli
from gameserver.app import Core
from gameserver.cli.actor import actor
from gameserver.commands import sharding
from gameserver.commands.results import ChangedBy
from gameserver.config.settings import Settings
from gameserver.rules.errors import Conflict, GameError
from gameserver.storage.operators.audit_log import AuditQuestion
from gameserver.times import rfc3339
from tests.support.client import command_id
from tests.support.nodes import toml_of
from tests.transport.http.test_every_write import both_sides

WHY = ("--reason", "because")


async def entries(core: Core) -> list[tuple[object, ...]]:
    found, _ = await core.rooms.operators.audit.log.find(AuditQuestion(100))
    return [(entry.action, entry.target, entry.ended, entry.after) for entry in reversed(found)]


async def test_changes_of_slots_and_databases_have_an_end(core: Core) -> None:
    ann = ChangedBy("ann", "a test", command_id())
    with pytest.raises(Conflict):
        await sharding.remove(core.sharding, "one", ann)
    with pytest.raises(GameError):
        await sharding.cancel(core.sharding, 99, ann)
    (move,) = await sharding.begin(
        core.sharding, await sharding.plan_move(core.sharding, "players", [0, 1], "two"), ann
    )
    assert await core.sharding.moves.ordered(ann.command_id) == [move]
    await sharding.cancel(core.sharding, move, ann)
    with pytest.raises(Conflict):
        await sharding.drain(core.sharding, "two", [], ann)  # the move to it isn't over yet
    await sharding.drain(core.sharding, "one", [], ann)
    await sharding.resume(core.sharding, ann)
    found = await entries(core)
    assert [each[:3] for each in found] == [
        ("database_remove", "one", "conflict"),
        ("slots_cancel", "99", found[1][2]),
        ("slots_move", "two", "done"),
        ("slots_cancel", str(move), "done"),
        ("database_drain", "two", "conflict"),
        ("database_drain", "one", "done"),
        ("slots_resume", str(move), "done"),
    ]
    assert found[1][2] not in ("done", "internal", None)
    log, _ = await core.rooms.operators.audit.log.find(AuditQuestion(100))
    for entry in log:
        if entry.ended == "done":
            both_sides({"before": entry.before, "after": entry.after})
    (drained, cancelled, moved) = [entry for entry in log if entry.ended == "done" and entry.action != "slots_resume"]
    assert (moved.before or {})["databases"] == (moved.after or {})["databases"], "no slot has moved yet"
    assert ((moved.before or {})["moves"], (moved.after or {})["moves"]) == ([], [move])
    assert ((cancelled.before or {})["cancelled"], (cancelled.after or {})["cancelled"]) == (False, True)
    sides = [[each["draining"] for each in (side or {})["databases"]] for side in (drained.before, drained.after)]
    assert (set(sides[0]), set(sides[1])) == ({False}, {True})


async def test_a_change_of_nodes_has_an_end(core: Core, settings: Settings, tmp_path: Path) -> None:
    config = tmp_path / "gameserver.toml"
    config.write_text(toml_of(settings, settings.node.port))
    done = await asyncio.to_thread(CliRunner().invoke, cli, ["nodes", "drain", "node-9", *WHY, "--config", str(config)])
    assert done.exit_code == 1, done.output
    assert await entries(core) == [("node_drain", "node-9", "refused", None)]


async def test_a_restoration_and_what_it_puts_right_have_an_end(core: Core, settings: Settings, tmp_path: Path) -> None:
    config = tmp_path / "gameserver.toml"
    config.write_text(toml_of(settings, settings.node.port))
    since = rfc3339(core.commands.accounts.policy.now())
    for words, code in (
        (["restore", "--database", "two", "--to", since, "--yes", *WHY], 1),  # isn't embedded: can't be put in place
        (["restore", "--database", "two", "--to", "latest", "--yes", *WHY], 1),
        (["restore", "--database", "two", "--to", "latest", "--into", str(tmp_path / "past")], 1),  # to look at
        (["backups", "reconcile", "--database", "two", "--since", since, *WHY], 0),
    ):
        done = await asyncio.to_thread(CliRunner().invoke, cli, [*words, "--config", str(config)])
        assert done.exit_code == code, done.output
        ends = "latest" in words and "--into" not in words
        assert ("it ends, and it is away until it runs again" in " ".join(done.output.split())) is ends
    found, _ = await core.rooms.operators.audit.log.find(AuditQuestion(100))
    assert [(entry.action, entry.target, entry.details, entry.ended) for entry in reversed(found)] == [
        ("database_restore", "two", {"to": since, "timeline": None}, "refused"),
        ("database_restore", "two", {"to": "latest", "timeline": None}, "refused"),
        ("database_reconcile", "two", {"since": since}, "done"),
    ]
    assert {(entry.admin, entry.reason) for entry in found} == {(actor(), "because")}


async def test_players_that_are_loaded_and_boards_that_are_repaired_are_recorded(
    core: Core, settings: Settings, tmp_path: Path
) -> None:
    config = tmp_path / "gameserver.toml"
    config.write_text(toml_of(settings, settings.node.port))
    faulty = tmp_path / "faulty.toml"
    faulty.write_text("heroes = []")
    for words, code in (
        (["demo", "--players", "3"], 0),
        (["demo", "--file", str(tmp_path / "none.toml")], 1),  # before anything is tried
        (["demo", "--file", str(faulty)], 1),
        (["boards", "check", "exp", "--repair", *WHY], 1),  # without a node there is no board yet
        (["boards", "check", "exp"], 1),  # which changes nothing
    ):
        done = await asyncio.to_thread(CliRunner().invoke, cli, [*words, "--config", str(config)])
        assert done.exit_code == code, done.output
    found, _ = await core.rooms.operators.audit.log.find(AuditQuestion(100))
    assert [(entry.action, entry.target, entry.details, entry.ended) for entry in reversed(found)] == [
        ("demo", "players", {"players": 3}, "done"),
        ("demo", "players", {"file": "faulty.toml"}, "bad_input"),
        ("board_repair", "exp", {"boards": ["exp"], "season": "current"}, "board_unavailable"),
    ]
