"""How players, load and bytes are spread over the databases, as the operators' door tells it. Never a proof."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from bots.proof.pages import NotProvedError, get
from bots.wire.link import Link
from bots.wire.wire import BadAnswerError

BAR = 24


@dataclass(frozen=True, slots=True)
class Database:
    """One database at one time; `writes` are rows written since it counts, of all its tables."""

    name: str
    players: int
    bytes: int
    writes: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What all databases that answered held at `at`, in seconds of a clock of our own."""

    at: float
    databases: Sequence[Database]


@dataclass(frozen=True, slots=True)
class Share:
    """What one database holds, and the rows per second written to it in between two readings."""

    name: str
    players: int
    bytes: int
    writes_per_second: float


async def read(admin: Link) -> Reading | None:
    """Ask for what each database holds; None where that isn't told."""
    try:
        body = await get(admin, "/admin/v1/databases")
        return Reading(time.monotonic(), parse(body))
    except (NotProvedError, BadAnswerError):
        return None


def parse(body: Mapping[str, Any]) -> list[Database]:
    """Read those that hold something; raises BadAnswerError."""
    try:
        return [
            Database(each["name"], int(each["players"]), int(each["bytes"]), int(each["writes"]))
            for each in body["databases"]
            if each["role"] != "away" and each["groups"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise BadAnswerError(f"the databases can't be read: {error}") from error


def taken(reading: "asyncio.Task[Reading | None]") -> Reading | None:
    """Return what a reading that was begun earlier found, if it has ended by now."""
    reading.cancel()
    return reading.result() if reading.done() and not reading.cancelled() else None


def between(first: Reading | None, last: Reading | None) -> list[Share]:
    """Compare two readings; a database that joined in between, or began to count anew, counts from 0."""
    if first is None or last is None:
        return []
    earlier = {each.name: each.writes for each in first.databases}
    seconds = max(last.at - first.at, 1e-3)
    return [
        Share(each.name, each.players, each.bytes, _written(earlier.get(each.name, 0), each.writes) / seconds)
        for each in last.databases
    ]


def _written(before: int, after: int) -> int:
    return after - before if after >= before else after


def as_json(shares: Sequence[Share]) -> list[dict[str, Any]]:
    """Return this part of the report."""
    return [
        {
            "name": each.name,
            "players": each.players,
            "bytes": each.bytes,
            "writes_per_second": round(each.writes_per_second, 1),
        }
        for each in shares
    ]


def show(console: Console, shares: Sequence[Share]) -> None:
    """Print a row and a bar for each database."""
    if not shares:
        return
    table = Table("database", title="spread over the databases")
    for column in ("players", "rows written/s", "bytes"):
        table.add_column(column, justify="right")
    table.add_column("share of players")
    players = max(sum(each.players for each in shares), 1)
    for each in shares:
        part = each.players / players
        bar = f"{'█' * round(part * BAR):<{BAR}} {part:4.0%}"
        table.add_row(each.name, f"{each.players:,}", f"{each.writes_per_second:,.0f}", decimal(each.bytes), bar)
    console.print(table)
