"""`gameserver backup`, `restore` and `backups` with databases at URLs, which `gameserver up` doesn't start."""

import asyncio
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from gameserver.app import backup_watch
from gameserver.app.restoring import passwords_of
from gameserver.config.backups import BackupSettings
from gameserver.config.servers import DatabaseSettings
from gameserver.config.settings import Settings, load
from gameserver.stack.clusters import failover_database
from gameserver.stack.processes.ports import free_port
from gameserver.stack.servers.standbys import ARCHIVE_SLOT
from gameserver.storage.sharding import provision
from gameserver.telemetry import BACKUP_LOG_FOLLOWED
from gameserver.waiting import cancel_and_wait
from tests.stack.conftest import open_folder, roomy
from tests.support.client import Api
from tests.support.command_line import CommandLine
from tests.support.deployment import connected
from tests.support.nodes import start_node, toml_of
from tests.support.repository import CONFIG
from tests.support.wait import wait_until

DROP = "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1 and not active"


@pytest.fixture
async def config(settings: Settings) -> AsyncIterator[Path]:
    """Settings with backups; whatever they take of the servers is gone afterwards."""
    with open_folder(roomy()) as folder:
        file = folder / "backups.toml"
        text = toml_of(settings, 8080) + f'\n[stack]\ndata = "{folder}/var"\n[backups]\nfolder = "{folder}/backups"\n'
        file.write_text(text, "utf-8")
        yield file
    for name in settings.databases:
        async with connected(settings.database_url(name)) as connection:
            await connection.execute(DROP, ARCHIVE_SLOT)


def following(config: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "gameserver", "backups", "follow", "--config", str(config)])


async def test_databases_at_urls_are_followed_backed_up_and_restored_into_a_folder(
    command_line: CommandLine, settings: Settings, config: Path
) -> None:
    words = ("--config", str(config))
    follower = following(config)
    try:
        await wait_until(
            lambda: len(list((config.parent / "backups").glob("*/wal/*/0001/*"))) >= 2, 60, "both followed"
        )
        made = await command_line.gameserver("backup", "two", *words)
        assert re.match(r"two: \d{8}T\d{9}, \d+ MiB, .* checked", made.out), made.text
        moment = datetime.now(UTC)
        async with connected(settings.database_url("two")) as connection:
            await connection.execute("create table too_late ()")
        restored = await command_line.gameserver(
            "restore", "--database", "two", "--to", moment.isoformat(), "--into", str(config.parent / "past"), *words
        )
        assert restored.code == 0, restored.text
        assert "on timeline 2; it waits in" in restored.out
        assert (config.parent / "past" / "PG_VERSION").exists()
        assert not (config.parent / "past" / "recovery.signal").exists()
    finally:
        follower.send_signal(signal.SIGINT)
        assert follower.wait(30) == 0
    listed = orjson.loads((await command_line.gameserver("backups", "list", "--json", *words)).out)
    assert {system["database"]: len(system["backups"]) for system in listed} == {"one": 0, "two": 1}
    await assert_measured(load(config), settings)
    assert (await command_line.gameserver("backups", "verify", "two", *words)).code == 0
    (file,) = (config.parent / "backups" / "two" / "base").glob("*/data/global/pg_control")
    file.write_bytes(file.read_bytes()[:-1])
    damaged = await command_line.gameserver("backups", "verify", *words)
    assert damaged.code == 1
    assert "damaged: global/pg_control has" in damaged.errors


async def test_one_database_that_is_down_keeps_nobody_elses_log_from_being_kept(config: Path) -> None:
    text, url = config.read_text("utf-8"), load(config).database_url("two").get_secret_value()
    away = re.sub(r":[0-9]+/", f":{free_port()}/", url)
    assert url in text
    config.write_text(text.replace(url, away), "utf-8")
    follower = following(config)
    try:
        await wait_until(
            lambda: follower.poll() is not None or list((config.parent / "backups").glob("one/wal/*/0001/*")),
            60,
            "one is followed",
        )
        assert follower.poll() is None
        assert await followed(load(config)) == {"one": 1, "two": 0}
    finally:
        follower.send_signal(signal.SIGINT)
        assert follower.wait(30) == 0


async def followed(settings: Settings) -> Mapping[str, float | None]:
    """What a node's metrics say of who keeps the log of each database, once they do."""

    def told() -> Mapping[str, float | None]:
        values = {name: {"database": name} for name in settings.databases}
        return {name: REGISTRY.get_sample_value("gameserver_backup_log_followed", of) for name, of in values.items()}

    databases = provision.open_databases(settings)
    databases.assign({"players": settings.databases})
    BACKUP_LOG_FOLLOWED.clear()
    watch = asyncio.create_task(backup_watch.watch_for_ever(settings, databases))
    try:
        await wait_until(lambda: None not in told().values(), 30, "it is measured")
        return told()
    finally:
        await cancel_and_wait([watch])
        await databases.close()


