"""The image: what its wheel holds, and its commands run as in a container, but for the container."""

import asyncio
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gameserver.config import Settings
from gameserver.stack.ports import free_port
from tests.docker import files
from tests.wait import wait_until

PACKAGES = ("gameserver", "bots", "migrations")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The wheel, made from what the Dockerfile copies and nothing else."""
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in (*PACKAGES, "pyproject.toml", "README.md"):
        subprocess.run(["cp", "-r", str(files.ROOT / name), str(source)], check=True)
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(dist)]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    yield next(dist.glob("*.whl"))


def test_the_wheel_holds_every_file_of_its_packages(wheel: Path) -> None:
    there = {str(path.relative_to(files.ROOT)) for package in PACKAGES for path in (files.ROOT / package).rglob("*")
             if path.is_file() and "__pycache__" not in path.parts}  # fmt: skip
    kinds = {Path(name).suffix for name in there}
    assert {".py", ".lua", ".sql", ".mako"} <= kinds
    assert there <= set(zipfile.ZipFile(wheel).namelist())


def test_the_image_is_built_of_hashed_packages_and_never_root() -> None:
    for step in files.instructions("RUN"):
        for install in re.findall(r"bin/pip [^&]*", step):
            assert "--require-hashes" in install or "--no-deps --no-index" in install
    assert "://" not in files.DOCKERFILE.read_text("utf-8").replace("http.client", "")
    assert files.instructions("USER") == ["10001:10001"]


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    ignore = files.DOCKERFILE.with_name("Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert "*" in ignore
    for copied in files.instructions("COPY"):
        sources = [word for word in copied.split()[:-1] if not word.startswith("--")]
        for source in sources if "--from" not in copied else ():
            assert (files.ROOT / source).exists(), source
            assert any(Path(source).is_relative_to(line[1:]) for line in ignore if line.startswith("!")), source


async def test_the_images_commands_migrate_serve_tell_their_health_and_stop(
    wheel: Path, settings: Settings, tmp_path: Path
) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    folder = tmp_path / "gameserver"
    for source in ("config/game.toml", "docker/compose.toml"):
        (folder / source).parent.mkdir(parents=True)
        (folder / source).write_bytes((files.ROOT / source).read_bytes())
    port = free_port()
    told = {
        "PYTHONPATH": str(tmp_path / "site"),
        "GAMESERVER_NODE__HOST": "127.0.0.1",
        "GAMESERVER_NODE__PORT": str(port),
        "GAMESERVER_NODE__DRAIN_SECONDS": "2",
        "GAMESERVER_DATABASES__ONE__URL": settings.database_url("one"),
        "GAMESERVER_DATABASES__TWO__URL": settings.database_url("two"),
        "GAMESERVER_REDIS__URL": settings.redis_url(),
        "GAMESERVER_ADMIN__KEYS__OPERATOR": "secret",
    }

    async def start(*arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=folder, env={**os.environ, **told})

    health = files.exec_form(files.instructions("HEALTHCHECK")[0].split(" CMD ")[1])
    assert health[:2] == ["python3", "-c"]
    assert "8080" in health[2]

    async def is_healthy() -> bool:
        return await (await start("-c", health[2].replace("8080", str(port)))).wait() == 0

    assert files.exec_form(files.instructions("ENTRYPOINT")[0]) == ["gameserver"]
    migrate = await start("-m", "gameserver", "migrate", "--config", "docker/compose.toml")
    assert await migrate.wait() == 0
    assert not await is_healthy()
    node = await start("-m", "gameserver", *files.exec_form(files.instructions("CMD")[0]))
    try:
        await wait_until(is_healthy, 20, "the node is healthy")
        node.terminate()
        assert await asyncio.wait_for(node.wait(), 15) == 0
    finally:
        if node.returncode is None:
            node.kill()
            await node.wait()
