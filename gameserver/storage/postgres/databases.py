"""The Postgres databases by name, those that the settings name and those that joined later."""

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path

import structlog
from pydantic import SecretStr

from gameserver.storage.postgres import own_settings, passfile
from gameserver.storage.postgres.database import Database, Judges

HOW_TO_HIDE = "put it into every node's password file, and `databases add` the address again without it"
LOOK_SECONDS = 2.0
"""How often a node looks for a newer primary than the one it uses."""
log = structlog.get_logger()


class Databases:
    """All databases by name."""

    def __init__(
        self,
        urls: Mapping[str, SecretStr],
        passfile: Path | None = None,
        *,
        patient: bool = False,
        judges: Judges | None = None,
    ) -> None:
        """`passfile` holds the passwords of URLs without one; None stands for that of libpq, ~/.pgpass."""
        self._passfile, self._patient, self._judges = passfile, patient, judges
        self._named = frozenset(urls)
        self._databases = {name: self._made(name, url) for name, url in urls.items()}

    def _made(self, name: str, url: SecretStr) -> Database:
        return Database(name, url, self._passfile, patient=self._patient, judges=self._judges)

    def join(self, name: str, url: SecretStr) -> None:
        """Adds a database that the settings don't name, or gives it another address, under which nothing goes on with
        the former one. Those that they name keep theirs."""
        known = self._databases.get(name)
        if name in self._named or (known is not None and known.is_at(url)):
            return
        if passfile.has_password(url):
            log.warning(f"the control database holds the password of {name}: {HOW_TO_HIDE}", database=name)
        if known is None:
            self._databases[name] = self._made(name, url)
        else:
            log.warning("a database has another address", database=name)
            known.lead_to(url)

    def assign(self, groups: Mapping[str, Iterable[str]]) -> None:
        """Says which databases each group may use, by name, and no others; names that aren't known are left out."""
        for name, database in self._databases.items():
            others = database.groups - groups.keys()
            database.groups = others | {group for group, members in groups.items() if name in members}

    def __contains__(self, name: object) -> bool:
        return name in self._databases

    def __getitem__(self, name: str) -> Database:
        return self._databases[name]

    def names(self) -> list[str]:
        return list(self._databases)

    def left(self) -> set[str]:
        """Those that no group has, as after `databases remove`."""
        return {name for name, database in self._databases.items() if not database.groups}

    def estranged(self) -> list[str]:
        """Those that refuse connections because they have to be reconciled."""
        return [name for name, database in self._databases.items() if database.estranged]

    def problems(self) -> dict[str, str]:
        """Why databases can't be used at the moment, by name; without what Postgres said, which is for the log."""
        problems = {name: database.problem for name, database in self._databases.items()}
        return {name: problem.partition(" (")[0] for name, problem in problems.items() if problem}

    async def watch_primaries(self) -> None:
        """Looks again and again for newer primaries of all databases, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            looks = [database.dialer.look(own_settings.EVERYWHERE) for database in self._databases.values()]
            for outcome in await asyncio.gather(*looks, return_exceptions=True):
                if isinstance(outcome, Exception):
                    log.warning("a primary can't be looked for", error=f"{type(outcome).__name__}: {outcome}")

    def deployment(self) -> str:
        """The id of the deployment that they are; empty while the control database hasn't said it."""
        return self._judges.deployment() if self._judges is not None else ""

    def primaries(self) -> dict[str, int]:
        """Which of its addresses, from 1, is the primary seen last, by the names of databases that have several."""
        numbers = {name: database.dialer.number for name, database in self._databases.items()}
        return {name: number for name, number in numbers.items() if number is not None}

    async def close(self) -> None:
        await asyncio.gather(*(database.dispose() for database in self._databases.values()))
