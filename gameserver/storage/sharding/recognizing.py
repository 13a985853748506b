"""Recognizes databases before `migrate` or `databases add` changes anything in them.

Law: nothing is made or granted where an address leads to another database than its name says. Those that don't know yet
who they are, as of an earlier version, are recognized by the slots that they own.
"""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import asyncpg

from gameserver.rules import ranges
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.postgres import causes
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import translated
from gameserver.storage.sharding import identity
from gameserver.storage.sharding.identity import DatabaseIdentity
from gameserver.storage.tables.migrations import OutdatedDatabase

T = TypeVar("T")
_PLACE = """
    select system_identifier::text || ' ' || pg_postmaster_start_time()::text || ' ' || d.oid
    from pg_control_system(), pg_database d where d.datname = current_database()
"""
_OWNERS = "select g from unnest($1::text[]) as g where to_regclass('public.' || g || '_owned_slots') is not null"
_HAS = "select to_regclass('public.' || $1) is not null"
_MAP = 'select "group", slot, database from slots'


@dataclass(frozen=True, slots=True)
class FoundDatabase:
    """What is at the address of a database; `place` tells it from every other one, and is None where nothing does."""

    place: str | None = None
    identities: Sequence[DatabaseIdentity] = ()
    owned: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """The slots that it owns, of each group whose tables it has."""


@dataclass(frozen=True, slots=True)
class ControlRecords:
    """What a control database has: its deployment, the owner of each slot, and whose primary was ever seen."""

    deployment: str | None = None
    owners: Mapping[tuple[str, int], str] = field(default_factory=dict)
    seen: frozenset[str] = frozenset()


async def recognized(control: Database, others: Iterable[Database], joining: str | None = None) -> str:
    """The id of the deployment that these databases are, or are to be; those that are away are left out.

    `joining` is one that may have been another one's before, if it owns no slot and the map gives its name none. Raises
    OutdatedDatabase, with what to do, where an address leads to another database than it should; DatabaseUnavailable
    for the control database.
    """
    asked = [each for each in {each.name: each for each in others}.values() if each is not control]
    answers = await asyncio.gather(*(_asked(each, _found) for each in asked), return_exceptions=True)
    # The control database afterwards: another `migrate` writes there first.
    found, recorded = {control.name: await _asked(control, _found)}, await _asked(control, _recorded)
    for database, answer in zip(asked, answers, strict=True):
        if isinstance(answer, FoundDatabase):
            found[database.name] = answer
        elif not isinstance(answer, DatabaseUnavailable):
            raise answer
    if (
        joining in found
        and joining not in {control.name, *recorded.owners.values()}
        and not any(found[joining].owned.values())
    ):
        found[joining] = replace(found[joining], identities=())
    if faults := faults_of(control.name, found, recorded):
        raise OutdatedDatabase(f"{'; '.join(faults)}.")
    return _deployment(found, recorded) or str(uuid.uuid4())


async def introduce(control: Database, groups: Mapping[str, Sequence[Database]]) -> None:
    """Tells databases whose tables are there who they are, those that don't know yet; none may be away.

    Raises OutdatedDatabase, as `recognized` does, DatabaseUnavailable.
    """
    deployment = await recognized(control, [database for members in groups.values() for database in members])
    deployment = await settled(control, deployment)
    for group, members in groups.items():
        for database in members:
            await tell(database, [group], deployment)


async def settled(control: Database, deployment: str) -> str:
    """Makes this the id of the deployment, unless it has another one by now, and returns that.

    Raises DatabaseUnavailable.
    """
    await tell(control, ["control"], deployment)
    return (await _asked(control, partial(identity.read, groups=["control"])))[0].deployment


async def tell(database: Database, groups: Iterable[str], deployment: str, *, anew: bool = False) -> None:
    """Tells a database of whose deployment these groups are; `anew` if it may have been another one's, then all that
    it has.

    Raises DatabaseUnavailable.
    """
    with translated(database.name):
        connection = await database.connect_unjudged({})
        try:
            async with connection.transaction():
                for group in sorted({*groups, *(await identity.present(connection) if anew else ())}):
                    await identity.stamp(connection, DatabaseIdentity(group, deployment, database.name), anew=anew)
        finally:
            connection.terminate()


