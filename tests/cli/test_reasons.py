"""Whoever changes something by the command line says why, and that is what the audit log has."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from gameserver.__main__ import cli
from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.storage.operators.audit_log import AuditQuestion
from tests.support.deployment import connected
from tests.support.nodes import toml_of
from tests.transport.http.test_every_write import both_sides

QUESTIONS = {
    "audit", "backup", "backups follow", "backups list", "backups verify", "campaigns list", "campaigns preview",
    "campaigns show", "check", "databases list", "doctor", "failover list", "haproxy-config", "keys list",
    "new", "nodes list", "openapi", "replay", "rules diff", "rules list", "rules orders", "rules show", "seasons list",
    "seasons preview", "serve", "slots check", "slots moves", "slots status", "up",
}  # fmt: skip
"""Commands that change nothing of a deployment that others use, or run it."""
UNASKED = {"demo", "migrate"}
"""Changes without a reason: a deployment's first ones."""
SINCE = "2026-11-28T17:30:00Z"
CHANGES = (
    ("slots", "move", "0", "--to", "two"),
    ("slots", "cancel", "99"),
    ("slots", "accept", "0", "--owner", "one"),
    ("databases", "drain", "two"),
    ("databases", "remove", "two"),
    ("databases", "add", "two"),
    ("slots", "rebalance", "--group", "players"),
    ("nodes", "add", "127.0.0.1:1"),
    ("nodes", "drain", "node-9"),
    ("nodes", "remove", "node-9"),
    ("nodes", "restart"),
    ("restore", "--database", "two", "--to", SINCE, "--yes"),
    ("backups", "reconcile", "--database", "two", "--since", SINCE),
    ("boards", "check", "exp", "--repair"),
    ("boards", "rebuild", "nothing"),
    ("seasons", "close", "dragons_weekly"),
    ("keys", "create", "ann"),
    ("keys", "rotate", "ann"),
    ("keys", "revoke", "ann"),
    ("rank", "--class", "mage", "--save", "mages"),
    ("looks",),
)
UNRECORDED = {"slots accept", "boards rebuild", "seasons close"}
"""What is refused here before it is recorded."""


MADE = {
    "slots_move",
    "database_drain",
    "slots_rebalance",
    "key_create",
    "key_rotate",
    "key_revoke",
    "save_query",
    "looks",
}
"""What is carried out here, so that its entry has what is there after it."""


def leaves(command: Any, *path: str) -> dict[str, Any]:
    below = getattr(command, "commands", None)
    if below is None:
        return {" ".join(path): command}
    return {name: leaf for word, each in below.items() for name, leaf in leaves(each, *path, word).items()}


def test_every_command_that_changes_something_takes_a_reason() -> None:
    commands = leaves(get_command(cli))
    takes = {name for name, command in commands.items() if "reason" in {option.name for option in command.params}}
    assert set(commands) - takes == QUESTIONS | UNASKED
    assert {" ".join(words[:2]) for words in CHANGES if words[0] in ("slots", "databases", "nodes")} <= takes


@pytest.mark.family(6)
@pytest.mark.parametrize("words", CHANGES, ids=" ".join)
async def test_a_change_without_a_reason_is_refused(settings: Settings, tmp_path: Path, words: tuple[str, ...]) -> None:
    done = await invoked(settings, tmp_path, words)
    assert done.exit_code == 2, done.output
    assert "reason" in done.output


async def test_the_audit_log_has_the_reason_that_was_given(core: Core, settings: Settings, tmp_path: Path) -> None:
    for words in CHANGES:
        await invoked(settings, tmp_path, (*words, "--reason", " ".join(words)))
    found, _ = await core.rooms.operators.audit.log.find(AuditQuestion(100))
    reasons = {entry.reason for entry in found}
    assert reasons == {" ".join(words) for words in CHANGES if " ".join(words[:2]) not in UNRECORDED}
    assert all(entry.command_id is not None and entry.before is not None for entry in found), found
    for entry in found:
        if entry.ended == "done":
            both_sides({"before": entry.before, "after": entry.after})
    assert {entry.action for entry in found if entry.ended == "done"} >= MADE
    ids = {entry.reason: entry.command_id for entry in found if entry.action in ("slots_move", "database_drain")}
    assert len(ids) == 2
    async with connected(settings.database_url("one")) as control:
        moved = {str(row[0]) for row in await control.fetch("select distinct command_id from moves")}
    assert set(ids.values()) <= moved


async def invoked(settings: Settings, folder: Path, words: tuple[str, ...]) -> Any:
    config = folder / "gameserver.toml"
    config.write_text(toml_of(settings, settings.node.port))
    arguments = [*words, "--config", str(config)]
    return await asyncio.to_thread(CliRunner().invoke, cli, arguments, env={"COLUMNS": "200"})
