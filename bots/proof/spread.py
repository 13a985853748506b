"""How players, writes and bytes are spread over the databases, by the admin API; for information, not a proof."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bots.proof.pages import NotProvedError, get
from bots.wire.errors import BadAnswerError
from bots.wire.player_client import PlayerClient


@dataclass(frozen=True, slots=True)
class DatabaseLoad:
    """One database at one time; `writes` are the rows written to all of its tables since its statistics began."""

    name: str
    players: int
    bytes: int
    writes: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What all databases that answered held at `at`, in seconds of this process's monotonic clock."""

    at: float
    databases: Sequence[DatabaseLoad]


@dataclass(frozen=True, slots=True)
class DatabaseShare:
    """What one database holds, and the rows per second written to it between two readings."""

    name: str
    players: int
    bytes: int
    writes_per_second: float


async def read(admin: PlayerClient) -> Reading | None:
    """Read what each database holds; None if the server doesn't answer that."""
    try:
        body = await get(admin, "/admin/v1/databases")
        return Reading(time.monotonic(), parse(body))
    except (NotProvedError, BadAnswerError):
        return None


def parse(body: Mapping[str, Any]) -> list[DatabaseLoad]:
    """Read the databases that hold something; raises BadAnswerError."""
    try:
        return [
            DatabaseLoad(row["name"], int(row["players"]), int(row["bytes"]), int(row["writes"]))
            for row in body["databases"]
            if row["role"] != "away" and row["groups"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise BadAnswerError(f"the list of databases lacks a field or has a wrong one: {error}") from error


def result_if_done(reading: "asyncio.Task[Reading | None]") -> Reading | None:
    """Return the result of a reading that was begun earlier if it has ended by now; otherwise cancel it."""
    reading.cancel()
    return reading.result() if reading.done() and not reading.cancelled() else None


def between(first: Reading | None, last: Reading | None) -> list[DatabaseShare]:
    """Compare two readings; a database that joined in between, or reset its statistics, counts from 0."""
    if first is None or last is None:
        return []
    earlier = {database.name: database.writes for database in first.databases}
    seconds = max(last.at - first.at, 1e-3)
    return [
        DatabaseShare(
            database.name,
            database.players,
            database.bytes,
            _written(earlier.get(database.name, 0), database.writes) / seconds,
        )
        for database in last.databases
    ]


def _written(before: int, after: int) -> int:
    return after - before if after >= before else after
