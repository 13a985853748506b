"""The report on how players, writes and bytes are spread over the databases."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from bots.proof.spread import DatabaseShare

BAR = 20


def as_json(shares: Sequence[DatabaseShare]) -> list[dict[str, Any]]:
    """Return this part of the report."""
    return [
        {
            "name": share.name,
            "players": share.players,
            "bytes": share.bytes,
            "writes_per_second": round(share.writes_per_second, 1),
        }
        for share in shares
    ]


def show(console: Console, shares: Sequence[DatabaseShare]) -> None:
    """Print a row and a bar for each database."""
    if not shares:
        return
    table = Table("database", title="players by database")
    for column in ("players", "rows written/s", "size"):
        table.add_column(column, justify="right")
    table.add_column("share of players")
    players = max(sum(share.players for share in shares), 1)
    for share in shares:
        part = share.players / players
        bar = f"{'█' * round(part * BAR):<{BAR}} {part:4.0%}"
        table.add_row(share.name, f"{share.players:,}", f"{share.writes_per_second:,.0f}", decimal(share.bytes), bar)
    console.print(table)
