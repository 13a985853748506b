"""What a change of a player by an operator does, or would do: values and ranks, before and after."""

from collections.abc import Mapping, Sequence

from typing_extensions import TypedDict

from gameserver.commands.boards import name_of_season
from gameserver.commands.results import RankChange

Value = int | str | bool | None


class ValueChange(TypedDict):
    before: Value
    after: Value


class PlaceChange(ValueChange):
    """A score or a rank on a board; null while the player isn't on it."""

    board: str
    season: str


def values_changed(changes: Mapping[str, tuple[Value, Value]]) -> dict[str, ValueChange]:
    return {name: {"before": before, "after": after} for name, (before, after) in changes.items()}


def ranks_changed(ranks: Sequence[RankChange]) -> list[PlaceChange]:
    return [
        {
            "board": change.contest.board.name,
            "season": name_of_season(change.contest.season),
            "before": change.before,
            "after": change.after,
        }
        for change in ranks
    ]
