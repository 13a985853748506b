"""Opens connections to a database of which several servers may be the primary, and finds the one that is.

Law: a connection is given out only to a server that takes writes, whose data descend from the same system as before,
and which isn't an earlier primary than one that was seen, by this process or by an earlier one (sharding/primaries.py).
All addresses are asked at once (racing.py), so an address that is silent holds up nobody, and a primary that has a
successor without knowing it isn't kept. What is
learned of the servers holds for the connections that there are: those to a server that is no primary any more, or that
isn't at these addresses, are cut at once. A replica's URL leads to whatever it names.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakSet

import asyncpg
import structlog
from pydantic import SecretStr

from gameserver.config import postgres_url
from gameserver.config.postgres_url import Place
from gameserver.storage.postgres import array_types, passfile, patience
from gameserver.storage.postgres.causes import NoPrimary, Unfit
from gameserver.storage.postgres.driver import DriverConnection, Lineage
from gameserver.storage.postgres.racing import (
    ANSWER_SECONDS,
    Attempts,
    Race,
    end_all,
    has_succeeded,
    number,
    timeline_by,
)
from gameserver.telemetry import PRIMARY

CONNECT_SECONDS = 3.0
_LINEAGE = """
select system_identifier::text as system, pg_is_in_recovery() as replays,
       case when not pg_is_in_recovery()
           then ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int end as timeline
