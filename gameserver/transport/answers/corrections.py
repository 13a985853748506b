"""What operators' corrections change, or would change, and what an erasure has erased."""

from typing import Any

from typing_extensions import TypedDict

from gameserver.commands.boards import name_of_season
from gameserver.commands.results import BackupDates, Corrected, ErasureForeseen, ErasureReceipt, Foreseen
from gameserver.rules.game import Game
from gameserver.times import rfc3339
from gameserver.transport.answers.changes import PlaceChange, ValueChange, ranks_changed, values_changed
from gameserver.transport.answers.players import PlayerAnswer, player, player_now


class CorrectedAnswer(TypedDict):
    """`player` is the player after it; `items` are given, or taken where negative; `left` says what can't be undone.

    `changes` has what the game's rules remember of the player as `data.<name>`. Only a rollback has `to_version`: the
    version whose state the player gets.
    Only a preview has `ranks`, and `version`, which the player has before the change. A replayed answer has no
    changes: the first one had them.
    """

    preview: bool
    version: int | None
    to_version: int | None
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
        "version": correction.before.version if receipt is None and correction is not None else None,
        "to_version": event.get("to_version"),
        "player": player_now(done.player, game) if receipt is None else player(receipt.player, receipt.max_hp),
        "changes": {} if correction is None else values_changed(correction.changes),
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
        "ranks": ranks_changed(done.ranks),
        "left": [] if correction is None else list(correction.left),
        "command_id": command_id,
        "replayed": receipt is not None and receipt.replayed,
    }


def foreseen(found: Foreseen, game: Game) -> CorrectedAnswer:
    """What a change that isn't a correction does, or would do."""
    return {
        "preview": found.command_id is None,
        "version": found.player.version if found.command_id is None else None,
        "to_version": None,
        "player": player_now(found.player, game),
        "changes": values_changed(found.changes),
        "items": dict(found.items),
        "scores": [],
        "ranks": ranks_changed(found.ranks),
        "left": list(found.left),
        "command_id": found.command_id,
        "replayed": found.replayed,
    }


class BackupsAnswer(TypedDict):
    """Which backups may have what was erased; null where it isn't known (without `[backups]`, or not complete).

    `newest` is when the newest base backup of any database began; the last one is expected to be gone at `gone_by`.
    """

    newest: str | None
    gone_by: str | None


class ErasureAnswer(TypedDict):
    """What was erased of a player, in rows or keys by store, and what a search still finds: nothing, if complete.

    `mentions` are names found as words in what is others', by store: they may be somebody else's. `unsearched` are
    stores of others that couldn't be searched in time (not complete, if letters or claims of the player may be there),
    and `mentions` where its names had been erased before and nobody knows what to look for. `backups` says until when
    backups have what they had. A preview has erased nothing and has no `command_id`: it says in `changes` and `ranks`
    what would be gone; of a player that was deleted before, how much there still is.
    """

    preview: bool
    changes: dict[str, ValueChange]
    ranks: list[PlaceChange]

    player: str
    command_id: str | None
    names: int
    erased: dict[str, int]
    left: dict[str, int]
    mentions: dict[str, int]
    unsearched: list[str]
    complete: bool
    backups: BackupsAnswer


def erasure(receipt: ErasureReceipt) -> ErasureAnswer:
    return {
        "preview": False,
        "changes": {},
        "ranks": [],
        "player": str(receipt.player_id),
        "command_id": receipt.command_id,
        "names": receipt.names,
        "erased": receipt.erased,
        "left": receipt.left,
        "mentions": receipt.mentions,
        "unsearched": list(receipt.unsearched),
        "complete": receipt.complete,
        "backups": _backups(receipt.backups),
    }


def _backups(dates: BackupDates) -> BackupsAnswer:
    return {
        "newest": None if dates.newest is None else rfc3339(dates.newest),
        "gone_by": None if dates.gone_by is None else rfc3339(dates.gone_by),
    }


def erasure_preview(player_id: int, found: ErasureForeseen) -> ErasureAnswer:
    return {
        "preview": True,
        "changes": values_changed(found.changes),
        "ranks": ranks_changed(found.ranks),
        "player": str(player_id),
        "command_id": None,
        "names": 0,
        "erased": {},
        "left": {},
        "mentions": {},
        "unsearched": [],
        "complete": False,
        "backups": _backups(BackupDates()),
    }
