"""What becomes of a player's stored scores when commands of its past are undone.

Law: what commands scored is known from replaying them, or it stays and a sentence in `left` says so. Scores of seasons
that are over stay: their standings are final. A player of whom nothing that scored is left leaves the board.
"""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from gameserver.rules.boards import Board, clamped
from gameserver.rules.corrections import CORRECTIONS, UNDOING
from gameserver.rules.editions import RulesInForce
from gameserver.rules.player import Player
from gameserver.storage.ledger.past import Past, PastRow, Stored, undone_by
from gameserver.storage.seasons.calendar import Calendar
from gameserver.storage.seasons.rescoring import Deed, Rescoring, folded

MOST_ROWS = 20_000
"""Commands that are read of a player's past, at the most."""
GONE = "the rules that made it are gone, or a board counts otherwise by now"
Key = tuple[str, int]
Scores = dict[Key, int | None]


@dataclass(frozen=True, slots=True)
class Planning:
    """What plans need; one per node."""

    rules: RulesInForce
    calendar: Calendar
    rescoring: Rescoring
    now: Callable[[], datetime]


@dataclass(slots=True)
class ScorePlan:
    """Of one player; `present` are its scores by board and season."""

    planning: Planning
    past: Past
    present: Stored
    left: list[str] = field(default_factory=list)
    """Sentences: what stays, and why."""

    @classmethod
    async def of(cls, planning: Planning, past: Past) -> Self:
        return cls(planning, past, await past.scores())

    async def without(self, deed: Deed, after: Player) -> Scores:
        """The scores that change when one command is undone; `after` is the player then."""
        if deed.scored is None:
            self.left.append(f"What it scored isn't known, and stays: {GONE}.")
            return {}
        self._tell_unknown(deed.unknown)
        scores: Scores = {}
        undone = {deed.row.command_id}
        for key, amount in (self._untouched(deed.row) | self._of_growth(deed, after) | deed.scored).items():
            board = self._open_board(key)
            if board is None:
                continue
            if board.operator == "sum":
                scores[key] = await self._reduced(board, key, amount, undone)
            elif board.points is None:
                scores[key] = self._grown(board, key, after)
            elif deed.row.action in CORRECTIONS or self.present.get(key) == amount:
                scores[key] = await self._recomputed(board, key, undone)
        return scores

    async def as_of(self, version: int, deeds: Sequence[Deed]) -> Scores:
        """The scores that change when all commands after a version, `deeds`, are undone."""
        if any(deed.scored is None for deed in deeds):
            self.left.append(f"What some commands scored isn't known, and stays: {GONE}.")
        unknown = frozenset[str]().union(*(deed.unknown for deed in deeds))
        self._tell_unknown(unknown)
        amounts: dict[Key, int] = {}
        for deed in deeds:
            for key, amount in (deed.scored or {}).items():
                if key[0] not in unknown:
                    amounts[key] = amounts.get(key, 0) + amount
        scores: Scores = {}
        for key, amount in amounts.items():
            board = self._open_board(key)
            if board is None:
                continue
            if board.operator == "sum":
                scores[key] = await self._reduced(board, key, amount, set(), version)
            else:
                scores[key] = await self._recomputed(board, key, set(), version)
        return scores

    def _untouched(self, row: PastRow) -> dict[Key, int]:
        """Scores of points that an undo or rollback may have left as they were: what it took back may count by now."""
        boards = self.planning.rescoring.stored() if row.action in UNDOING else []
        kept = [board for board in boards if board.points is not None and board.operator != "sum"]
        return {(board.name, self.planning.calendar.number(board, self.planning.now())): 0 for board in kept}

    def _of_growth(self, deed: Deed, after: Player) -> dict[Key, int]:
        """Scores that are the player's own EXP or level, also on boards that came after the command that is undone."""
        player = self.past.player
        fallen = {name for name in ("exp", "level") if getattr(player, name) != getattr(after, name)}
        boards = [board for board in self.planning.rescoring.stored() if board.points is None and board.score in fallen]
        shown = [board for board in boards if board.operator != "sum" and board.name not in deed.unknown]
        keys = [(board.name, self.planning.calendar.number(board, self.planning.now())) for board in shown]
        return {key: 0 for key in keys if key in self.present}

    def _grown(self, board: Board, key: Key, after: Player) -> int:
        """The player's EXP or level; a score on a board that has left it behind, as by its level, stays."""
        present, player = self.present.get(key), self.past.player
        old, new = (player.level, after.level) if board.score == "level" else (player.exp, after.exp)
        if present is None or present == old:
            return new
        self.left.append(f"The score on {board.name} isn't what the player has at present, and stays.")
        return present

    def _tell_unknown(self, boards: Set[str]) -> None:
        self.left += [f"What was scored on {board} isn't known, and stays: {GONE}." for board in sorted(boards)]

    def _open_board(self, key: Key) -> Board | None:
        """The board of a score that can still change."""
        name, season = key
        board = next((board for board in self.planning.rescoring.stored() if board.name == name), None)
        if board is None or self.planning.calendar.number(board, self.planning.now()) != season:
            self.left.append(f"The board {name}, or its season, is over: the score stays.")
            return None
        return board

    async def _reduced(
        self, board: Board, key: Key, amount: int, without: Set[str], until: int | None = None
    ) -> int | None:
        """A sum less what is undone; none if nothing that scored is left."""
        rest = clamped(self.present.get(key, 0) - amount)
        if rest:
            return rest
        known, score = await self._fold(board, key, without, until)
        return rest if score is not None or not known else None

    async def _recomputed(self, board: Board, key: Key, without: Set[str], until: int | None = None) -> int | None:
        """The best or last score of the commands that stand; the present one if that can't be known."""
        known, score = await self._fold(board, key, without, until)
        if known:
            return score
        self.left.append(f"The ledger or the rules of then are gone: the score on {board.name} stays.")
        return self.present.get(key)

    async def _fold(self, board: Board, key: Key, without: Set[str], until: int | None) -> tuple[bool, int | None]:
        """Whether the commands up to a version are known, and what they led to, but for those `without`."""
        last = self.past.player.version if until is None else until
        rows = await self.past.rows(1, last, MOST_ROWS + 1)
        whole = [row.version for row in rows] == list(range(last, last - len(rows), -1)) and len(rows) <= MOST_ROWS
        if not whole or not rows or not (rows[-1].version == 1 or rows[-1].at.timestamp() < key[1]):
            return False, None
        data = await self.past.data(rows[-1].version, rows[-1].command_id)
        deeds = await self.planning.rescoring.deeds(self.past, data, rows[::-1])
        undone = undone_by(row for row in rows if row.command_id not in without)

        def is_gone(row: PastRow) -> bool:
            return row.command_id in without or row in undone

        known = all(deed.knows(board.name) for deed in deeds if not is_gone(deed.row))
        return known, folded(board, key[1], deeds, is_gone)
