"""Plans of corrections: what an operator's order would make of a player, from the player and its past at one moment.

Law: a plan changes nothing. It says all that the order will change (state, items, scores), and in `left` what can't be
undone: letters that were sent, items that are gone, scores of seasons that are over or whose rules have changed.
"""

from collections.abc import Sequence

from gameserver.commands import correction_items
from gameserver.commands.correction_items import HeldItems
from gameserver.commands.correction_scores import MOST_ROWS, Planning, ScorePlan, Scores
from gameserver.commands.moments import moment_of
from gameserver.rules import corrections
from gameserver.rules.corrections import UNDOING, Correct, Correction, RollBack, ScoreChange, Undo
from gameserver.rules.errors import BadInput, FieldProblem, NotUndoable, StateUnknown
from gameserver.rules.outcomes import Event
from gameserver.rules.player import Outcome, Player
from gameserver.rules.player_data import PlayerData, without_change
from gameserver.storage.ledger.past import Past, PastRow, Stored
from gameserver.times import rfc3339

NO_ACTIONS = frozenset({"sign_up", "rename", "delete", "add_device", "remove_device", "ban", "lift_ban"})
Order = Correct | Undo | RollBack


async def plan(planning: Planning, past: Past, held: HeldItems, order: Order) -> Correction:
    """`held` are the player's items; those of a correction without items aren't looked at.

    Raises BadInput, UnknownClass, UnknownItem, ClassMissing, StateUnknown, NotUndoable, DatabaseUnavailable, and
    Refused for items that the player hasn't.
    """
    if isinstance(order, Correct):
        return await _correction(planning, past, held, order)
    if isinstance(order, Undo):
        return await _undoing(planning, past, held, order)
    return await _rolling_back(planning, past, held, order)


async def _correction(planning: Planning, past: Past, held: HeldItems, order: Correct) -> Correction:
    before, left = past.player, list[str]()
    after = corrections.corrected(before, order, planning.rules.game)
    takes, grants = correction_items.given(order.items, held, left)
    if not (takes or grants or Correction(before, after, {}).changes):
        raise _nothing_changes(order, left)
    scored = list(planning.rescoring.scored(before, Outcome(after, ())))
    present, scores, now = await past.scores(), Scores(), planning.now()
    for board, amount in scored:
        key = (board.name, planning.calendar.number(board, now))
        scores[key] = amount if board.operator != "sum" else present.get(key, 0) + amount
    changes = _score_changes(present, scores)
    return Correction(before, after, _event("corrected", before, after, changes), takes, grants, changes, tuple(left))


def _nothing_changes(order: Correct, left: Sequence[str]) -> BadInput:
    """Names the fields that have a value; without any the whole order is wrong."""
    problem = " ".join(["nothing would change.", *left]).removesuffix(".")
    errors = [FieldProblem(field, problem) for field in order.model_dump(by_alias=True, exclude_defaults=True)]
    return BadInput(None if errors else "Nothing would change: name a value, or items.", errors=errors)


async def _undoing(planning: Planning, past: Past, held: HeldItems, order: Undo) -> Correction:
    player, row = past.player, await past.command(order.command_id)
    if row is None:
        raise StateUnknown("The player's ledger has no such command, or not any more.")
    if row.seed < 0:
        raise NotUndoable("It was refused, so it has changed nothing.")
    if row.action in NO_ACTIONS:
        raise NotUndoable(f"{row.action} isn't an action: use its own opposite.")
    rows = await _rows_since(past, row.version - 1)
    await _require_standing(past, row)
    earlier = next(each for each in reversed(rows) if each.version == row.version - 1)
    before = await _data_before(past, row.version, rows)
    data, left = player.data, _letters(row)
    if "data" in row.outcome:
        data, stays = without_change(data, before, corrections.recorded_data(row.outcome, data))
        if stays:
            left.append(f"What the game's rules remember as {', '.join(stays)} has changed since, and stays.")
    after = corrections.undone(player, earlier.outcome, row.outcome, data, planning.rules.game)
    if (over := row.outcome["exp"] - earlier.outcome["exp"] - player.exp) > 0:
        left.append(f"EXP can't fall below 0: {over} of what it gave can't be taken back.")
    takes, grants = await correction_items.returned(past, [row], held, left)
    [deed] = await planning.rescoring.deeds(past, before, [earlier, row])
    scores = await ScorePlan.of(planning, past)
    changes = _score_changes(scores.present, await scores.without(deed, after))
    event = _event("undone", player, after, changes, command_id=row.command_id)
    return Correction(player, after, event, takes, grants, changes, (*left, *scores.left))


