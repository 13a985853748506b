"""Every change by an operator is in the audit log, those by the command line, too; and what is in it stays."""

import os
import pwd
import re
import socket
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from gameserver.cli.actor import actor
from gameserver.config.settings import Settings
from gameserver.storage.operators.audit import Audit, AuditedChange
from gameserver.storage.postgres.database import Database
from tests.support.command_line import CommandLine
from tests.support.deployment import connected
from tests.support.nodes import toml_of
from tests.support.repository import ROOT
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
        done = await command_line.gameserver(*words, "--reason", " ".join(words), "--config", str(config))
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
    assert {reason for *_, reason in noted} >= {"slots move 0 --to two", "databases add two", "nodes restart"}


async def test_questions_by_the_command_line_leave_nothing_in_the_audit_log(
    command_line: CommandLine, settings: Settings, config: Path
) -> None:
    for words in (("slots", "status"), ("slots", "moves"), ("databases", "list"), ("rank",)):
        done = await command_line.gameserver(*words, "--config", str(config))
        assert done.code == 0, done.text
    assert await entries(settings) == []


def superusers_url(servers: Servers, settings: Settings) -> str:
    database = settings.database_url("one").get_secret_value().rsplit("/", 1)[1]
    return f"{servers.postgres['one'].superuser_url.rsplit('/', 1)[0]}/{database}"


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
    url, superuser = settings.database_url("one").get_secret_value(), superusers_url(servers, settings)
    async with connected(SecretStr(url)) as connection:
        await connection.execute(
            "insert into audit (admin, action, target, reason, details) values ('a','b','c','d','{}')"
        )
    for address in (url, superuser):
        async with connected(SecretStr(address)) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    assert await entries(settings) == [("a", "b", "c", "d")]


async def test_a_log_that_was_given_away_as_the_page_says_grows_and_the_nodes_role_cant_undo_anything(
    servers: Servers, settings: Settings
) -> None:
    (recipe,) = re.findall(
        r"```sql\n(create role auditor.*?)```", (ROOT / "docs/operations.md").read_text("utf-8"), re.S
    )
    undoing = (
        "drop table audit", "drop table audit_ends", "alter table audit disable trigger all",
        "drop trigger audit_is_kept on audit", "drop function audit_is_kept() cascade",
        "create or replace function audit_is_kept() returns trigger language plpgsql as 'begin return new; end'",
        "alter schema public rename to old", "alter table audit rename to old", "truncate audit",
        "alter table audit owner to gameserver",
    )  # fmt: skip
    async with connected(SecretStr(superusers_url(servers, settings))) as superuser:
        await superuser.execute(recipe)
        try:
            control = Database("one", settings.database_url("one"))
            async with Audit(control).recorded(AuditedChange("ann", "ban", "7", "a reason")):
                pass
            await control.dispose()
            async with connected(settings.database_url("one")) as connection:
                for statement in undoing:
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await connection.execute(statement)
                assert await connection.fetchval("select ended from audit_ends") == "done"
        finally:
            await superuser.execute("reassign owned by auditor to gameserver; drop owned by auditor; drop role auditor")
    assert await entries(settings) == [("ann", "ban", "7", "a reason")]
