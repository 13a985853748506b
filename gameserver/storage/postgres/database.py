"""One Postgres database: pools of connections, transactions and snapshots.

SQLAlchemy's engine serves everything but the hot path. Group commit, coalesced reads and followers hold driver
connections of their own (`Link`), whose prepared batches are most of the work of a node's core.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gameserver.logs.outage import Outage
from gameserver.storage.postgres import causes, own_settings, passfile, patience, pools
from gameserver.storage.postgres.causes import NoPrimary, Unfit, Unreconciled
from gameserver.storage.postgres.dialing import CONNECT_SECONDS as CONNECT_SECONDS
from gameserver.storage.postgres.dialing import Dialer
from gameserver.storage.postgres.driver import LEAVE_A_MARK, DriverConnection, Lineage
from gameserver.storage.postgres.faults import translated
from gameserver.storage.postgres.locks import FENCES
from gameserver.storage.postgres.report import Report
from gameserver.storage.postgres.shares import POOL, Shares

QUERY_SECONDS = 5.0
REPORTS = 2
"""Connections to each database for questions over all of them, which hold one on each."""
OF_REPORTS = {"plan_cache_mode": "force_custom_plan", "min_parallel_table_scan_size": "256MB"}
"""For questions over all players: their values decide whether an index is of use. To start workers for a million
players takes longer than they spare, and they take processors from play."""
Vet = Callable[["Database", DriverConnection], Awaitable[None]]
"""Raises Unfit."""


class Judges(NamedTuple):
    """Who says whether a database may be used: `vet` until it has found it fit once, `gate` for each connection."""

    vet: Vet
    gate: Vet
    deployment: Callable[[], str] = str
    """The id of the deployment whose databases pass; empty while it isn't known."""


