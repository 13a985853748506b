"""`gameserver doctor` says all that it can find of databases that lack tables or rights, are read-only or away."""

from pathlib import Path

import orjson
import pytest
from pydantic import SecretStr

from gameserver.app import examine
from gameserver.config.servers import DatabaseSettings
from gameserver.config.settings import Settings
from gameserver.stack.processes.ports import free_port
from tests.cli.test_doctor import findings, run, without
from tests.support.command_line import CommandLine
from tests.support.deployment import connected
from tests.support.servers import Servers, database_of


async def test_databases_without_tables_are_examined_all_the_same(
    command_line: CommandLine, servers: Servers, tmp_path: Path
) -> None:
    settings = servers.settings(await servers.bare())
    careful = without(settings, two=DatabaseSettings(url=settings.database_url("two")))
    code, output = await run(command_line, careful, tmp_path, "--json", "--nodes", "50")
    assert code == 1
    found = {server["name"]: server["findings"] for server in orjson.loads(output)["servers"]}
    assert set(found) == {"one", "two", "redis"}
    for name in ("one", "two"):
        problems = {finding["problem"]: finding["remedy"] for finding in found[name]}
        assert [problems[each] for each in problems if "players tables are at nothing" in each] == [
            "run `gameserver migrate`"
        ]
        assert any("connections are for nodes" in problem for problem in problems)
    assert any("fsync is off" in finding["problem"] for finding in found["two"])
    assert all(finding["remedy"] for findings in found.values() for finding in findings)
    code, text = await run(command_line, careful, tmp_path)
    assert code == 1
    assert "-> run `gameserver migrate`." in text
    assert "\nredis\n" in text


@pytest.mark.parametrize(
    ("statement", "problem", "remedy"),
    [
        ("drop table control_lineage", "control_lineage", "gameserver migrate"),
        ("drop table members cascade", "members", "gameserver migrate"),
        ("drop schema public cascade", "may not create tables", "schema public"),
        ("drop table alembic_version_players", "players tables are at nothing", "gameserver migrate"),
        ("update alembic_version_players set version_num = 'players_9999'", "players_9999", "a newer one"),
        ("revoke all on alembic_version_players from gameserver", "denies this role", "rights"),
        ("revoke all on databases from gameserver", "may not read and write databases", "rights"),
        ("revoke all on slots from gameserver", "may not read and write slots", "rights"),
    ],
)
async def test_one_thing_that_is_missing_hides_nothing_else(
    settings: Settings, statement: str, problem: str, remedy: str
) -> None:
    async with connected(settings.database_url("one")) as connection:
        await connection.execute(statement)
    away = settings.redis.model_copy(update={"url": SecretStr(f"redis://127.0.0.1:{free_port()}")})
    examined = await examine(settings.model_copy(update={"redis": away}), 50)
    (one,) = [server for server in examined if server.name == "one"]
    (found,) = [symptom for symptom in one.symptoms if problem in symptom.problem]
    assert found.level == "error"
    assert remedy in found.remedy
    assert findings(examined, "redis", "error")
    for name in ("one", "two"):
        assert any("connections are for nodes" in each for each in findings(examined, name, "warning")), name
    assert all(symptom.remedy for server in examined for symptom in server.symptoms)


async def test_a_database_that_is_away_hides_nothing_of_the_others_without_tables(servers: Servers) -> None:
    settings = servers.settings(await servers.bare())
    away = DatabaseSettings(url=SecretStr(f"postgresql://gameserver:word@127.0.0.1:{free_port()}/game"))
    for name, other in (("one", "two"), ("two", "one")):
        examined = await examine(without(settings, **{name: away}), 50)
        (server,) = [server for server in examined if server.name == name]
        assert ["nothing listens" in symptom.problem for symptom in server.symptoms] == [True]
        assert server.symptoms[0].remedy == "start it, or correct the URL"
        assert any("players tables are at nothing" in each for each in findings(examined, other, "error"))
        assert "servers" in examined[-1].facts


async def test_a_read_only_database_is_examined_all_the_same(servers: Servers, settings: Settings) -> None:
    careful = without(settings, two=DatabaseSettings(url=settings.database_url("two")))
    async with connected(SecretStr(servers.postgres["two"].superuser_url)) as superuser:
        name = database_of(settings.database_url("two"))
        await superuser.execute(f"alter database {name} set default_transaction_read_only = on")
    examined = await examine(careful, 50)
    (two,) = [server for server in examined if server.name == "two"]
    remedies = {symptom.problem.partition(":")[0]: symptom.remedy for symptom in two.symptoms}
    assert remedies["default_transaction_read_only is on"].startswith("turn it off")
    assert any("fsync is off" in problem for problem in findings(examined, "two", "error"))
    assert any("connections are for nodes" in problem for problem in findings(examined, "two", "warning"))
    assert all(remedies.values())