async def _asked(database: Database, question: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """Raises DatabaseUnavailable, OutdatedDatabase."""
    with translated(database.name):
        connection = await database.connect_unjudged({})
        try:
            return await question(connection)
        except asyncpg.InsufficientPrivilegeError as error:
            raise OutdatedDatabase(causes.explained(database.name, error)) from error
        finally:
            connection.terminate()


async def _found(connection: asyncpg.Connection) -> FoundDatabase:
    groups = [row["g"] for row in await connection.fetch(_OWNERS, identity.GROUPS)]
    owned = {group: await connection.fetch(f"select slot from {group}_owned_slots where owned") for group in groups}  # noqa: S608
    try:
        place = await connection.fetchval(_PLACE)
    except asyncpg.InsufficientPrivilegeError:
        place = None
    slots = {group: frozenset(row["slot"] for row in rows) for group, rows in owned.items()}
    return FoundDatabase(place, await identity.read(connection), slots)


async def _recorded(connection: asyncpg.Connection) -> ControlRecords:
    deployment, owners, seen = None, [], []
    if await connection.fetchval(_HAS, "control_identity"):
        deployment = await connection.fetchval("select deployment from control_identity")
    if await connection.fetchval(_HAS, "slots"):
        owners = await connection.fetch(_MAP)
    if await connection.fetchval(_HAS, "primaries"):
        seen = await connection.fetch("select database from primaries")
    mapped = {(row["group"], row["slot"]): row["database"] for row in owners}
    return ControlRecords(deployment, mapped, frozenset(row["database"] for row in seen))


def faults_of(control: str, found: Mapping[str, FoundDatabase], recorded: ControlRecords) -> list[str]:
    """Why these addresses can't be those of a deployment; without anything that the first finding explains."""
    deployment = _deployment(found, recorded)
    wrong = [identity.mismatch(name, each.identities, deployment, control) for name, each in found.items()]
    for sentences in (_doubles(found), [sentence for sentence in wrong if sentence is not None]):
        if sentences:
            return sentences
    if not recorded.owners and recorded.deployment is None:
        return _of_another_control(control, found)
    return [sentence for name, each in found.items() if (sentence := _unlike(name, each, recorded)) is not None]


def _deployment(found: Mapping[str, FoundDatabase], recorded: ControlRecords) -> str | None:
    """As the control database says or, if that went back to before it knew, as the others do."""
    return recorded.deployment or next((own.deployment for each in found.values() for own in each.identities), None)


def _doubles(found: Mapping[str, FoundDatabase]) -> list[str]:
    names = defaultdict(list)
    for name, each in found.items():
        names[each.place].append(name)
    return [
        f"the addresses of {' and '.join(same)} lead to the same database: correct the URL of one of them"
        for place, same in names.items()
        if place is not None and len(same) > 1
    ]


def _of_another_control(control: str, found: Mapping[str, FoundDatabase]) -> list[str]:
    """No slot has an owner, so the control database is a new one, and no database may be in use."""
    used = [name for name, each in found.items() if each.identities or any(each.owned.values())]
    if not used:
        return []
    are = "is" if len(used) == 1 else "are"
    whose = f"{' and '.join(used)} {are} of a deployment whose control database is another one than {control}"
    remedies = [f"{whose}, which has no slot map: correct [control] database or the URL of {control}, or restore it"]
    remedies += [
        f"{name} owns no slot: if it was removed there, take it out of [groups], run `gameserver migrate`, and then "
        f"`gameserver databases add {name}`, or drop its tables"
        for name in used
        if name != control and not any(found[name].owned.values())
    ]
    return remedies


def _unlike(name: str, found: FoundDatabase, recorded: ControlRecords) -> str | None:
    """Why a database that doesn't know who it is can't be the one that the map means."""
    if found.identities:
        return None
    owned = {(group, slot) for group, slots in found.owned.items() for slot in slots}
    its = {place for place, owner in recorded.owners.items() if owner == name}
    if owned and owned.isdisjoint(its):
        group, others = _most(owned, recorded.owners)
        whose = f"which the map gives to {others}" if others else "which the map doesn't have"
        slots = ranges.shown([slot for of, slot in owned if of == group])
        return f"what is at the address of {name} owns the slots {slots} of {group}, {whose}: correct the URL of {name}"
    if its and not owned and name in recorded.seen:
        lacks = "owns no slot" if found.owned else "has no tables"
        return (
            f"what is at the address of {name} {lacks}, and the map gives {name} {len(its)} slots: correct its "
            f"URL, or restore it (if all that it had is lost for good, delete {name} from the table primaries)"
        )
    return None


def _most(owned: Iterable[tuple[str, int]], owners: Mapping[tuple[str, int], str]) -> tuple[str, str]:
    """A group of these slots, and the databases to which the map gives those."""
    group = min(of for of, _ in owned)
    return group, ", ".join(sorted({owners[of, slot] for of, slot in owned if of == group and (of, slot) in owners}))
