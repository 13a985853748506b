"""Where a player stands, how players are spread, and players as rows of a file."""

from collections.abc import Sequence
from datetime import datetime

from typing_extensions import TypedDict

from gameserver.commands.results import MOMENTS, By, RankedPlace, SavedQuery, Spread
from gameserver.times import rfc3339, rfc3339_of_microseconds


class RankedPlaceAnswer(TypedDict):
    """`rank` is null for a player that isn't among those asked for; `below` is the share of them that come after it.

    Nothing that was acknowledged before `as_of` is missing. A replica may have answered, and it may show what came
    after that in another order than the primary did.
    """

    rank: int | None
    of: int
    value: int | str
    below: float | None
    as_of: str


class PercentileAnswer(TypedDict):
    percentile: float
    value: int | str


class BarAnswer(TypedDict):
    """How many players have a value from `first` to `last`."""

    first: int | str
    last: int | str
    players: int


class SpreadAnswer(TypedDict):
    """Nothing that was acknowledged before `as_of` is missing. A replica may have answered, and it may show what came
    after that in another order than the primary did."""

    players: int
    least: int | str | None
    most: int | str | None
    percentiles: list[PercentileAnswer]
    histogram: list[BarAnswer]
    as_of: str


class SavedQueryAnswer(TypedDict):
    """`query` has the parameters of rankings, as a URL has them; `admin` saved it last, at `at`."""

    name: str
    query: dict[str, str]
    admin: str
    at: str


class SavedQueriesAnswer(TypedDict):
    queries: list[SavedQueryAnswer]


def ranked_place(found: RankedPlace) -> RankedPlaceAnswer:
    return {
        "rank": found.rank,
        "of": found.of,
        "value": rfc3339(found.value) if isinstance(found.value, datetime) else found.value,
        "below": None if found.rank is None else (found.of - found.rank) / found.of,
        "as_of": rfc3339(found.as_of),
    }


def spread(found: Spread, by: By) -> SpreadAnswer:
    def value(number: int) -> int | str:
        return rfc3339_of_microseconds(number) if by in MOMENTS else number

    return {
        "players": found.players,
        "least": None if found.least is None else value(found.least),
        "most": None if found.most is None else value(found.most),
        "percentiles": [
            {"percentile": percentile, "value": value(number)} for percentile, number in found.percentiles.items()
        ],
        "histogram": [
            {"first": value(bar.first), "last": value(bar.last), "players": bar.players} for bar in found.histogram
        ],
        "as_of": rfc3339(found.as_of),
    }


def saved_query(saved: SavedQuery) -> SavedQueryAnswer:
    return {"name": saved.name, "query": dict(saved.query), "admin": saved.admin, "at": rfc3339(saved.at)}


def saved_queries(found: Sequence[SavedQuery]) -> SavedQueriesAnswer:
    return {"queries": [saved_query(saved) for saved in found]}
