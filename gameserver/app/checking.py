"""Judges a game before a node serves it: game.toml, its rules, and whether it has what players hold."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Literal, NamedTuple

from gameserver.app import refused_keys
from gameserver.app.bounds import reserved_names_of
from gameserver.commands import game_names
from gameserver.config.errors import ConfigFault
from gameserver.config.settings import Settings
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.rules.game import GameFault
from gameserver.rules.roles import Role
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.operators.admin_keys import AdminKeys
from gameserver.storage.operators.game_names import GameNames
from gameserver.storage.postgres.database import Database
from gameserver.storage.sharding import provision
from gameserver.storage.sharding.provision import Migrated
from gameserver.storage.slots.slot_map import IncompleteMap
from gameserver.storage.tables.migrations import OutdatedDatabase
from gameserver.tracing import opening


class Finding(NamedTuple):
    """An error keeps a node from serving; `about` is `game`, `names`, `tracing`, `databases` or `keys`."""

    about: str
    problem: str
    level: Literal["error", "warning"] = "error"


async def check(settings: Settings, *, offline: bool = False) -> list[Finding]:
    """What keeps nodes from serving this game, and operators from using it. Changes nothing.

    With `offline` the databases aren't asked.
    """
    try:
        rulebook = Rulebook.parse_new(settings.game_mapping())
    except GameFault as fault:
        return [Finding("game", problem) for problem in fault.problems]
    except ConfigFault as fault:
        return [Finding("game", str(fault))]
    try:
        reserved_names_of(settings)
    except ConfigFault as fault:
        return [Finding("names", problem) for problem in str(fault).splitlines()]
    if (lacks := opening.lacking(settings.tracing)) is not None:
        return [Finding("tracing", lacks)]
    if offline:
        return []
    try:
        async with _ready(settings) as (names, control):
            lacking = [Finding("databases", problem) for problem in await game_names.lacking(names, rulebook.game)]
            stored = await AdminKeys(control).without_codes(list(Role))
            refused = refused_keys.symptoms(settings, stored)
            return lacking + [Finding("keys", f"{each.problem}: {each.remedy}.", "warning") for each in refused]
    except DatabaseUnavailable as error:
        return [Finding("databases", " ".join(getattr(error, "__notes__", [error.detail])))]
    except (OutdatedDatabase, IncompleteMap) as error:
        return [Finding("databases", str(error))]


Recorded = Callable[[Migrated], contextlib.AbstractAsyncContextManager[object]]


async def prepare(settings: Settings, recorded: Recorded) -> Migrated:
    """Brings every database up to date, then refuses a game that lacks what players hold; what was done.

    `recorded` gets what was done before the game is judged, also where the rest has failed: its block raises why.
    Raises what `provision.migrate` does, ConfigFault, GameFault.
    """
    migrated = Migrated()
    try:
        await provision.migrate(settings, migrated)
    except BaseException:
        async with recorded(migrated):
            raise
    async with recorded(migrated):
        pass
    rulebook = Rulebook.parse(settings.game_mapping())
    async with _ready(settings) as (names, _):
        if problems := await game_names.lacking(names, rulebook.game, record=True):
            raise GameFault(["The tables are up to date, and no node will start with this game:", *problems])
    return migrated


@contextlib.asynccontextmanager
async def _ready(settings: Settings) -> AsyncIterator[tuple[GameNames, Database]]:
    """What the game's names are compared with, and the control database."""
    databases = provision.open_databases(settings, patient=True)
    try:
        await provision.require_ready(settings, databases)
        members = await provision.members(settings, databases)
        control = databases[settings.control.database]
        yield GameNames(control, members.__getitem__), control
    finally:
        await databases.close()
