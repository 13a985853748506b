"""A player's state at a past moment."""

from typing_extensions import TypedDict

from gameserver.commands.boards import name_of_season
from gameserver.commands.results import PastState
from gameserver.rules.game import Game
from gameserver.times import rfc3339
from gameserver.transport.answers.play import StateAnswer, recorded_state


class PastStackAnswer(TypedDict):
    """How many of an item it had; null if that isn't known."""

    item: str
    title: str
    count: int | None


class PastScoreAnswer(TypedDict):
    """What it had scored in the season of the moment; null if that isn't known."""

    board: str
    season: str
    score: int | None


class PastStateAnswer(TypedDict):
    """The player at a moment, by the ledger, and the command that had led to it.

    The last `replayed` commands up to then were replayed, each by the rules that made it, or by those of today if
    these are gone; in `differing` versions that leads elsewhere.
    `items`, null if none are known, and `scores` are of then, too; `unknown` says in words why something is null.
    """

    player: StateAnswer
    data: dict[str, int | str | bool]
    since: str
    command_id: str
    present_version: int
    replayed: int
    differing: list[int]
    items: list[PastStackAnswer] | None
    scores: list[PastScoreAnswer]
    unknown: list[str]


def past_state(found: PastState, game: Game) -> PastStateAnswer:
    holdings = found.holdings
    return {
        "player": recorded_state(found.row),
        "data": dict(found.data),
        "since": rfc3339(found.row.at),
        "command_id": found.row.command_id,
        "present_version": found.player.version,
        "replayed": found.replayed,
        "differing": list(found.differing),
        "items": None if holdings.items is None else [_past_stack(*each, game) for each in holdings.items.items()],
        "scores": [
            {"board": board, "season": name_of_season(season), "score": score}
            for board, season, score in holdings.scores
        ],
        "unknown": list(holdings.unknown),
    }


def _past_stack(item: str, count: int | None, game: Game) -> PastStackAnswer:
    return {"item": item, "title": game.items[item].title if item in game.items else item, "count": count}