class Database:
    """One Postgres database.

    Law: nothing uses it before `judges.vet` has judged it, on the first connection, whenever that comes: a database
    that is silent when a node starts, or joins later, is judged when it first answers. Every connection has to pass
    `judges.gate`, which refuses a server that was failed over or restored until it was reconciled.
    """

    def __init__(
        self,
        name: str,
        url: SecretStr,
        passfile: Path | None = None,
        *,
        patient: bool = False,
        replica: bool = False,
        judges: Judges | None = None,
    ) -> None:
        """`patient`, for migrations: statements and transactions may take as long as they need.

        A `replica` needn't take writes.
        """
        self.name = name
        self.dialer = Dialer(name, url, passfile, replica=replica)
        self.groups: frozenset[str] = frozenset()
        """The table groups that it is to have, as far as is known."""
        self._judges, self._is_fit = judges, False
        self.estranged = False
        """Whether its last connection was refused because it has to be reconciled first."""
        self._url, self._passfile = url, passfile
        self._outage = Outage("a database can't be used", "a database can be used again", database=name)
        self._query_seconds = None if patient else QUERY_SECONDS
        self._timeouts = patience.UNHURRIED if patient else patience.POOLED
        self._spare: DriverConnection | None = None
        """What `vetting` has opened, for the pool."""
        self.engine: AsyncEngine = self._pool(POOL, self._pooled)
        self.shares = Shares(name, QUERY_SECONDS)
        planned = {**self._timeouts, **OF_REPORTS}
        self.reports: AsyncEngine = self._pool(REPORTS, lambda: self.connect(planned))

    def _pool(self, size: int, connect: pools.Connect) -> AsyncEngine:
        return pools.pool(connect, size, QUERY_SECONDS, self.dialer.doubt)

    async def _pooled(self) -> DriverConnection:
        spare, self._spare = self._spare, None
        if spare is None:
            return await self.connect(self._timeouts)
        if not spare.is_usable():
            spare.terminate()
            return await self.connect(self._timeouts)
        await self._judge(spare)
        return spare

    def is_at(self, url: SecretStr) -> bool:
        """Whether this is its address, as it was given."""
        return self._url == url

    def lead_to(self, url: SecretStr) -> None:
        """Gives it another address: connections to the former one are cut, and the server there is judged anew."""
        self._url, self._is_fit = url, False
        self.dialer.lead_to(url)

    async def dispose(self) -> None:
        """Closes the pools."""
        if self._spare is not None:
            self._spare.terminate()
        await asyncio.gather(self.engine.dispose(), self.reports.dispose())

    @property
    def url(self) -> SecretStr:
        """With its password, which may stand in the password file. Raises PassfileFault, one of LOST."""
        return passfile.completed(self._url, self._passfile)

    @property
    def problem(self) -> str | None:
        """A sentence on why it can't be used at the moment; None if it can, as far as is known."""
        return self._outage.error

    async def connect(self, settings: Mapping[str, str]) -> DriverConnection:
        """A driver connection with these server settings.

        Raises one of LOST, also when the server refuses it, or when the database is Unfit.
        """
        connection = await self.connect_unjudged(settings)
        await self._judge(connection)
        self._outage.answered()
        return connection

    async def connect_unjudged(self, settings: Mapping[str, str]) -> DriverConnection:
        """A connection to a database that may be unfit, for those who judge it. Raises one of LOST."""
        try:
            connection = await self.dialer.dial({**own_settings.EVERYWHERE, **settings}, self._query_seconds)
        except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
            self._outage.failed(causes.explained(self.name, error))
            if isinstance(error, asyncpg.PostgresError):
                raise ConnectionError(f"{type(error).__name__}: {error}") from error
            raise
        return connection

    async def connect_to_examine(self) -> DriverConnection:
        """A connection to the server that takes writes or, at a URL of one address, to whatever is there.

        Raises one of LOST, or what the server refuses it with.
        """
        try:
            return await self.connect_unjudged({})
        except NoPrimary:
            if not self.dialer.is_of_one:
                raise
        return await self.dialer.undemanding().dial(own_settings.EVERYWHERE, self._query_seconds)

    async def ask_each_address(self) -> Mapping[str, Lineage | BaseException | None]:
        """What is at each address of its URL: a lineage, None if it doesn't say that, or why it can't be used."""
        return await self.dialer.each(own_settings.EVERYWHERE)

    @contextlib.asynccontextmanager
    async def vetting(self) -> AsyncIterator[DriverConnection]:
        """A connection to a database that may be unfit; after `found_fit` it becomes the pool's first.

        Raises DatabaseUnavailable, and one of LOST.
        """
        if self._is_fit:
            async with self.driver_snapshot() as pooled:
                yield pooled
            return
        connection = await self.connect_unjudged(self._timeouts)
        try:
            yield connection
        finally:
            if self._is_fit:
                self._spare = connection
            else:
                connection.terminate()

    def found_fit(self) -> None:
        """It needn't be vetted any more: whoever calls this has just done that."""
        self._is_fit = True

    async def _judge(self, connection: DriverConnection) -> None:
        """Lets the judges look at the database and this connection.

        Raises Unfit, and what the driver raises.
        """
        try:
            if self._judges is not None:
                if not self._is_fit:
                    await self._judges.vet(self, connection)
                self._is_fit = True
                await self._judges.gate(self, connection)
        except BaseException as error:
            connection.terminate()
            if isinstance(error, Unfit):
                self._outage.failed(str(error))
            self.estranged = isinstance(error, Unreconciled)
            self.dialer.is_judged = self.dialer.is_judged or self.estranged
            if isinstance(error, Unfit):
                self.dialer.forget()
            raise
        self.estranged, self.dialer.is_judged = False, True

    @contextlib.asynccontextmanager
    async def _opened(self, **options: Any) -> AsyncIterator[AsyncConnection]:
        """A connection from the share of the present purpose. Raises DatabaseUnavailable, Overloaded."""
        with translated(self.name):
            async with self.shares.take(), self.engine.connect() as opened:
                yield await opened.execution_options(**options)

    @contextlib.asynccontextmanager
    async def _begun(self, first: str) -> AsyncIterator[AsyncConnection]:
        """A transaction that begins with a query of these columns."""
        async with self._opened(isolation_level="READ COMMITTED") as connection, connection.begin():
            await connection.execute(text(f"select {first}"))
            yield connection

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction through the engine, whose commit waits for the standby also where it writes nothing.

        Raises DatabaseUnavailable, and OutcomeUnknown when the commit may have taken place.
        """
        async with self._begun(LEAVE_A_MARK) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A read-only transaction whose statements all see one moment. Raises DatabaseUnavailable."""
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        async with self._opened(**options) as connection, connection.begin():
            yield connection

    @contextlib.asynccontextmanager
    async def report(self, deadline: float) -> AsyncIterator[Report]:
        """A snapshot over a connection that takes none from the others' pool. Raises DatabaseUnavailable."""
        with translated(self.name):
            async with asyncio.timeout_at(deadline):
                opened = await self.reports.connect()
            try:
                raw = pools.driver_of(await opened.get_raw_connection())
                await opened.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                report = Report(self.name, opened, raw.terminate, deadline)
                try:
                    yield report
                    await report.finish()
                finally:
                    report.end()
            except BaseException:
                await opened.invalidate()
                raise
            finally:
                await opened.close()

    @contextlib.asynccontextmanager
    async def driver_snapshot(self) -> AsyncIterator[DriverConnection]:
        """The driver's connection within a `snapshot`, for statements with `$1`…. Raises DatabaseUnavailable."""
        async with self.snapshot() as connection:
            # The engine begins a transaction only with a statement that it sends itself.
            await connection.execute(text("select 1"))
            yield pools.driver_of(await connection.get_raw_connection())

    async def ask(self, statement: str, *arguments: object) -> Sequence[Any]:
        """The rows of one statement with `$1`…, in its own transaction; one that changes something may be sent again.

        Raises DatabaseUnavailable, also where its connection was lost before the answer and it may have taken effect,
        and OutcomeUnknown where it has, but perhaps on one disk alone.
        """
        async with self._opened(isolation_level="AUTOCOMMIT") as connection:
            rows = (await connection.exec_driver_sql(statement, arguments)).fetchall()
            pools.driver_of(await connection.get_raw_connection()).require_sure()
            return rows

    @contextlib.asynccontextmanager
    async def fenced(self, group: str) -> AsyncIterator[AsyncConnection]:
        """A transaction under the group's fence: a slot that it then finds owned stays owned until its end."""
        async with self._begun(f"pg_advisory_xact_lock_shared({FENCES[group]}), {LEAVE_A_MARK}") as connection:
            yield connection


ONE_BY_ONE = text(
    "select set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), "
    "set_config('enable_mergejoin', 'off', true)"
)


async def one_by_one(connection: AsyncConnection) -> None:
    """Makes the rest of the transaction go through primary keys, whatever outdated statistics suggest."""
    await connection.execute(ONE_BY_ONE)
