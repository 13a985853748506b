"""One player's place in a ranking, and how values are spread, for the terminal."""

from collections.abc import Sequence
from datetime import datetime

from rich.table import Table

from gameserver.commands.results import RankedPlace
from gameserver.terminal import grid
from gameserver.times import rfc3339
from gameserver.transport.answers import SpreadAnswer

BAR = 16
"""Characters of the longest bar: with moments beside it, 80 columns are enough."""


def place(found: RankedPlace, by: str) -> str:
    """Where the player stands, in a sentence."""
    own = f"{by} {_shown(rfc3339(found.value) if isinstance(found.value, datetime) else found.value)}"
    where = f"none of these {found.of:,}" if found.rank is None else f"{found.rank:,} of {found.of:,}"
    return f"{where}, with {own}; as of {rfc3339(found.as_of)}"


def spread(found: SpreadAnswer, by: str) -> Sequence[Table]:
    """The percentiles, and a bar for each stretch of values."""
    percentiles = grid("per cent", f"have at most {by}", right=("per cent", f"have at most {by}"))
    for each in found["percentiles"]:
        percentiles.add_row(f"{each['percentile']:g}", _shown(each["value"]))
    histogram = grid("from", "to", "players", "", right=("from", "to", "players"))
    most = max((bar["players"] for bar in found["histogram"]), default=0)
    for bar in found["histogram"]:
        drawn = "█" * round(bar["players"] / most * BAR) if most else ""
        histogram.add_row(_shown(bar["first"]), _shown(bar["last"]), f"{bar['players']:,}", drawn)
    return percentiles, histogram


def asked(found: SpreadAnswer) -> str:
    """Of how many players it is, and of when."""
    return f"{found['players']:,} players, as of {found['as_of']}"


def _shown(value: int | str) -> str:
    return value if isinstance(value, str) else f"{value:,}"
