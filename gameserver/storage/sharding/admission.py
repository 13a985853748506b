"""Adds a database to groups: its tables are brought to their heads, and it may be given slots."""

import ssl
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

import asyncpg
from pydantic import SecretStr

from gameserver.config import naming, postgres_url
from gameserver.config.settings import Settings
from gameserver.rules.errors import Conflict
from gameserver.storage.postgres import causes, passfile
from gameserver.storage.postgres.causes import NoPrimary
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.postgres.faults import LOST
from gameserver.storage.sharding import provision
from gameserver.storage.sharding.copying import opened, require_fit
from gameserver.storage.sharding.membership import Membership
from gameserver.storage.sharding.recognizing import recognized, settled, tell
from gameserver.storage.sharding.records import require_unmoved
from gameserver.storage.tables.migrations import OutdatedDatabase

_STARTED = "select system_identifier::text || ' ' || pg_postmaster_start_time()::text from pg_control_system()"
"""Tells one server from another, also from a copy of it."""


async def admit(
    settings: Settings,
    name: str,
    url: SecretStr | None,
    groups: Sequence[str],
    recorded: Callable[[Database], AbstractAsyncContextManager[object]] = nullcontext,
) -> None:
    """Brings the database's tables to their heads and records it; it owns no slot yet. Safe to run again.

    A drain is taken back in all groups of the database, as it was begun in all of them.
    The addition is made within `recorded`, which is given the control database.

    Raises Conflict, with the reason, for a database that can't be used; ConfigFault, DatabaseUnavailable.
    """
    databases = provision.open_databases(settings, patient=True)
    try:
        database = _named(settings, databases, name, url, groups)
        control = databases[settings.control.database]
        membership = Membership(control)
        try:
            deployment = await recognized(control, await _all(control, databases, name), joining=name)
            deployment = await settled(control, deployment)
            await _make_fit(settings, control, database, groups)
            await tell(database, groups, deployment, anew=True)
            if url is not None and (former := await membership.address(name)) not in (None, url):
                for place in _former_places(name, former):
                    # One by one: that one is a replica says nothing of the others.
                    await _require_left(Database(name, place.url, settings.passfile), database)
        except (*LOST, asyncpg.PostgresError) as error:
            raise Conflict(f"The database {name} can't be used: {error}.") from error
        except OutdatedDatabase as error:
            raise Conflict(f"The database {name} can't be added: {error}") from error
        async with recorded(control):
            for group in groups:
                await membership.join(group, name, url)
            await membership.keep(name)
        await provision.reconciler_of(settings, databases).insist()
    finally:
        await databases.close()


def _named(
    settings: Settings, databases: Databases, name: str, url: SecretStr | None, groups: Sequence[str]
) -> Database:
    if unknown := [group for group in groups if group not in settings.groups]:
        raise Conflict(f"There is no group {unknown[0]!r}: there are {', '.join(settings.groups)}.")
    try:
        naming.require_plain(name)
    except ValueError as error:
        raise Conflict(f"{error}.") from None
    if url is not None and name in databases:
        raise Conflict(f"The settings name the database {name} already: leave its address out.")
    if url is not None:
        _require_bare(url)
        databases.join(name, url)
    if name not in databases:
        raise Conflict(f"The settings name no database {name!r}: give its address, postgresql://…, by --url.")
    return databases[name]


def _require_bare(url: SecretStr) -> None:
    """Raises Conflict for an address that isn't one, or holds what may not be stored."""
    try:
        postgres_url.places(url)
    except ValueError as error:
        raise Conflict(f"The address can't be used: {error}.") from None
    if passfile.has_password(url):
        raise Conflict(
            "Leave the password out of the address: the command line can be read by every account of this machine, and "
            "the address is stored. Put the line host:port:database:role:password into every node's password file "
            "(control.passfile, PGPASSFILE or ~/.pgpass)."
        )
    if passfile.has_passphrase(url):
        raise Conflict(
            "Leave sslpassword out of the address: the command line can be read by every account of this machine, and "
            "the address is stored. Give the nodes a key without a passphrase, which only their account can read."
        )


async def _all(control: Database, databases: Databases, name: str) -> list[Database]:
    """Also those that joined earlier; the named one is where it is to be."""
    for other, address in await control.ask("select name, url from databases where url is not null"):
        if other != name:
            databases.join(other, SecretStr(address))
    return [databases[other] for other in databases.names()]


def _former_places(name: str, address: SecretStr) -> list[postgres_url.Place]:
    """Raises Conflict for an address that an earlier version stored and this one doesn't take."""
    try:
        return postgres_url.places(address)
    except ValueError as error:
        raise Conflict(
            f"The former address of {name}, in the table `databases` of the control database, can't be used: {error}. "
            "Correct it there: another server may still take writes at it."
        ) from None


async def _require_left(former: Database, database: Database) -> None:
    """Raises Conflict while another server than the database's takes writes at its former address."""
    async with opened(database) as connection:
        here = await connection.fetchval(_STARTED)
    try:
        async with opened(former) as connection:
            there = await connection.fetchval(_STARTED)
    except (*LOST, asyncpg.PostgresError) as error:
        if is_gone(error):
            return
        raise Conflict(
            f"Whether another server still takes writes at the former address of {former.name} can't be told: "
            f"{causes.explained(former.name, error)} Stop that server first, or let it answer."
        ) from error
    finally:
        await former.dispose()
    if there != here:
        raise Conflict(
            f"{former.name} owns slots, and another server still takes writes at its former address: a node that hears "
            "of the new one late would go on there, and what it writes would be lost. Stop that server first."
        )


def is_gone(error: BaseException) -> bool:
    """Whether what a server was asked for failed so because none is there, or none that takes writes.

    Any other answer, as that a password is wrong or that it is starting up, may come from one that serves nodes.
    """
    if isinstance(error, ConnectionError):
        return isinstance(error, (ConnectionRefusedError, NoPrimary))
    return isinstance(error, OSError) and not isinstance(error, ssl.SSLError)


async def _make_fit(settings: Settings, control: Database, database: Database, groups: Sequence[str]) -> None:
    await require_fit(database, database)
    for group in groups:
        await require_unmoved(control, database, group, [database])
        await provision.upgrade(settings, database, group)
