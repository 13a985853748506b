"""HAProxy as a child process; every start writes its configuration anew, so that it begins with the places of now."""

import asyncio
import os
import signal
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gameserver.config.deployment import HAProxySettings
from gameserver.stack.errors import StackError
from gameserver.stack.processes import ports
from gameserver.stack.processes.lock import FolderLock
from gameserver.stack.processes.process import Launch, Process
from gameserver.stack.servers import binaries
from gameserver.stack.servers.haproxy_api import RuntimeApi
from gameserver.stack.servers.haproxy_config import SOCKET, joined

_LEFTOVER_SECONDS = 15
_READY_SECONDS = 20


@dataclass(eq=False, kw_only=True)
class HAProxyServer:
    """The front of the stack: its configuration, and the process that runs on it, if one does."""

    section: HAProxySettings
    certificate: Path | None
    configuration: Callable[[], str]
    """Asked at every start."""
    run: Path
    """The folder for its configuration, its socket and its lock."""
    log: Path
    stop_seconds: float
    """How long open requests and sockets get on a stop."""
    name: str = "haproxy"
    what: str = field(default="HAProxy", init=False)
    process: Process = field(init=False, repr=False)
    api: RuntimeApi = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.process = Process("HAProxy", self.log)
        self.api = RuntimeApi(self.run / SOCKET)
        self._claim = FolderLock(self.run / f"{self.name}.lock")
        self._file = self.run / f"{self.name}.cfg"

    @property
    def players(self) -> str:
        """The address of the players' door."""
        return f"{'https' if self.certificate else 'http'}://{joined(self.section.host, self.section.port)}"

    @property
    def operators(self) -> str:
        """The address of the operators' door."""
        return f"http://{joined(self.section.operators_host, self.section.operators_port)}"

    @property
    def address(self) -> str:
        return self.players

    async def claim(self) -> None:
        """Wait until an earlier run's process has ended. Raises StackError."""
        await self._claim.wait(_LEFTOVER_SECONDS, self.process.name)

    async def check(self) -> None:
        """Raises StackError if the program, the certificate, a port or the configuration stands in the way."""
        program = binaries.haproxy()
        ports.require_free(self.section.host, self.section.port, "haproxy.port")
        ports.require_free(self.section.operators_host, self.section.operators_port, "haproxy.operators_port")
        if self.certificate is not None:
            _require_usable(self.certificate)
        self._write()
        checked = await asyncio.create_subprocess_exec(
            program, "-c", "-f", self._file, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        told, _ = await checked.communicate()
        if checked.returncode != 0:
            raise StackError(f"HAProxy can't use {self._file}:\n{told.decode('utf-8', 'replace').strip()}")

    async def start(self) -> None:
        """Start it and wait until it answers. Raises StackError; it then isn't running.

        A start that is cancelled leaves it to `stop`.
        """
        if self.process.pid is not None:
            raise StackError(f"{self.process.name} is already running.")
        try:
            await self.claim()
            self._write()
            self.process.start(self._launch())
            await self.process.until(self._answers, _READY_SECONDS)
        except Exception:
            self.kill()
            raise
        finally:
            self._claim.release()

    async def stop(self) -> None:
        """It takes nothing new, and ends when nothing is open; it is killed when that takes over `stop_seconds`."""
        await self.process.stop(signal.SIGUSR1, self.stop_seconds)
        self._claim.release()

    def kill(self) -> None:
        """SIGKILL, as when the machine fails."""
        self.process.kill()

    def _write(self) -> None:
        try:
            self._file.write_text(self.configuration(), "utf-8")
        except OSError as error:
            raise StackError(f"The file {self._file} can't be written: {error.strerror}.") from None

    def _launch(self) -> Launch:
        return Launch(
            argv=(str(binaries.haproxy()), "-db", "-f", self._file.name),
            cwd=self.run,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            claim=self._claim,
            orphaned=signal.SIGTERM,
        )

    async def _answers(self) -> bool:
        try:
            return bool(await self.api.states())
        except StackError:
            return False


def _require_usable(certificate: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, password="")
    except OSError as error:
        told = error.strerror or str(error)
        raise StackError(
            f"The certificate {certificate} (haproxy.certificate) can't be used: {told}. "
            "It takes a PEM file with the key and the chain."
        ) from None
