"""What an action scores on the boards whose scores are kept; costs nothing where no board wants it."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from gameserver.rules.boards import Board
from gameserver.rules.player import Outcome, Player
from gameserver.storage.ids import slot_of
from gameserver.storage.seasons.calendar import Calendar

Scores = dict[tuple[int, str], int]
"""What a batch scores, by player and board."""


class Scoring:
    """One per node."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        kept = [each for each in calendar.boards() if each.stores_scores]
        self._figures = [each for each in kept if each.points is None]
        self._points: dict[str, list[Board]] = {}
        for board in kept:
            if board.points is not None:
                self._points.setdefault(board.points, []).append(board)
        self._boards: Mapping[str, Board] = {each.name: each for each in kept}
        self._sums = [each.name for each in kept if each.operator == "sum"]
        best = [each for each in kept if each.operator == "best"]
        self._highest = [each.name for each in best if each.order == "desc"]
        self._lowest = [each.name for each in best if each.order == "asc"]

    def note(self, scores: Scores, before: Player, outcome: Outcome) -> None:
        """Adds what an action scored to what its batch has."""
        if not outcome.points and not self._figures:
            return
        after = outcome.player
        for board, amount in self._scored(before, outcome):
            if board.admits(after.class_name, after.level):
                key = (after.id, board.name)
                scores[key] = amount if key not in scores else _joined(board, scores[key], amount)

    def _scored(self, before: Player, outcome: Outcome) -> Iterator[tuple[Board, int]]:
        for name, amount in outcome.points:
            for board in self._points.get(name, ()):
                yield board, amount
        for board in self._figures:
            old, new = (before.level, outcome.player.level) if board.score == "level" else (
                before.exp, outcome.player.exp)  # fmt: skip
            if new != old:
                yield board, new - old if board.operator == "sum" else new

    def arguments(self, scores: Scores, versions: Mapping[int, int], now: datetime) -> list[object]:
        """Of the statement `score`, for what a batch has; `versions` are those that its players end with."""
        rows = [
            (slot_of(who), who, name, self._calendar.number(self._boards[name], now), amount, versions[who])
            for (who, name), amount in scores.items()
        ]
        return [now, *zip(*rows, strict=True), self._sums, self._highest, self._lowest]


def _joined(board: Board, old: int, amount: int) -> int:
    if board.operator == "sum":
        return old + amount
    if board.operator == "last":
        return amount
    return max(old, amount) if board.order == "desc" else min(old, amount)
