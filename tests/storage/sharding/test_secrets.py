"""No password of a database gets into a log, a table or a command line; nodes find it in the password file."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from gameserver.config.deployment import ControlSettings, GroupSettings
from gameserver.config.settings import Settings
from gameserver.rules.errors import Conflict
from gameserver.stack.servers.roles import verifier
from gameserver.storage.postgres import passfile
from gameserver.storage.postgres.database import Database
from gameserver.storage.sharding import copying, provision
from gameserver.storage.sharding.admission import admit
from gameserver.storage.sharding.subscribing import subscribe
from tests.storage.sharding import moving
from tests.support.deployment import act, connected, enlist, working
from tests.support.servers import NAMES, SLOTS, Servers

WRONG = "hunter2-%41-secret"
TALKATIVE = {
    "log_statement": "all",
    "log_min_duration_statement": "0",
    "log_min_error_statement": "debug5",
    "log_min_messages": "info",
    "log_parameter_max_length_on_error": "-1",
}


@pytest.fixture
async def talkative(servers: Servers) -> AsyncIterator[None]:
    """Servers that log every statement with its parameters, the failing ones, too."""
    for name in NAMES:
        async with connected(SecretStr(servers.postgres[name].superuser_url)) as superuser:
            for setting, value in TALKATIVE.items():
                await superuser.execute(f"alter system set {setting} = '{value}'")
            await superuser.execute("select pg_reload_conf()")
    yield
    for name in NAMES:
        async with connected(SecretStr(servers.postgres[name].superuser_url)) as superuser:
            await superuser.execute("alter system reset all")
            await superuser.execute("select pg_reload_conf()")


def logged(servers: Servers) -> str:
    return "".join(servers.postgres[name].log.read_text("utf-8", "replace") for name in NAMES)


@pytest.mark.usefixtures("talkative")
@pytest.mark.parametrize("host", ["{host}", "no.such.host.invalid:1"])
async def test_a_subscription_that_fails_leaves_no_password_in_the_servers_log(
    servers: Servers, settings: Settings, host: str
) -> None:
    source, target = (Database(name, settings.database_url(name)) for name in NAMES)
    there = source.url.get_secret_value().rpartition("@")[2]
    address = f"postgresql://gameserver:{WRONG}@{there if host == '{host}' else host + '/x'}"
    async with copying.opened(target) as connection:
        with pytest.raises(asyncpg.PostgresError, match="could not connect") as raised:
            await subscribe(connection, "gs_test", address)
        assert await connection.fetchval("select to_regclass('pg_temp.move_source')") is None
    for text in (logged(servers), str(raised.value)):
        assert "hunter2" not in text
    assert "create subscription" in logged(servers), "the log has the block that creates it"


@pytest.mark.usefixtures("talkative")
async def test_a_whole_move_leaves_no_password_in_the_servers_logs(servers: Servers, settings: Settings) -> None:
    marked = verifier(SecretStr("a-marked-password"), b"salt", 4096)
    for name in NAMES:
        async with connected(SecretStr(servers.postgres[name].superuser_url)) as superuser:
            await superuser.execute(f"alter role gameserver password '{marked}'")
    try:
        async with working(_with_password(settings, "a-marked-password")) as core:
            player = await enlist(core, database="one")
            await moving.move(core, moving.slot_with([player]), "two")
            await act(core, player.id)
        assert "move_source" in logged(servers)
        assert [line for line in logged(servers).split(" UTC [") if "a-marked-password" in line] == []
    finally:
        for name in NAMES:
            async with connected(SecretStr(servers.postgres[name].superuser_url)) as superuser:
                await superuser.execute("alter role gameserver password 'test'")


def _with_password(settings: Settings, password: str) -> Settings:
    databases = {
        name: database.model_copy(update={"url": SecretStr(_url(settings, name).replace(":test@", f":{password}@"))})
        for name, database in settings.databases.items()
    }
    return settings.model_copy(update={"databases": databases})


def _url(settings: Settings, name: str) -> str:
    return settings.database_url(name).get_secret_value()


@pytest.fixture
def secrets_file(servers: Servers, tmp_path: Path) -> Path:
    path = tmp_path / "pgpass"
    path.write_text(
        "# ours\n" + "".join(f"127.0.0.1:{servers.postgres[name].port}:*:gameserver:test\n" for name in NAMES)
    )
    path.chmod(0o600)
    return path


def bare(settings: Settings, name: str) -> SecretStr:
    return SecretStr(_url(settings, name).replace(":test@", "@"))


@pytest.fixture
def joined(settings: Settings, secrets_file: Path) -> Settings:
    """The settings of a node that doesn't name the database two, and has a password file."""
    return settings.model_copy(
        update={
            "databases": {"one": settings.databases["one"]},
            "groups": {name: GroupSettings(databases=("one",), slots=SLOTS) for name in settings.groups},
            "control": ControlSettings(database="one", passfile=secrets_file),
        }
    )


