"""What actions score on the boards whose scores are stored; costs nothing for actions that score on no board."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from gameserver.rules.boards import Board, clamped
from gameserver.rules.corrections import Correction
from gameserver.rules.player import Outcome, Player
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.ids import slot_of
from gameserver.storage.seasons.calendar import Calendar

Scores = dict[tuple[int, str], int]
"""What a batch scores, by player id and board name."""


class CorrectedScore(NamedTuple):
    """A score as a correction leaves it, None for none; in the order of the statement's arguments."""

    slot: int
    player_id: int
    board: str
    season: int
    score: int | None
    version: int


def corrected_scores(player: Player, correction: Correction) -> list[CorrectedScore]:
    """The scores that a correction changes; `player` is as it is after it."""
    return [
        CorrectedScore(slot_of(player.id), player.id, change.board, change.season, change.after, player.version)
        for change in correction.scores
    ]


class Scoring:
    """Of the boards of one game."""

    def __init__(self, calendar: Calendar, boards: Iterable[Board]) -> None:
        self._calendar = calendar
        stored = [board for board in boards if board.stores_scores]
        self._figures = [board for board in stored if board.points is None]
        self._points: dict[str, list[Board]] = {}
        for board in stored:
            if board.points is not None:
                self._points.setdefault(board.points, []).append(board)
        self._boards: Mapping[str, Board] = {board.name: board for board in stored}
        self._sums = [board.name for board in stored if board.operator == "sum"]
        best = [board for board in stored if board.operator == "best"]
        self._highest = [board.name for board in best if board.order == "desc"]
        self._lowest = [board.name for board in best if board.order == "asc"]

    def note(self, scores: Scores, before: Player, outcome: Outcome) -> None:
        """Adds what an action scored to the scores of its batch."""
        if not outcome.points and not self._figures:
            return
        after = outcome.player
        for board, amount in self.scored(before, outcome):
            if board.admits(after.class_name, after.level):
                key = (after.id, board.name)
                scores[key] = amount if key not in scores else joined(board, scores[key], amount)

    def scored(self, before: Player, outcome: Outcome) -> Iterator[tuple[Board, int]]:
        """What an action scored, also on boards that don't admit the player."""
        for name, amount in outcome.points:
            for board in self._points.get(name, ()):
                yield board, amount
        for board in self._figures:
            old, new = (before.level, outcome.player.level) if board.score == "level" else (
                before.exp, outcome.player.exp)  # fmt: skip
            if new != old:
                yield board, new - old if board.operator == "sum" else new

    def arguments(self, scores: Scores, versions: Mapping[int, int], now: datetime) -> list[object]:
        """The arguments of the statement `score` for a batch; `versions` are the players' at its end."""
        rows = [
            (slot_of(player_id), player_id, name, self._calendar.number(self._boards[name], now), amount,
             versions[player_id])
            for (player_id, name), amount in scores.items()
        ]  # fmt: skip
        return [now, *zip(*rows, strict=True), self._sums, self._highest, self._lowest]


class Scorings:
    """The scoring of each rulebook; that of the last one is kept."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._last: tuple[Rulebook, Scoring] | None = None

    def of(self, rulebook: Rulebook) -> Scoring:
        if self._last is None or self._last[0] is not rulebook:
            self._last = rulebook, Scoring(self._calendar, rulebook.game.boards.values())
        return self._last[1]


def joined(board: Board, old: int, amount: int) -> int:
    """A score to which another one comes."""
    if board.operator == "sum":
        return clamped(old + amount)
    if board.operator == "last":
        return amount
    return max(old, amount) if board.order == "desc" else min(old, amount)