from pg_control_system()
"""
Attempt = Callable[[Place], Coroutine[Any, Any, DriverConnection]]
log = structlog.get_logger()


class Dialer:
    """One per database."""

    def __init__(self, name: str, url: SecretStr, passwords: Path | None, *, replica: bool = False) -> None:
        """`passwords` is the password file; a `replica` needn't take writes."""
        self._name, self._url, self._passwords, self._replica = name, url, passwords, replica
        self._places, self._fault = _places(url)
        self._connections: WeakSet[DriverConnection] = WeakSet()
        self._last: Place | None = None
        self._remembered: Lineage | None = None
        self.lineage: Lineage | None = None
        """That of the primary seen last."""
        self.is_judged = False
        """Whether a primary that was seen is the right database: before, the next one may be of any system."""

    @property
    def primary(self) -> str | None:
        """`host:port` of the primary seen last."""
        return self._last.address if self._last else None

    @property
    def is_of_one(self) -> bool:
        """Whether the URL has one address."""
        return len(self._places) == 1

    @property
    def number(self) -> int | None:
        """Which of the URL's addresses, from 1, is the primary seen last; None if the URL has only one, too."""
        return self._places.index(self._last) + 1 if self._last and len(self._places) > 1 else None

    def remember(self, lineage: Lineage) -> None:
        """What an earlier process has seen: no earlier primary of this system is taken; another system may be, where
        every address answers and none is of this one."""
        self._remembered = lineage

    def forget(self) -> None:
        """The primary seen last isn't the right database: unless one was, nothing is known of it."""
        if not self.is_judged:
            self.lineage = None
            self._leave()

    def _leave(self) -> None:
        if self._last is not None:
            PRIMARY.remove(self._name, self._last.address)
            self._last = None

    def lead_to(self, url: SecretStr) -> None:
        """Gives it other addresses, and cuts what leads to the former ones. What was seen of the primary counts on."""
        self._url = url
        self._places, self._fault = _places(url)
        self._leave()
        for connection in list(self._connections):
            self._connections.discard(connection)
            connection.terminate()

    def undemanding(self) -> "Dialer":
        """One that takes whatever the URL leads to, a replica or a read-only server, too: to examine it."""
        return Dialer(self._name, self._url, self._passwords, replica=True)

    async def dial(self, settings: Mapping[str, str], query_seconds: float | None) -> DriverConnection:
        """A connection with these server settings to the primary. Raises what the driver does, NoPrimary and Unfit."""
        if self._fault:
            raise Unfit(f"The database {self._name} has a URL that can't be used: {self._fault}.")
        places = self._places
        async with asyncio.timeout(CONNECT_SECONDS):
            attempt = partial(self._attempt, settings=settings, query_seconds=query_seconds)
            if len(places) == 1:
                place = places[0]
                connection = await attempt(place)
            else:
                place, connection = await self._race(attempt)
        if places is not self._places:
            connection.terminate()
            raise NoPrimary(f"The database {self._name} has another address since.")
        connection.when_demoted = self.doubt
        if not self._replica:
            self._accept(place, connection)
        self._connections.add(connection)
        return connection

    async def look(self, settings: Mapping[str, str]) -> None:
        """Looks for a newer primary than the one that is used, which is cut then: at the other addresses or, if there
        is but one, behind that, which may have been turned to another server.

        A former primary may go on serving those that are connected, if whatever should stop it is frozen.
        """
        if self._last is None:
            return
        places = self._places
        others = [place for place in places if place is not self._last] or places
        attempts = {
            place: asyncio.create_task(self._attempt(place, settings=settings, query_seconds=ANSWER_SECONDS))
            for place in others
        }
        try:
            if attempts:
                await asyncio.wait(attempts.values(), timeout=ANSWER_SECONDS)
            found = [place for place in others if has_succeeded(attempts[place])]
            newest = max(found, key=timeline_by(attempts), default=None)
            is_newer = newest is not None and timeline_by(attempts)(newest) > number(self.lineage)
            if newest is not None and is_newer and places is self._places:
                self._accept(newest, attempts[newest].result())
        finally:
            await end_all(attempts.values())

    async def each(self, settings: Mapping[str, str]) -> dict[str, Lineage | BaseException | None]:
        """What is at each address, by itself: its lineage, if it says that, or why it can't be used."""
        asker, found = self.undemanding(), dict[str, Lineage | BaseException | None]()

        async def ask(place: Place) -> None:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    connection = await asker._attempt(place, settings=settings, query_seconds=CONNECT_SECONDS)
            except (OSError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
                found[place.address] = error
            else:
                found[place.address] = connection.lineage
                connection.terminate()

        await asyncio.gather(*map(ask, self._places))
        return {place.address: found[place.address] for place in self._places}

    def doubt(self) -> None:
        """Lets no connection that there is be used again: their server may be no primary any more."""
        for connection in self._connections:
            connection.doubted = True

    async def _attempt(
        self, place: Place, *, settings: Mapping[str, str], query_seconds: float | None
    ) -> DriverConnection:
        """A connection to this address, if that is the primary."""
        connection: DriverConnection = await asyncpg.connect(
            passfile.completed(place.url, self._passwords).get_secret_value(),
            timeout=CONNECT_SECONDS,
            command_timeout=query_seconds,
            server_settings=patience.at_start(settings),
            connection_class=DriverConnection,
            max_cached_statement_lifetime=0,  # else one is parsed again amid a transaction
            target_session_attrs="any",
        )
        try:
            connection.address = place.address
            array_types.introduce(connection)
            await connection.bound(settings.get(patience.TRANSACTION, "0"))
            await self._examine(connection)
        except BaseException as error:
            connection.terminate()
            if isinstance(error, Unfit):
                error.lineage = connection.lineage
            raise
        return connection

    async def _examine(self, connection: DriverConnection) -> None:
        """Raises NoPrimary and Unfit."""
        reported = connection.get_settings()
        replays = getattr(reported, "in_hot_standby", "off") == "on"
        with contextlib.suppress(asyncpg.InsufficientPrivilegeError):
            row = await connection.fetchrow(_LINEAGE)
            replays = row["replays"]
            connection.lineage = Lineage(row["system"], row["timeline"])
        if self._replica:
            return
        if replays:
            raise NoPrimary(f"The database {self._name} is a replica there: the URL must lead to the primary.")
        if getattr(reported, "default_transaction_read_only", "off") == "on":
            raise NoPrimary(
                f"The database {self._name} is read-only there: turn default_transaction_read_only off for the role, "
                "the database and the server, or correct the URL."
            )
        self._compare(connection.lineage)

    def _compare(self, lineage: Lineage | None) -> None:
        """Raises Unfit for another system, and NoPrimary for an earlier primary."""
        known = self.lineage or self._remembered
        if known is None or lineage is None:
            return
        if lineage.system != known.system and self.lineage is None:
            return  # another one since: the other addresses, and its own tables, say whether it may be used
        if lineage.system != known.system:
            raise Unfit(
                f"The database {self._name} is another one now, of the system {lineage.system}, not {known.system}: "
                "correct the URL, or start again what is to use it."
            )
        if lineage.timeline is not None and number(lineage) < number(known):
            raise NoPrimary(
                f"The database {self._name} has another primary since: this one is of an old timeline (or was restored "
                "by hand: then run `gameserver slots reconcile --reason …`, and start the nodes again)."
            )

    def _accept(self, place: Place, connection: DriverConnection) -> None:
        """Remembers the primary, and cuts what leads to another one."""
        if self._last is not place:
            if self._last is not None:
                PRIMARY.remove(self._name, self._last.address)
                log.warning("a database has another primary", database=self._name, address=place.address)
            self._last = place
            PRIMARY.labels(self._name, place.address).set(1)
        self.lineage = connection.lineage or self.lineage
        for other in list(self._connections):
            known = other.lineage is not None and connection.lineage is not None
            if other.lineage != connection.lineage if known else other.address != connection.address:
                other.terminate()
                self._connections.discard(other)

    async def _race(self, attempt: Attempt) -> tuple[Place, DriverConnection]:
        """The newest primary among all addresses."""
        attempts: Attempts = {place: asyncio.create_task(attempt(place)) for place in self._places}
        winner: Place | None = None
        try:
            race = Race(self._name, attempts, self.lineage or self._remembered, replica=self._replica)
            winner = await race.winner()
            return winner, attempts[winner].result()
        finally:
            await end_all([attempt for place, attempt in attempts.items() if place is not winner])


def _places(url: SecretStr) -> tuple[list[Place], str]:
    """The addresses of a URL, or why it has none."""
    try:
        return postgres_url.places(url), ""
    except ValueError as error:
        return [], str(error)
