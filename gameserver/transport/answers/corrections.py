"""What operators' corrections change, or would change, and what an erasure has erased."""

from typing import Any

from typing_extensions import TypedDict

from gameserver.commands.boards import name_of_season
from gameserver.commands.results import Corrected, ErasureReceipt
from gameserver.rules.game import Game
from gameserver.transport.answers.players import PlayerAnswer, player, player_now


class ValueChange(TypedDict):
    before: int | str | None
    after: int | str | None


class PlaceChange(ValueChange):
    """A score or a rank on a board; null while the player isn't on it."""

    board: str
    season: str


class CorrectedAnswer(TypedDict):
    """`player` is the player after it; `items` are given, or taken where negative; `left` says what can't be undone.

    Only a preview has `ranks`. A replayed answer has no changes: the first one had them.
    """

    preview: bool
    player: PlayerAnswer
    changes: dict[str, ValueChange]
    items: dict[str, int]
    scores: list[PlaceChange]
    ranks: list[PlaceChange]
    left: list[str]
    command_id: str | None
    replayed: bool


def corrected(done: Corrected, game: Game, command_id: str | None) -> CorrectedAnswer:
    receipt, correction = done.receipt, done.correction
    event: dict[str, Any] = {} if correction is None else correction.event
    items = {} if correction is None else {item: -count for item, count in correction.takes} | dict(correction.grants)
    return {
        "preview": receipt is None,
        "player": player_now(done.player, game) if receipt is None else player(receipt.player, receipt.max_hp),
        "changes": event.get("changes", {}),
        "items": items,
        "scores": [
            {
                "board": change.board,
                "season": name_of_season(change.season),
                "before": change.before,
                "after": change.after,
            }
            for change in (() if correction is None else correction.scores)
        ],
        "ranks": [
            {
                "board": change.contest.board.name,
                "season": name_of_season(change.contest.season),
                "before": change.before,
                "after": change.after,
            }
            for change in done.ranks
        ],
        "left": [] if correction is None else list(correction.left),
        "command_id": command_id,
        "replayed": receipt is not None and receipt.replayed,
    }


class ErasureAnswer(TypedDict):
    """What was erased of a player, in rows or keys by store, and what a search still finds: nothing, if complete.

    Backups have what they had until they expire.
    """

    player: str
    command_id: str
    names: int
    erased: dict[str, int]
    left: dict[str, int]
    complete: bool


def erasure(receipt: ErasureReceipt) -> ErasureAnswer:
    return {
        "player": str(receipt.player_id),
        "command_id": receipt.command_id,
        "names": receipt.names,
        "erased": receipt.erased,
        "left": receipt.left,
        "complete": receipt.complete,
    }
