"""Machines of a network of their own: namespaces joined by a bridge, in a namespace that this process enters.

Law: nothing outside is touched. All of it ends with its processes, which are those whose network is a machine's.
"""

import ctypes
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from gameserver.stack.processes.account import Account

HERE = "10.77.0.254"
"""The address of the machine that this process is on, and whatever it starts."""
NOBODY = "02:00:00:00:00:fe"
"""A hardware address that no machine has: what is sent there vanishes, as on a line that is cut."""
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Machine:
    """One with an address of its own; a process that sleeps keeps its namespace."""

    address: str
    keeper: int
    device: str = "eth0"

    def words(self, *command: str, account: Account | None = None) -> tuple[str, ...]:
        """The command that runs a command there."""
        demoted: tuple[str, ...] = ()
        if account is not None:
            demoted = ("setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups")
        return ("nsenter", f"--target={self.keeper}", "--net", *demoted, *command)

    def processes(self) -> list[int]:
        """All that run there, without the keeper."""
        own = _network(self.keeper)
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [pid for pid in pids if pid != self.keeper and _network(pid) == own]

    def kill(self) -> None:
        while pids := self.processes():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


SILENT = "10.77.0.99"
"""An address at which no machine is, and of which nothing is heard: not even that nobody is there."""


@dataclass(frozen=True)
class MachineNetwork:
    """The machines, and cuts between them."""

    machines: Sequence[Machine]

    @contextmanager
    def cut(self, one: Machine, *others: Machine | None) -> Iterator[None]:
        """Nothing gets from one machine to the others or back, also over connections that there are; None is here."""
        for other in others:
            _bar(one, other)
            _bar(other, one)
        try:
            yield
        finally:
            for other in others:
                _bar(one, other, lift=True)
                _bar(other, one, lift=True)


@contextmanager
def machines(count: int) -> Iterator[MachineNetwork]:
    """This thread, and what it starts from now on, is on a network with so many machines."""
    if os.geteuid() != 0:
        pytest.skip("only root can make networks")
    with entered():
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "bridge", "type", "bridge")
        run("ip", "address", "add", f"{HERE}/24", "dev", "bridge")
        run("ip", "link", "set", "bridge", "up")
        run("ip", "neighbour", "replace", SILENT, "lladdr", NOBODY, "dev", "bridge", "nud", "permanent")
        keepers: list[subprocess.Popen[bytes]] = []
        made: list[Machine] = []
        try:
            for number in range(1, count + 1):
                keepers.append(_keeper())
                made.append(_joined(number, keepers[-1].pid))
            yield MachineNetwork(made)
        finally:
            for machine in made:
                machine.kill()
            for keeper in keepers:
                keeper.kill()
                keeper.wait()


@contextmanager
def entered() -> Iterator[None]:
    """This thread is in a network namespace of its own."""
    former = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        _call(_libc.unshare, _CLONE_NEWNET)
        try:
            yield
        finally:
            _call(_libc.setns, former, _CLONE_NEWNET)
    finally:
        os.close(former)


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _call(function: "ctypes._NamedFuncPointer", *arguments: int) -> None:
    if function(*arguments) != 0:
        raise OSError(ctypes.get_errno(), "the network namespace can't be changed")


def _keeper() -> subprocess.Popen[bytes]:
    """Returns once it has a namespace."""
    keeper = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    assert keeper.stdout is not None
    with keeper.stdout as said:
        assert said.readline() == b"\n"
    return keeper


def _joined(number: int, keeper: int) -> Machine:
    machine, port = Machine(f"10.77.0.{number}", keeper), f"port{number}"
    run("ip", "link", "add", port, "type", "veth", "peer", "name", machine.device, "netns", str(keeper))
    run("ip", "link", "set", port, "master", "bridge", "up")
    run(*machine.words("ip", "link", "set", "lo", "up"))
    run(*machine.words("ip", "address", "add", f"{machine.address}/24", "dev", machine.device))
    run(*machine.words("ip", "link", "set", machine.device, "up"))
    return machine


def _bar(sender: Machine | None, recipient: Machine | None, *, lift: bool = False) -> None:
    address = HERE if recipient is None else recipient.address
    device = "bridge" if sender is None else sender.device
    change = ("del", address, "dev", device) if lift else (
        "replace", address, "lladdr", NOBODY, "dev", device, "nud", "permanent"
    )  # fmt: skip
    words = ("ip", "neighbour", *change)
    run(*(words if sender is None else sender.words(*words)))


def _network(pid: int) -> str:
    with suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/net")
    return ""
