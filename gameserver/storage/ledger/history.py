"""A player's history, read from the ledger newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a player's history: `told` is what the first answer said of the player after it."""

    command_id: str
    action: str
    args: dict[str, Any]
    told: dict[str, Any]
    version: int
    at: datetime


def _entry(row: Any) -> Entry:
    return Entry(str(row["command_id"]), row["action"], row["args"], row["outcome"], row["version"], row["at"])
