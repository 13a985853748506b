"""`gameserver up` as a process tree: play, `kill -9` of all of it, and everything acknowledged is there again."""

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gameserver.stack import procfs
from gameserver.stack.ports import free_port
from tests.client import Api, Signed
from tests.servers import GAME, roomy
from tests.wait import wait_until

CONFIG = """
game = "{game}"
[stack]
data = "var"
[node]
port = {node}
drain_seconds = 3
[databases.one]
embedded = {{ port = {one} }}
[databases.two]
embedded = {{ port = {two} }}
[redis]
embedded = {{ port = {redis} }}
[control]
database = "one"
[groups.accounts]
databases = ["one", "two"]
[groups.players]
databases = ["one", "two"]
"""


class Up:
    """One folder with its data, and the processes that run on it, if they do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_ports(3)
        ports = {"node": self.port, "one": free_port(), "two": free_port(), "redis": free_port()}
        (folder / "local.toml").write_text(CONFIG.format(game=GAME, **ports))
        self.popen: subprocess.Popen[bytes] | None = None
        self.family: list[int] = []

    def launch(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "gameserver", "up", "--config", str(self.folder / "local.toml")]
        with (self.folder / "output").open("wb") as output:
            return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)

    async def start(self) -> None:
        self.popen = self.launch()
        await wait_until(lambda: self.ended() or "Ctrl-C" in self.told(), 60, "everything is up")
        assert not self.ended(), self.told()
        self.family = [self.popen.pid, *procfs.descendants(self.popen.pid)]

    def told(self) -> str:
        return (self.folder / "output").read_text("utf-8")

    def ended(self) -> bool:
        return self.popen is None or self.popen.poll() is not None

    def kill(self) -> None:
        """All of it at once, as when the machine loses its power."""
        for pid in self.family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.popen is not None:
            self.popen.wait()

    def alive(self) -> list[str]:
        return [command for pid in self.family if (command := procfs.command_line(pid))]


def free_ports(count: int) -> int:
    """The first of some free ports in a row: the nodes' own ones lie above the one that they share."""
    while True:
        first = free_port()
        with suppress(OSError):
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first


@pytest.fixture
def up() -> Iterator[Up]:
    folder = Path(tempfile.mkdtemp(prefix="gameserver-up-", dir=roomy()))
    folder.chmod(0o755)
    run = Up(folder)
    yield run
    run.kill()
    shutil.rmtree(folder)


async def test_whatever_was_acknowledged_before_all_was_killed_is_there_after_the_next_start(up: Up) -> None:
    await up.start()
    assert re.search(r"node-2.*\n", up.told()), "it shows what runs where"
    key = (up.folder / "var" / "admin.key").read_text()
    async with Api(f"http://127.0.0.1:{up.port}") as api:
        players = [await api.sign_up() for _ in range(6)]
        told = dict(await asyncio.gather(*(play(api, who) for who in players)))
        up.kill()
    await wait_until(lambda: not up.alive(), what="all of it is dead")
    await up.start()
    async with Api(f"http://127.0.0.1:{up.port}") as api:
        for who in players:
            back = await api.ask("POST", "/v1/sessions", body={"device": who.device})
            assert back.told["player"] == told[who.id]
        ranked = await api.ask("GET", "/admin/v1/rankings", token=key)
        assert {each["player"]["id"] for each in ranked.told["entries"]} == set(told)

        async def boards_are_back() -> bool:
            return bool((await api.ask("GET", "/v1/boards/exp")).told.get("total") == len(players))

        await wait_until(boards_are_back, what="the board has every player")
        assert (await api.act(await api.sign_up())).status == 200
    assert up.popen is not None
    up.popen.terminate()
    await wait_until(up.ended, 30, "it has ended")
    assert up.popen.returncode == 0, up.told()
    assert up.alive() == []


async def play(api: Api, who: Signed) -> tuple[str, object]:
    """A player's id and what he was last told of himself."""
    last: object = None
    for _ in range(15):
        answer = await api.act(who)
        last = answer.told["player"] if answer.status == 200 else last
    return who.id, last