async def test_a_database_that_joins_is_stored_without_its_password_and_used_with_it(
    settings: Settings, joined: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The servers of the tests have no fsync, which is never allowed for a database that joins by its address.
    monkeypatch.setattr(Settings, "allows_unsafe", lambda *_: True)
    await admit(joined, "two", bare(settings, "two"), ["players"])
    async with connected(settings.database_url("one")) as control:
        assert (
            await control.fetchval("select url from databases where name = 'two'")
            == bare(settings, "two").get_secret_value()
        )
    async with working(joined) as core:
        assert core.databases["two"].url == settings.database_url("two")
        player = await enlist(core, database="one")
        await moving.move(core, moving.slot_with([player]), "two")
        assert (await act(core, player.id)).player.version == 2
        await moving.move(core, moving.slot_with([player]), "one")


@pytest.mark.parametrize("form", ["{full}", "{bare}&password=test"])
async def test_a_password_in_the_address_is_refused_with_the_reason(
    settings: Settings, joined: Settings, form: str
) -> None:
    url = form.format(full=_url(settings, "two"), bare=bare(settings, "two").get_secret_value())
    with pytest.raises(Conflict, match=r"password out of the address.* can be read by every account") as raised:
        await admit(joined, "two", SecretStr(url), ["players"])
    assert "test" not in str(raised.value)


@pytest.mark.parametrize("parameter", ["sslpassword=unseen", "sslmode=require&sslp%61ssword=unseen"])
async def test_a_passphrase_in_the_address_is_refused_and_stands_nowhere(
    settings: Settings, joined: Settings, parameter: str
) -> None:
    url = f"{bare(settings, 'two').get_secret_value()}&{parameter}"
    with pytest.raises(Conflict, match=r"sslpassword out of the address.* without a passphrase") as raised:
        await admit(joined, "two", SecretStr(url), ["players"])
    assert "unseen" not in str(raised.value)
    async with connected(settings.database_url("one")) as control:
        assert await control.fetchval("select count(*) from databases where name = 'two'") == 0


async def test_a_password_file_that_others_can_read_is_refused(settings: Settings, joined: Settings) -> None:
    assert joined.control.passfile is not None
    joined.control.passfile.chmod(0o644)
    with pytest.raises(Conflict, match=r"can be read by others: chmod 600 it"):
        await admit(joined, "two", bare(settings, "two"), ["players"])


async def test_an_address_that_was_stored_with_its_password_still_works_and_is_warned_of(
    settings: Settings, joined: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    async with connected(settings.database_url("one")) as control:
        statement = "insert into databases values ('two', $1) on conflict (name) do update set url = $1"
        await control.execute(statement, _url(settings, "two"))
    databases = provision.open_databases(joined)
    await provision.members(joined, databases)
    assert "the control database holds the password of two" in capsys.readouterr().out
    connection = await databases["two"].connect_unjudged({})
    assert await connection.fetchval("select 1") == 1
    await connection.close()
    await databases.close()


LINES = r"""
# a comment
db.example:5432:game:gameserver:plain
db.example:*:game:other:with\:colon and:more
\:\:1:5432:*:*:six
*:6000:*:*:a\\b%41
short:line
"""


@pytest.mark.parametrize(
    ("url", "completed"),
    [
        ("postgresql://gameserver@db.example/game", "postgresql://gameserver:plain@db.example/game"),
        ("postgresql://other@db.example:7/game", "postgresql://other:with%3Acolon%20and%3Amore@db.example:7/game"),
        ("postgresql://x@[::1]/y", "postgresql://x:six@[::1]/y"),
        ("postgresql://x@a:1,b:6000/y", "postgresql://x:a%5Cb%2541@a:1,b:6000/y"),
        ("postgresql://gameserver@db.example/another", "postgresql://gameserver@db.example/another"),
        ("postgresql://gameserver:own@db.example/game", "postgresql://gameserver:own@db.example/game"),
        (
            "postgresql://gameserver@db.example/game?password=own",
            "postgresql://gameserver@db.example/game?password=own",
        ),
        ("postgresql://db.example/game", "postgresql://db.example/game"),
    ],
)
def test_the_first_line_that_fits_gives_the_password(tmp_path: Path, url: str, completed: str) -> None:
    path = tmp_path / "pgpass"
    path.write_text(LINES)
    path.chmod(0o600)
    assert passfile.completed(SecretStr(url), path).get_secret_value() == completed


def test_the_files_of_libpq_are_read_when_the_settings_name_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    assert passfile.completed(SecretStr("postgresql://a@b/c"), None) == SecretStr("postgresql://a@b/c")
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    (tmp_path / "pgpass").write_text("b:5432:c:a:found")
    (tmp_path / "pgpass").chmod(0o600)
    assert passfile.completed(SecretStr("postgresql://a@b/c"), None) == SecretStr("postgresql://a:found@b/c")


def test_only_roots_file_may_be_read_by_its_group_as_a_mounted_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, path = SecretStr("postgresql://a@b/c"), tmp_path / "pgpass"
    path.write_text("b:5432:c:a:found")
    for mode, owner, allowed in ((0o440, 0, True), (0o440, 10001, False), (0o444, 0, False), (0o400, 10001, True)):
        path.chmod(mode)
        status = os.stat_result((path.stat().st_mode, 0, 0, 1, owner, 10001, 0, 0, 0, 0))
        monkeypatch.setattr(Path, "stat", lambda _, status=status: status)
        if allowed:
            assert passfile.completed(url, path) == SecretStr("postgresql://a:found@b/c")
        else:
            with pytest.raises(passfile.PassfileFault, match="can be read by others"):
                passfile.completed(url, path)
        monkeypatch.undo()
