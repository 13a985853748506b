"""Every change by an operator is in the audit log, those by the command line, too; and what is in it stays."""

import os
import pwd
import socket
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from gameserver.cli.actor import actor
from gameserver.config.settings import Settings
from tests.support.command_line import CommandLine
from tests.support.deployment import connected
from tests.support.nodes import toml_of
from tests.support.servers import Servers


@pytest.fixture
def config(settings: Settings, tmp_path: Path) -> Path:
    path = tmp_path / "gameserver.toml"
    path.write_text(toml_of(settings, settings.node.port))
    return path


async def entries(settings: Settings) -> list[tuple[Any, ...]]:
    async with connected(settings.database_url("one")) as control:
        return [
            tuple(row) for row in await control.fetch("select admin, action, target, reason from audit order by id")
        ]


async def test_changes_by_the_command_line_are_in_the_audit_log_with_the_account_and_the_machine(
    command_line: CommandLine, settings: Settings, config: Path
) -> None:
    for words in (
        ("slots", "move", "0", "--to", "two"),
        ("slots", "move", "0", "--to", "one"),
        ("databases", "drain", "two"),
        ("databases", "add", "two"),
        ("slots", "rebalance", "--group", "players"),
        ("nodes", "restart"),
    ):
        done = await command_line.gameserver(*words, "--config", str(config))
        assert (done.code == 0) == (words[0] != "nodes"), done.text
    who = f"{pwd.getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"
    noted = await entries(settings)
    assert {admin for admin, *_ in noted} == {actor()}
    assert actor().startswith(who[:64])
    kinds = [(action, target) for _, action, target, _ in noted]
    for entry in (
        ("slots_move", "two"), ("slots_move", "one"), ("database_drain", "two"), ("database_add", "two"),
        ("slots_rebalance", "two"), ("node_restart", ""),
    ):  # fmt: skip
        assert entry in kinds
    assert {reason for *_, reason in noted} == {"the command line"}


async def test_questions_by_the_command_line_leave_nothing_in_the_audit_log(
    command_line: CommandLine, settings: Settings, config: Path
) -> None:
    for words in (("slots", "status"), ("slots", "moves"), ("slots", "resume"), ("databases", "list"), ("rank",)):
        done = await command_line.gameserver(*words, "--config", str(config))
        assert done.code == 0, done.text
    assert await entries(settings) == []


@pytest.mark.parametrize(
    "statement",
    [
        "delete from audit",
        "truncate audit",
        "update audit set reason = 'another'",
        "delete from audit where false",
        "delete from audit_ends",
        "truncate audit_ends",
        "update audit_ends set ended = 'another'",
        "truncate audit, audit_ends",
    ],
)
async def test_the_nodes_role_and_a_superuser_cant_change_what_is_in_it(
    servers: Servers, settings: Settings, statement: str
) -> None:
    url = settings.database_url("one").get_secret_value()
    superuser = servers.postgres["one"].superuser_url.rsplit("/", 1)[0] + "/" + url.rsplit("/", 1)[1]
    async with connected(SecretStr(url)) as connection:
        await connection.execute(
            "insert into audit (admin, action, target, reason, details) values ('a','b','c','d','{}')"
        )
    for address in (url, superuser):
        async with connected(SecretStr(address)) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    assert await entries(settings) == [("a", "b", "c", "d")]
