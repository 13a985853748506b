"""What the command line changes is in the audit log with its end, like what is changed over HTTP."""

from pathlib import Path

from gameserver.config.settings import Settings
from tests.support.command_line import CommandLine
from tests.support.deployment import connected
from tests.support.nodes import InProcessNode, toml_of

ENTRIES = """
select a.action, a.target, e.ended, e.after::text from audit a left join audit_ends e on e.entry = a.id order by a.id
"""


async def test_changes_of_slots_databases_and_nodes_have_an_end(
    command_line: CommandLine, settings: Settings, node: InProcessNode, tmp_path: Path
) -> None:
    config = tmp_path / "gameserver.toml"
    config.write_text(toml_of(settings, settings.node.port))
    for words, code in (
        (("databases", "remove", "one"), 1),
        (("databases", "add", "two"), 0),
        (("slots", "move", "0-1", "--to", "two"), 0),
        (("slots", "cancel", "99"), 1),
        (("nodes", "drain", "node-9"), 1),
    ):
        done = await command_line.gameserver(*words, "--config", str(config))
        assert done.code == code, done.text
    async with connected(settings.database_url("one")) as control:
        entries = [tuple(row) for row in await control.fetch(ENTRIES)]
    assert entries == [
        ("database_remove", "one", "conflict", None),
        ("database_add", "two", "done", None),
        ("slots_move", "two", "done", '{"moves": [1]}'),
        ("slots_cancel", "99", "not_found", None),
        ("node_drain", "node-9", "refused", None),
    ]
