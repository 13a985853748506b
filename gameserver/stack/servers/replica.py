"""A replica of an embedded Postgres: a base backup of it that follows by streaming replication.

Law: it is a copy and nothing else. Its data may be thrown away at any time, which `start` does when it can't follow any
more, since the primary no longer has the WAL that it needs. Data that is no copy, since it is of another system or
timeline than the primary, is ahead of it or was promoted, may be the only one of its kind: a primary that was restored,
or put back from a snapshot of its disk, lacks what was written since. It is put aside and never deleted, and what can't
be read is left where it is. A Postgres that runs when the WAL goes asks for it for ever, and never ends by itself: it
is killed, so that it is started again.
"""

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NamedTuple

import asyncpg
import structlog

from gameserver.stack.errors import StackError
from gameserver.stack.servers import datafolder, roles, standbys
from gameserver.stack.servers.postgres import HOST, PostgresServer
from gameserver.stack.servers.roles import SUPERUSER

LOOK_SECONDS = 5.0
"""How often its primary is asked whether it has the WAL that it needs."""
_PAST = """
    select system_identifier::text, ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint,
        (pg_current_wal_lsn() - '0/0')::bigint
    from pg_control_system()
"""
"""The timeline is that on which the primary writes, also before the first checkpoint on it."""
_ENDS = "Latest checkpoint location", "Minimum recovery ending location"
_log = structlog.get_logger()


class _Past(NamedTuple):
    """What data is of, and how far it goes, in bytes of WAL."""

    system: str
    timeline: int
    end: int

    def is_behind(self, other: "_Past") -> bool:
        """Whether it has nothing that the other lacks."""
        return (self.system, self.timeline) == (other.system, other.timeline) and self.end <= other.end


@dataclass(eq=False, kw_only=True)
class PostgresReplica(PostgresServer):
    """It has the passwords of its primary, which runs when this one starts."""

    _making_seconds: ClassVar[float] = 24 * 3600
    """A base backup takes as long as reading the primary."""

    primary: PostgresServer
    _watching: asyncio.Task[None] | None = field(default=None, init=False, repr=False)
    """What sees, while it runs, that it can go on."""

    async def stop(self) -> None:
        """End it in its own orderly way, and kill it when that takes longer than `stop_seconds`."""
        self._watch_no_more()
        await super().stop()

    def kill(self) -> None:
        """SIGKILL to it and its children, as when the machine fails."""
        self._watch_no_more()
        super().kill()

    async def _start_process(self) -> None:
        self._watch_no_more()
        await super()._start_process()
        self._watching = asyncio.create_task(self._watch())

    def _watch_no_more(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None

    async def _watch(self) -> None:
        """Kills it when it can't go on; its next start makes it anew."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not await self._can_go_on():
                break
        _log.warning("a replica can't go on: its primary no longer has the WAL that it needs", replica=self.name)
        self.process.kill()

    async def _can_go_on(self) -> bool:
        """As far as its primary says, which may be away. One that somebody has promoted needs nothing of it."""
        try:
            connection = await self._connected()
            try:
                return await standbys.holds(connection, self.name) or not self._follows()
            finally:
                connection.terminate()
        except roles.DRIVER_ERRORS:
            return True

    def _follows(self) -> bool:
        return (self._folder / "standby.signal").exists()

    async def _connected(self) -> asyncpg.Connection:
        """To its primary. Raises what the driver does."""
        return await roles.connect_first((HOST, self.primary.port), (self._superuser_password,))

    @property
    def _secret_for_making(self) -> str:
        """A line of a password file of libpq, which escapes these two."""
        password = self._superuser_password.get_secret_value().replace("\\", r"\\").replace(":", r"\:")
        return f"{HOST}:{self.primary.port}:*:{SUPERUSER}:{password}"

    def _making_command(self, folder: Path, secret: Path) -> tuple[str, ...]:
        """A base backup, with the WAL that it needs; commits that wait for the replica don't wait for its making."""
        return (
            str(self._programs / "pg_basebackup"),
            f"--pgdata={folder}",
            f"--dbname={self._conninfo(secret, 'pg_basebackup')}",
            f"--slot={standbys.slot_of(self.name)}",
            "--wal-method=stream",
            "--checkpoint=fast",
            "--write-recovery-conf",
            "--no-password",
        )

    def _replication(self) -> Mapping[str, str]:
        return {
            "primary_conninfo": self._conninfo(self._passfile, self.name),
            "primary_slot_name": standbys.slot_of(self.name),
            "hot_standby": "on",
        }

    async def _make_data(self) -> None:
        try:
            await self._renew()
        except roles.DRIVER_ERRORS as error:
            name = self.primary.process.name
            raise StackError(f"{name}, which {self.name} follows, doesn't answer: {error}") from None
        await super()._make_data()
        try:
            datafolder.write_secret(self._passfile, self._secret_for_making, self._account)
        except OSError as error:
            raise StackError(f"The file {self._passfile} can't be written: {error}.") from None

    async def _provide(self) -> None:
        """It has what its primary has."""

    async def _renew(self) -> None:
        """Makes room where it has data that it can't go on from. Raises what the driver does, StackError."""
        connection = await self._connected()
        try:
            past = _Past(*await connection.fetchrow(_PAST))
            own = await asyncio.to_thread(self._past)
            if (reason := await self._why_anew(connection, past.system, own)) is not None:
                _log.info("a replica is made", replica=self.name, reason=reason)
                # The slot last: as long as it holds too little, the next start comes here again.
                await asyncio.to_thread(
                    self._make_room, is_copy=own is not None and own.is_behind(past) and self._follows()
                )
                await standbys.renew(connection, self.name)
        finally:
            await connection.close()

    async def _why_anew(self, connection: asyncpg.Connection, system: str, own: _Past | None) -> str | None:
        """Why its data is of no use; None if it can go on from there."""
        if own is None:
            return "there is none"
        if own.system != system:
            return "its data is of another system than its primary"
        if not await standbys.holds(connection, self.name):
            return "its primary no longer has the WAL that it needs"
        return None

    def _make_room(self, *, is_copy: bool) -> None:
        """Deletes a copy of the primary's data, which loses its name first; other data is put aside.

        Raises StackError.
        """
        if datafolder.is_new(self._folder):
            return
        try:
            if not is_copy:
                datafolder.put_aside(self._folder)
                return
            shutil.rmtree(self._half, ignore_errors=True)
            datafolder.put_in_place(self._folder, self._half)
            shutil.rmtree(self._half)
        except OSError as error:
            raise StackError(f"The former data in {self._folder} can't be moved away: {error}.") from None

    def _past(self) -> _Past | None:
        """What its data is of; None if there is none. Raises StackError."""
        if datafolder.is_new(self._folder):
            return None
        values = datafolder.control_values(self._programs, self._folder, self._account)
        try:
            end = max(datafolder.position_of(values[name]) for name in _ENDS)
            return _Past(values["Database system identifier"], int(values["Latest checkpoint's TimeLineID"]), end)
        except (KeyError, ValueError):
            raise StackError(
                f"The data in {self._folder} can't be read: move it away, or bring it back. A copy of the primary is "
                "made where there is none."
            ) from None

    def _conninfo(self, passfile: Path, application: str) -> str:
        return (
            f"host={HOST} port={self.primary.port} user={SUPERUSER} passfile='{passfile}' "
            f"application_name={application} sslmode=disable gssencmode=disable"
        )

    @property
    def _passfile(self) -> Path:
        return self._folder.with_name(self._folder.name + ".passfile")