async def assert_measured(of_backups: Settings, settings: Settings) -> None:
    """A node tells the backups' number and age, and the age goes on growing when their folder is away."""
    folder = of_backups.backup_folder
    assert folder is not None

    async def measured() -> Mapping[str, float]:
        text = (await api.ask("GET", "/metrics")).body.decode()
        return {
            name: float(value)
            for name, value in re.findall(r'^(gameserver_backup\w*)\{database="two"\} (\S+)', text, re.M)
        }

    async def is_told() -> bool:
        return "gameserver_backup_age_seconds" in await measured()

    async with AsyncExitStack() as stack:
        node = await start_node(stack, settings.model_copy(update={"backups": BackupSettings(folder=folder)}))
        api = await stack.enter_async_context(Api(node.url))
        await wait_until(is_told, what="the node has measured the backups")
        told = await measured()
        assert told["gameserver_backups"] == 1
        assert told["gameserver_backup_bytes"] > 1 << 20
        away = folder.rename(folder.with_name("away"))
        await asyncio.sleep(0.01)
        assert (await measured())["gameserver_backup_age_seconds"] > told["gameserver_backup_age_seconds"]
        away.rename(folder)


@pytest.mark.parametrize(
    ("to", "problem"),
    [
        ("yesterday", "neither a time"),
        ((datetime.now(UTC) + timedelta(days=1)).isoformat(), "yet to come"),
        ("latest", "There is no backup of two"),
    ],
    ids=["no time", "to come", "no backup"],
)
async def test_what_cant_be_restored_is_refused(command_line: CommandLine, config: Path, to: str, problem: str) -> None:
    into = str(config.parent / "past")
    words = ("restore", "--database", "two", "--to", to, "--into", into, "--config", str(config))
    refused = await command_line.gameserver(*words)
    assert refused.code != 0
    assert problem in " ".join(refused.text.split())


RESTORE = ("restore", "--database", "two", "--to", "latest", "--reason", "its disk is gone")


async def test_a_script_says_with_yes_that_a_database_may_go_back(command_line: CommandLine, config: Path) -> None:
    unasked = await command_line.gameserver(*RESTORE, "--config", str(config))
    assert (unasked.code, "--yes" in unasked.errors, "no terminal" in unasked.errors) == (1, True, True), unasked.text
    agreed = await command_line.gameserver(*RESTORE, "--yes", "--config", str(config))
    assert (agreed.code, "Go on?" in agreed.text) == (1, False)
    assert "two isn't embedded" in agreed.errors


async def test_at_a_terminal_who_declines_restores_nothing(config: Path) -> None:
    above, below = pty.openpty()
    arguments = [sys.executable, "-m", "gameserver", *RESTORE, "--config", str(config)]
    asking = await asyncio.create_subprocess_exec(*arguments, stdin=below, stderr=asyncio.subprocess.PIPE)
    os.write(above, b"n\n")
    _, errors = await asking.communicate()
    os.close(above)
    os.close(below)
    assert (asking.returncode, b"Go on?" in errors, b"Aborted" in errors) == (1, True, True)


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ([], "There is no backup of one in"),
        (["two", "twoo"], "There is no database twoo"),
        (["two"], "There is no backup of two in"),
    ],
    ids=["a folder that isn't there", "no such database", "no backup"],
)
async def test_a_check_of_what_isnt_there_fails_and_makes_nothing(
    command_line: CommandLine, config: Path, named: list[str], problem: str
) -> None:
    checked = await command_line.gameserver("backups", "verify", *named, "--config", str(config))
    assert checked.code == 1, checked.text
    assert problem in " ".join(checked.errors.split())
    assert not (config.parent / "backups").exists()


def test_what_is_restored_gets_passwords_for_all_roles_of_servers_that_up_runs(tmp_path: Path) -> None:
    (tmp_path / "cluster.toml").write_text((CONFIG / "cluster.toml").read_text("utf-8"), "utf-8")
    settings = load(tmp_path / "cluster.toml")
    assert settings.databases["one"].members
    (member,) = settings_of_members(settings, "one")
    assert dict(passwords_of(settings, "one")) == member
    at_url = settings.model_copy(update={"databases": {"one": DatabaseSettings(url=SecretStr("postgresql://a/b"))}})
    assert passwords_of(at_url, "one") == {}


def settings_of_members(settings: Settings, name: str) -> list[dict[str, SecretStr]]:
    """The passwords that Patroni's members are given by `up`, by role, each set once."""
    passwords = [member.passwords for member in failover_database(settings, name).members]
    return [
        {"postgres": each.superuser, "gameserver": each.nodes, "replicator": each.replicator}
        for each in dict.fromkeys(passwords)
    ]


async def test_a_backup_that_cant_be_read_hides_no_other_databases_in_the_list(
    command_line: CommandLine, config: Path
) -> None:
    for name in ("one", "two"):
        (config.parent / "backups" / name / "base").mkdir(parents=True)
    broken = config.parent / "backups" / "one" / "base" / "20261128T120000000"
    broken.mkdir()
    plain = await command_line.gameserver("backups", "list", "--config", str(config))
    told = str(broken) in " ".join(plain.errors.split())
    assert (plain.code, told, "two" in plain.out) == (1, True, True), plain.text
    listed = await command_line.gameserver("backups", "list", "--json", "--config", str(config))
    faults = {system["database"]: system["fault"] for system in orjson.loads(listed.out)}
    assert (listed.code, str(broken) in faults["one"], faults["two"]) == (1, True, None)


async def test_settings_without_backups_are_told_so(
    command_line: CommandLine, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "plain.toml"
    file.write_text(toml_of(settings, 8080), "utf-8")
    refused = await command_line.gameserver("backup", "--config", str(file))
    assert (refused.code, "have no [backups]" in refused.errors) == (1, True)
