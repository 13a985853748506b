"""HAProxy as a child process; every start writes its configuration anew, with the nodes that are in rotation then."""

import asyncio
import os
import signal
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from gameserver.config.deployment import HAProxySettings
from gameserver.config.ports import joined
from gameserver.stack.errors import StackError
from gameserver.stack.processes import ports
from gameserver.stack.processes.process import Launch
from gameserver.stack.servers import binaries
from gameserver.stack.servers.haproxy_api import RuntimeApi
from gameserver.stack.servers.haproxy_config import SOCKET
from gameserver.stack.servers.managed import ManagedServer

_READY_SECONDS = 20


@dataclass(eq=False, kw_only=True)
class HAProxyServer(ManagedServer):
    """HAProxy in front of the nodes: its configuration, and the process that runs with it."""

    _stop_signal: ClassVar[signal.Signals] = signal.SIGUSR1
    """It then takes no new connections, and ends when none is open."""

    section: HAProxySettings
    certificate: Path | None
    configuration: Callable[[], str]
    """Called at every start."""
    run: Path
    """The folder for its configuration, its socket and its lock."""
    name: str = "haproxy"
    what: str = field(default="HAProxy", init=False)
    api: RuntimeApi = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._manage("HAProxy", self.run / f"{self.name}.lock")
        self.api = RuntimeApi(self.run / SOCKET)
        self._file = self.run / f"{self.name}.cfg"

    @property
    def players(self) -> str:
        """The address for players."""
        return f"{'https' if self.certificate else 'http'}://{joined(self.section.host, self.section.port)}"

    @property
    def operators(self) -> str:
        """The address for operators."""
        return f"http://{joined(self.section.operators_host, self.section.operators_port)}"

    @property
    def address(self) -> str:
        return self.players

    async def check(self) -> None:
        """Raises StackError if the program, the certificate, a port or the configuration can't be used."""
        program = binaries.haproxy()
        ports.require_free(self.section.host, self.section.port, "haproxy.port")
        ports.require_free(self.section.operators_host, self.section.operators_port, "haproxy.operators_port")
        if self.certificate is not None:
            _require_usable(self.certificate)
        self._write()
        checked = await asyncio.create_subprocess_exec(
            program, "-c", "-f", self._file, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await checked.communicate()
        if checked.returncode != 0:
            raise StackError(f"HAProxy can't use {self._file}:\n{output.decode('utf-8', 'replace').strip()}")

    def _write(self) -> None:
        try:
            self._file.touch(mode=0o600)
            self._file.chmod(0o600)
            self._file.write_text(self.configuration(), "utf-8")
        except OSError as error:
            raise StackError(f"The file {self._file} can't be written: {error.strerror}.") from None

    async def _start_process(self) -> None:
        self._write()
        launch = Launch(
            argv=(str(binaries.haproxy()), "-db", "-f", self._file.name),
            cwd=self.run,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            lock=self._lock,
            orphaned=signal.SIGTERM,
        )
        self.process.start(launch)
        await self.process.until(self._answers, _READY_SECONDS)

    async def _answers(self) -> bool:
        try:
            return bool(await self.api.states())
        except StackError:
            return False


def _require_usable(certificate: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, password="")
    except OSError as error:
        reason = error.strerror or str(error)
        raise StackError(
            f"The certificate {certificate} (haproxy.certificate) can't be used: {reason}. "
            "It takes a PEM file with the key and the chain."
        ) from None
