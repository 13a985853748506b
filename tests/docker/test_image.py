"""The image: what its wheel holds, and its commands run as in a container, but for the container."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from gameserver.config.settings import Settings
from gameserver.stack.processes.ports import free_port
from tests.docker import files
from tests.support.repository import ROOT
from tests.support.wait import wait_until


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made from what the Dockerfile copies before it builds, and nothing else."""
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for copied in files.build_instructions("COPY"):
        *names, target = copied.split()
        (source / target).mkdir(exist_ok=True)
        for name in names:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, source / target, dirs_exist_ok=True)
            else:
                shutil.copy(ROOT / name, source / target)
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(dist)]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    return next(dist.glob("*.whl"))


def test_the_wheel_holds_every_file_of_its_packages(wheel: Path) -> None:
    paths = [path for name in ("gameserver", "migrations") for path in (ROOT / name).rglob("*") if path.is_file()]
    names = {str(path.relative_to(ROOT)) for path in paths if "__pycache__" not in path.parts}
    assert {".py", ".lua", ".sql", ".mako", ".toml"} <= {Path(name).suffix for name in names}
    expected = {f"gameserver/{name}" if name.startswith("migrations/") else name for name in names}
    assert expected <= set(zipfile.ZipFile(wheel).namelist())


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
            assert (ROOT / source).exists(), source
            assert any(Path(source).is_relative_to(line[1:]) for line in ignore if line.startswith("!")), source


@dataclass
class Container:
    """The image's files in a folder, and its commands as processes on them."""

    folder: Path
    port: int
    told: dict[str, str]

    async def run(self, *arguments: str) -> asyncio.subprocess.Process:
        environment = {**os.environ, **self.told}
        return await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=self.folder, env=environment, stdout=subprocess.PIPE
        )

    async def is_healthy(self) -> bool:
        """What the image's health check says."""
        program, *check = files.exec_form(files.instructions("HEALTHCHECK")[0].split(" CMD ")[1])
        assert program == "python3"
        asked = [word.replace("8080", str(self.port)) for word in check]
        assert asked != check
        return await (await self.run(*asked)).wait() == 0


@pytest.fixture
def container(wheel: Path, settings: Settings, tmp_path: Path) -> Container:
    site, folder, port = tmp_path / "site", tmp_path / "gameserver", free_port()
    zipfile.ZipFile(wheel).extractall(site)
    for source in ("config/game.toml", "docker/compose.toml"):
        (folder / source).parent.mkdir(parents=True)
        (folder / source).write_bytes((ROOT / source).read_bytes())
    told = {
        "PYTHONPATH": str(site),
        "GAMESERVER_NODE__HOST": "127.0.0.1",
        "GAMESERVER_NODE__PORT": str(port),
        "GAMESERVER_DATABASES__ONE__URL": settings.database_url("one").get_secret_value(),
        "GAMESERVER_DATABASES__TWO__URL": settings.database_url("two").get_secret_value(),
        "GAMESERVER_DATABASES__ONE__ALLOW_UNSAFE": "true",
        "GAMESERVER_DATABASES__TWO__ALLOW_UNSAFE": "true",
        "GAMESERVER_REDIS__URL": settings.redis_url().get_secret_value(),
        "GAMESERVER_ADMIN__KEYS__OPERATOR": files.SECRET,
    }
    return Container(folder, port, told)


async def test_the_images_commands_migrate_serve_tell_their_health_and_stop(container: Container) -> None:
    where, _ = await (await container.run("-c", "import gameserver; print(gameserver.__file__)")).communicate()
    assert where.decode().startswith(container.told["PYTHONPATH"])
    assert files.exec_form(files.instructions("ENTRYPOINT")[0]) == ["gameserver"]
    migrate = files.compose()["services"]["migrate"]["command"]
    assert await (await container.run("-m", "gameserver", *migrate)).wait() == 0
    assert not await container.is_healthy()
    node = await container.run("-m", "gameserver", *files.exec_form(files.instructions("CMD")[0]))
    try:
        await wait_until(container.is_healthy, 60, "the node is healthy")
        node.terminate()
        assert await asyncio.wait_for(node.wait(), 15) == 0
    finally:
        if node.returncode is None:
            node.kill()
            await node.wait()
