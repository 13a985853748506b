"""Whether Patroni, where it runs a database, leaves alone the replication slots of moves and of the kept log.

Law: Patroni drops every slot that it doesn't know and that nobody reads, unless its `ignore_slots` names it. It does so
when it has started, promoted or missed something, so that a slot lives now says nothing: what Patroni is told is asked
of its REST API. Since 4.1 it leaves slots with `failover` alone, which those of moves have from Postgres 17 on.
"""

import asyncio
import http.client
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from gameserver.config.settings import Settings
from gameserver.stack.servers.standbys import ARCHIVE_SLOT
from gameserver.storage.operators.condition import Symptom
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import translated

ANSWER_SECONDS = 2.0
LONGEST_ANSWER = 1 << 20
LEAVES_FAILOVER_SLOTS = (4, 1)
"""The version of Patroni since which it leaves slots with `failover` alone."""
HAS_FAILOVER_SLOTS = 170000
"""The version of Postgres, as its `server_version_num`, since which slots of moves have `failover`."""
_SERVER = """
    select current_setting('server_version_num')::int as version, current_database()::text as name,
           exists (select from pg_stat_activity where application_name like 'Patroni%') as by_patroni
"""
_UNANSWERED = (OSError, http.client.HTTPException, ValueError)
MOVES_REMEDY = "put `{type: logical, plugin: pgoutput}` into its ignore_slots (`patronictl edit-config`)"
ARCHIVE_REMEDY = f"put `{{type: physical, name: {ARCHIVE_SLOT}}}` into its ignore_slots (`patronictl edit-config`)"


@dataclass(frozen=True, slots=True)
class PatroniFacts:
    """What a Patroni is told; `version` is its own."""

    version: tuple[int, ...]
    ignored: Sequence[Mapping[str, Any]]
    permanent: Mapping[str, Any]

    def leaves_moves(self, database: str, *, failover: bool) -> bool:
        """Whether the slots of moves from this database of the server stay; `failover` is whether they have that."""
        if failover and self.version >= LEAVES_FAILOVER_SLOTS:
            return True
        return self._ignores({"type": "logical", "plugin": "pgoutput", "database": database})

    def leaves_archive(self) -> bool:
        """Whether the slot stays by which the log is kept for backups."""
        return ARCHIVE_SLOT in self.permanent or self._ignores({"type": "physical", "name": ARCHIVE_SLOT})

    def _ignores(self, slot: Mapping[str, str]) -> bool:
        """Whether an entry fits the slot; one with another name doesn't, nor one with any if the slot's isn't known."""
        return any(
            entry.get("name") in (None, slot.get("name"))
            and all(not entry.get(key) or entry[key] == slot.get(key) for key in ("database", "plugin", "type"))
            for entry in self.ignored
        )


async def told(urls: Sequence[str]) -> PatroniFacts | None:
    """What the first Patroni says that answers; None if none does."""
    answers = await asyncio.gather(*(asyncio.to_thread(_told, url) for url in urls))
    return next((facts for facts in answers if facts is not None), None)


async def objection(settings: Settings, source: Database, target: Database) -> str | None:
    """Why slots can't be moved from the one database to the other, as far as Patroni is concerned.

    Raises DatabaseUnavailable.
    """
    here, there = await asyncio.gather(_server(source), _server(target))
    urls = settings.patroni_urls(source.name)
    failover = min(here["version"], there["version"]) >= HAS_FAILOVER_SLOTS
    if not urls:
        if failover or not here["by_patroni"]:
            return None
        return f"Patroni runs {source.name}, and may drop the replication slot of the move: {_named(source.name)}."
    facts = await told(urls)
    if facts is None:
        return f"Patroni of {source.name} doesn't answer, so it may drop the replication slot of the move: try again."
    if facts.leaves_moves(here["name"], failover=failover):
        return None
    return f"Patroni of {source.name} would drop the replication slot of the move: {MOVES_REMEDY}."


async def symptoms(settings: Settings, name: str, connection: asyncpg.Connection) -> list[Symptom]:
    """What is wrong with the Patroni of a database, if it has one. Raises what the driver does."""
    row = await connection.fetchrow(_SERVER)
    urls = settings.patroni_urls(name)
    if not urls:
        problem = "Patroni runs it, and whether it drops the replication slots of moves and backups isn't known"
        return [Symptom("warning", problem, _named(name))] if row["by_patroni"] else []
    facts = await told(urls)
    if facts is None:
        return [Symptom("warning", "no Patroni of it answers", f"correct `[databases.{name}] patroni`, or start it")]
    found = []
    if not facts.leaves_moves(row["name"], failover=row["version"] >= HAS_FAILOVER_SLOTS):
        found.append(Symptom("warning", "Patroni would drop the replication slots of moves", MOVES_REMEDY))
    if settings.backups is not None and not facts.leaves_archive():
        found.append(Symptom("warning", "Patroni would drop the slot that keeps its log for backups", ARCHIVE_REMEDY))
    return found


def _named(database: str) -> str:
    return f'name its REST API: `[databases.{database}] patroni = ["http://…:8008"]`'


async def _server(database: Database) -> Any:
    """Raises DatabaseUnavailable."""
    with translated(database.name):
        connection = await database.connect({})
        try:
            return await connection.fetchrow(_SERVER)
        finally:
            connection.terminate()


def _told(url: str) -> PatroniFacts | None:
    try:
        chosen, itself = _asked(url, "/config"), _asked(url, "/patroni")
        version = re.findall(r"\d+", str(itself["patroni"]["version"]))
        ignored = [entry for entry in chosen.get("ignore_slots") or () if isinstance(entry, dict)]
        return PatroniFacts(tuple(map(int, version)), ignored, chosen.get("slots") or {})
    except (*_UNANSWERED, KeyError, TypeError):
        return None


def _asked(url: str, path: str) -> dict[str, Any]:
    """A JSON object. Raises one of _UNANSWERED."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        content = answer.read(LONGEST_ANSWER)
    finally:
        connection.close()
    body = json.loads(content)
    if answer.status != 200 or not isinstance(body, dict):
        raise ValueError(f"{path} was answered {answer.status}")
    return body
