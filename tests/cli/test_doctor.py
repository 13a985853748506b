"""`gameserver doctor`: what it says of servers as they should be, and of each fault, as text and as JSON."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import SecretStr
from rich.cells import cell_len

from gameserver.app import examine
from gameserver.app.examined import Examined
from gameserver.cli.doctor import SUMMARIES
from gameserver.config.backups import BackupSettings
from gameserver.config.servers import DatabaseSettings
from gameserver.config.settings import Settings
from gameserver.stack.processes.ports import free_port
from gameserver.storage.operators import condition, parameters, redis_condition, standby_condition
from gameserver.storage.operators.condition import Symptom
from gameserver.storage.postgres.connections import per_node
from gameserver.storage.postgres.database import Database
from gameserver.storage.redis import clients
from tests.support.command_line import CommandLine
from tests.support.deployment import connected
from tests.support.nodes import toml_of
from tests.support.repository import CONFIG
from tests.support.servers import Servers


async def run(command_line: CommandLine, settings: Settings, folder: Path, *options: str) -> tuple[int, str]:
    config = folder / "doctor.toml"
    config.write_text(toml_of(settings, 8080), "utf-8")
    done = await command_line.gameserver("doctor", "--config", str(config), *options)
    return done.code, done.out


def findings(examined: list[Examined], name: str, level: str) -> list[str]:
    (server,) = [server for server in examined if server.name == name]
    return [symptom.problem for symptom in server.symptoms if symptom.level == level]


def without(settings: Settings, **databases: DatabaseSettings) -> Settings:
    return settings.model_copy(update={"databases": {**settings.databases, **databases}})


async def test_servers_as_they_should_be_have_no_error_and_every_fact(
    command_line: CommandLine, settings: Settings, tmp_path: Path
) -> None:
    code, output = await run(command_line, settings, tmp_path, "--json", "--nodes", "1")
    report = orjson.loads(output)
    assert (code, report["ok"]) == (0, True), output
    servers: dict[str, dict[str, Any]] = {server["name"]: server["facts"] for server in report["servers"]}
    assert set(servers) == {"one", "two", "redis"}
    for name in ("one", "two"):
        assert {"version", "connections", "used", "per_node", "bytes", "clock", "off"} <= servers[name].keys()
    assert servers["redis"]["servers"][0]["maxmemory_policy"] == "noeviction"
    assert abs(servers["redis"]["clock"]["seconds"]) < 1


async def test_what_is_right_is_printed_as_well(command_line: CommandLine, settings: Settings, tmp_path: Path) -> None:
    _, output = await run(command_line, settings, tmp_path, "--nodes", "1")
    text = " ".join(output.split())
    assert text.count("durable: ") == 2
    for said in ("commits wait for no standby", "the role may play and move slots", "rights on keys complete"):
        assert said in text, output


async def test_databases_without_backups_are_warned_of_if_there_are_to_be_any(
    settings: Settings, tmp_path: Path
) -> None:
    examined = await examine(settings.model_copy(update={"backups": BackupSettings(folder=tmp_path)}), 1)
    warnings = findings(examined, "one", "warning")
    assert "nothing keeps its log for backups" in warnings
    assert any("has no backup in" in warning for warning in warnings)


async def test_the_text_is_whole_at_80_columns_and_says_what_to_do(
    command_line: CommandLine, settings: Settings, tmp_path: Path
) -> None:
    away = DatabaseSettings(url=SecretStr(f"postgresql://gameserver:secret-word@127.0.0.1:{free_port()}/game"))
    code, output = await run(command_line, without(settings, two=away), tmp_path)
    assert code == 1
    assert max(map(cell_len, output.splitlines())) <= 80
    assert "database two" in output
    assert "nothing listens" in " ".join(output.split())
    assert "secret-word" not in output
    assert "allow_unsafe" in output
    assert re.search(r"1 errors, \d+ warnings", output)


async def test_databases_that_nodes_would_refuse_are_errors(settings: Settings) -> None:
    careful = without(settings, two=DatabaseSettings(url=settings.database_url("two")))
    async with connected(settings.database_url("one")) as connection:
        await connection.execute("update alembic_version_players set version_num = 'players_0000'")
    examined = await examine(careful, 1)
    assert any("players_0000" in problem for problem in findings(examined, "one", "error"))
    assert any("fsync is off" in problem for problem in findings(examined, "two", "error"))


async def test_connections_are_compared_with_what_nodes_take(settings: Settings) -> None:
    examined = await examine(settings, 50)
    (problem,) = [problem for problem in findings(examined, "one", "warning") if "connections" in problem]
    needed = per_node({"accounts", "players", "items", "control"}, 2)
    assert f"50 take up to {50 * needed}" in problem


async def test_tables_that_the_role_may_not_write_are_an_error(servers: Servers, settings: Settings) -> None:
    async with connected(settings.database_url("one")) as connection:
        await connection.execute("revoke update on claims from gameserver")
    examined = await examine(settings, 1)
    assert any("may not read and write claims" in problem for problem in findings(examined, "one", "error"))


async def test_weeks_of_the_ledger_that_should_be_gone_are_named_with_what_holds_them_up(settings: Settings) -> None:
    assert not [problem for problem in findings(await examine(settings, 1), "one", "warning") if "ledger" in problem]
    async with connected(settings.database_url("one")) as connection:
        await connection.execute("create table ledger_20250106 (like ledger, check (true))")
        (problem,) = [each for each in findings(await examine(settings, 1), "one", "warning") if "ledger" in each]
        assert "ledger_20250106" in problem
        await connection.execute("create publication gs_test_move_1 for table players")
        (server,) = [server for server in await examine(settings, 1) if server.name == "one"]
        assert any("finish the move" in symptom.remedy for symptom in server.symptoms)


FACTS = {
    "version": "18.1", "replica": False, "wal_level": "logical", "connections": 97, "used": 3,
    "ours": 2, "others": 1, "allowed": None, "bytes": 1, "may_create": True, "may_publish": True, "may_replicate": True,
    "may_subscribe": True, "superuser": False, "closed": [], "checkpoint_seconds": 900, "checkpoint_bytes": 4 << 30,
    "may_identify": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("fact", "level"),
    [
        ({"replica": True}, "error"),
        ({"connections": 12}, "error"),
        ({"allowed": 12}, "error"),
        ({"connections": 45}, "warning"),
        ({"may_create": False}, "error"),
        ({"may_identify": False}, "error"),
        ({"closed": ["players"]}, "error"),
        ({"superuser": True}, "warning"),
        ({"wal_level": "replica"}, "warning"),
        ({"may_subscribe": False}, "warning"),
        ({"checkpoint_seconds": 300}, "warning"),
        ({"checkpoint_bytes": 1 << 30}, "warning"),
    ],
)
def test_each_fault_of_a_server_is_one_finding_with_a_remedy(fact: dict[str, Any], level: str) -> None:
    database = Database("one", SecretStr("postgresql://nobody@127.0.0.1/none"))
    database.groups = frozenset({"players", "control"})
    assert list(condition.symptoms(database, FACTS, 2, 2)) == []
    (symptom,) = condition.symptoms(database, {**FACTS, **fact}, 2, 2)
    assert symptom.level == level
    assert symptom.remedy


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        ({"off": ["fsync"]}, "NOT durable: fsync off"),
        ({"synchronous": "FIRST 1 (a)"}, "commits wait for FIRST 1 (a)"),
        ({"may_replicate": False}, "the role may play"),
        ({"closed": ["players"]}, "the role lacks rights"),
    ],
)
def test_a_summary_says_what_of_durability_and_rights_there_is(fact: dict[str, Any], said: str) -> None:
    facts = {"version": "18", "groups": ["players"], "per_node": 1, **FACTS, "off": [], "synchronous": "", **fact}
    shown = ", ".join(SUMMARIES["database"](facts))
    assert said in shown
    assert "move slots" not in shown or not {"may_replicate", "closed"} & fact.keys()


PARAMETERS = {
    "encoding": "UTF8", "read_only": False, "pooled": False, "autovacuum": True, "oldest": 1000, "encrypted": True,
    "reordered": False,    "slots_free": 10, "senders_free": 10, "copying": 3, "workers": 4,
}  # fmt: skip


@pytest.mark.parametrize(
    ("fact", "level"),
    [
        ({"encoding": "SQL_ASCII"}, "error"),
        ({"read_only": True}, "error"),
        ({"reordered": True}, "error"),
        ({"pooled": True}, "error"),
        ({"autovacuum": False}, "warning"),
        ({"oldest": 1_500_000_000}, "warning"),
        ({"slots_free": 2}, "warning"),
        ({"senders_free": 0}, "warning"),
        ({"workers": 1}, "warning"),
    ],
)
def test_each_fault_of_its_parameters_is_one_finding_with_a_remedy(fact: dict[str, Any], level: str) -> None:
    assert list(parameters.symptoms(PARAMETERS)) == []
    (symptom,) = parameters.symptoms({**PARAMETERS, **fact})
    assert symptom.level == level
    assert symptom.remedy


STANDBY = {"name": "b", "state": "streaming", "sync_state": "quorum", "copies": False, "behind": 0}
COPY = {**STANDBY, "name": "gs_1_move_1", "copies": True}
SLOT = {"name": "b", "kind": "physical", "active": True, "status": "reserved", "kept": 0}
FOLLOWED = {
    "synchronous": 'ANY 1 ("b", "c")', "synchronized": "b, c", "keeps": "8GB", "sees": True,
    "standbys": [STANDBY], "slots": [SLOT],
}  # fmt: skip


@pytest.mark.parametrize(
    ("fact", "level", "word"),
    [
        ({"standbys": []}, "error", "nothing is written"),
        ({"standbys": [{**STANDBY, "state": "catchup"}]}, "error", "nothing is written"),
        ({"standbys": [{**STANDBY, "sync_state": "async"}]}, "error", "nothing is written"),
        ({"synchronous": "ANY 2 (b, c)"}, "error", "wait for 2"),
        ({"synchronous": "*"}, "warning", "`*`"),
        ({"synchronized": ""}, "warning", "may send what the standbys lack"),
        ({"synchronous": "*", "standbys": [STANDBY, COPY]}, "error", "gs_1_move_1"),
        ({"sees": False}, "warning", "pg_monitor"),
        ({"sees": False, "standbys": []}, "warning", "pg_monitor"),
        ({"keeps": "-1"}, "warning", "max_slot_wal_keep_size"),
        ({"slots": [{**SLOT, "active": False, "kept": 5 << 30}]}, "warning", "5.0 GiB"),
        ({"slots": [{**SLOT, "active": False, "status": "lost"}]}, "warning", "is gone"),
    ],
)
def test_each_fault_of_what_follows_a_server_is_one_finding_with_a_remedy(
    fact: dict[str, Any], level: str, word: str
) -> None:
    assert list(standby_condition.symptoms(FOLLOWED)) == []
    assert list(standby_condition.symptoms({**FOLLOWED, "synchronous": "", "standbys": []})) == []
    (symptom,) = standby_condition.symptoms({**FOLLOWED, **fact})
    assert symptom.level == level
    assert word in symptom.problem
    assert symptom.remedy


GOOD = {"redis_version": "7.2.4", "role": "master", "maxmemory_policy": "noeviction", "aof_enabled": 1, "maxmemory": 0,
        "used_memory": 100, "connected_slaves": 0}  # fmt: skip


@pytest.mark.parametrize(
    ("fact", "level"),
    [
        ({"maxmemory_policy": "allkeys-lru"}, "warning"),
        ({"aof_enabled": 0}, "warning"),
        ({"maxmemory": 105}, "error"),
        ({"redis_version": "6.2.14"}, "error"),
        ({"role": "slave"}, "error"),
        ({"connected_slaves": 1}, "warning"),
        ({"connected_slaves": 1, "min_slaves_good_slaves": 0}, "error"),
        ({"aof_last_write_status": "err"}, "error"),
    ],
)
def test_each_fault_of_redis_is_one_finding_with_a_remedy(fact: dict[str, Any], level: str) -> None:
    assert list(redis_condition.symptoms(GOOD)) == []
    assert list(redis_condition.symptoms({**GOOD, "connected_slaves": 1, "min_slaves_good_slaves": 1})) == []
    (symptom,) = redis_condition.symptoms({**GOOD, **fact})
    assert isinstance(symptom, Symptom)
    assert symptom.level == level
    assert symptom.remedy


async def test_rights_that_the_user_of_redis_lacks_are_named(servers: Servers, settings: Settings) -> None:
    admin = clients.connect(servers.redis_url)
    url = servers.redis_url.get_secret_value()
    try:
        assert await redis_condition.denied(admin) == []
        await admin.execute_command("ACL", "SETUSER", "narrow", "on", ">word", "~gs:*", "+@all", "-zadd", "-hset")  # type: ignore[no-untyped-call]
        narrow = clients.connect(SecretStr(re.sub("//[^@]*@", "//narrow:word@", url)))
        assert sorted(await redis_condition.denied(narrow) or ()) == ["hset", "zadd"]
        await narrow.aclose()
    finally:
        await admin.execute_command("ACL", "DELUSER", "narrow")  # type: ignore[no-untyped-call]
        await admin.aclose()


def test_the_rights_that_are_tried_are_those_of_the_acl_file() -> None:
    (line,) = [line for line in (CONFIG / "redis.acl").read_text("utf-8").splitlines() if "user gameserver" in line]
    allowed = set(re.findall(r"\+(\S+)", line))
    without_keys = {"eval", "evalsha", "ping", "select", "subscribe", "unsubscribe", "cluster|slots", "command",
                    "asking", "publish", "time", "info"}  # fmt: skip
    assert set(redis_condition.COMMANDS.split()) == allowed - without_keys