async def _rolling_back(planning: Planning, past: Past, held: HeldItems, order: RollBack) -> Correction:
    player, version = past.player, await _wanted_version(past, order)
    rows = await _rows_since(past, version)
    target, undoing = rows[-1], rows[:-1]
    data = await _data_before(past, version + 1, rows)
    after = corrections.restored(player, target.outcome, data, planning.rules.game)
    left = [sentence for row in undoing for sentence in _letters(row)][:20]
    if target.outcome["name"] != player.name:
        left.append("The player was renamed since: the name stays.")
    takes, grants = await correction_items.returned(past, undoing, held, left)
    deeds = await planning.rescoring.deeds(past, data, rows[::-1])
    scores = await ScorePlan.of(planning, past)
    changes = _score_changes(scores.present, await scores.as_of(version, deeds))
    event = _event("rolled_back", player, after, changes, to=order.to or rfc3339(target.at), to_version=version)
    return Correction(player, after, event, takes, grants, changes, (*left, *scores.left))


async def _wanted_version(past: Past, order: RollBack) -> int:
    """Raises BadInput, StateUnknown, NotUndoable."""
    if (order.to is None) == (order.to_version is None):
        raise BadInput(errors=[FieldProblem("to", "must be given, or to_version, and not both")])
    version = order.to_version if order.to is None else await past.version_at(moment_of(order.to, "to"))
    if version is None:
        raise StateUnknown("The ledger has nothing of the player from before that moment, or not any more.")
    if version > past.player.version:
        raise StateUnknown(f"The player is at version {past.player.version} only.")
    if version == past.player.version:
        raise NotUndoable("The player hasn't changed since.")
    return version


async def _require_standing(past: Past, row: PastRow) -> None:
    """Raises NotUndoable if a command is undone, or if undoing it would take another one back for a second time."""
    if row in await past.undone():
        raise NotUndoable("It was undone before.")
    if row.action in UNDOING and (again := await past.taken_back_again(row)):
        named = ", ".join(sorted(again)[:3])
        raise NotUndoable(
            f"What it would take back was taken back again since, by another undo or rollback of {named}:"
            " undo that one instead."
        )


async def _rows_since(past: Past, version: int) -> list[PastRow]:
    """The rows of this version and all later ones, from the newest. Raises StateUnknown, NotUndoable."""
    count = past.player.version - version + 1
    if count > MOST_ROWS:
        raise NotUndoable(
            f"The player has changed {count - 1:,} times since, and undoing and rolling back reach {MOST_ROWS - 1:,}"
            " changes back: roll back to a later moment, or correct its values."
        )
    rows = await past.rows(version, past.player.version, count + 1)
    if [row.version for row in rows] != list(range(past.player.version, version - 1, -1)):
        raise StateUnknown("The ledger doesn't have everything since then any more.")
    return rows


async def _data_before(past: Past, version: int, rows: Sequence[PastRow]) -> PlayerData:
    """What the rules remembered of the player before a version; `rows` are all since the version before it."""
    if not any("data" in row.outcome for row in rows if row.version >= version):
        return past.player.data
    return await past.data(version - 1, rows[-1].command_id)


def _letters(row: PastRow) -> list[str]:
    return [
        f"A letter ({event['kind']}) to player {event['to']} can't be called back."
        for event in row.outcome["events"]
        if event["type"] == "mail_sent"
    ]


def _score_changes(present: Stored, scores: Scores) -> tuple[ScoreChange, ...]:
    changed = {key: score for key, score in scores.items() if score != present.get(key)}
    return tuple(ScoreChange(*key, present.get(key), score) for key, score in sorted(changed.items()))


def _event(kind: str, before: Player, after: Player, scores: Sequence[ScoreChange], **more: object) -> Event:
    """What the ledger says of it: the player reads it, too."""
    changes = corrections.state_changes(before, after)
    return {
        "type": kind,
        **more,
        "changes": {name: {"before": old, "after": new} for name, (old, new) in changes.items()},
        "scores": [
            {"board": change.board, "season": change.season, "before": change.before, "after": change.after}
            for change in scores
        ],
    }
