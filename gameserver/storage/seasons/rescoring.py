"""What of a player's stored scores its past commands have made, found by replaying them one by one.

Law: what a command scored is known only if replaying it, from the state before it, with its dice and by the rulebook
that made it, leads to what the ledger has. Where this process hasn't the code of that rulebook, the one in force is
tried. If that doesn't lead there, or a board counts otherwise by now, nothing is guessed.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from gameserver.rules.boards import Board
from gameserver.rules.corrections import CORRECTIONS, UNDOING, recorded_data
from gameserver.rules.editions import RulesInForce
from gameserver.rules.errors import GameError
from gameserver.rules.player import Outcome, Player
from gameserver.rules.player_data import PlayerData
from gameserver.rules.replay import Record, after
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.boards.layout import Contest
from gameserver.storage.ledger.past import Past, PastRow, RulesUnread
from gameserver.storage.ledger.rows import player_from
from gameserver.storage.seasons.calendar import Calendar
from gameserver.storage.seasons.scoring import Scorings, joined

ROWS_AT_A_TIME = 100
"""Replayed before others get their turn."""


class Deed(NamedTuple):
    """A past command and what it scored: amounts by board and season; None if that isn't known.

    `agrees` says whether replaying it leads to what the ledger has, `unknown` names boards on which it scored what
    isn't known, as they count otherwise by now.
    """

    row: PastRow
    scored: dict[tuple[str, int], int] | None
    agrees: bool
    unknown: frozenset[str] = frozenset()

    def knows(self, board: str) -> bool:
        """Whether it is known what it scored on a board, or that it didn't."""
        return self.scored is not None and board not in self.unknown


class Rescoring:
    """One per node."""

    def __init__(self, calendar: Calendar, rules: RulesInForce) -> None:
        self._calendar, self._rules, self._scorings = calendar, rules, Scorings(calendar)

    def stored(self) -> list[Board]:
        """The boards whose scores are stored."""
        return [board for board in self._calendar.boards() if board.stores_scores]

    def contests_at(self, moment: datetime) -> list[Contest]:
        """The boards whose scores are stored, each in its season at a moment."""
        return [Contest(board, self._calendar.number(board, moment)) for board in self.stored()]

    async def deeds(self, past: Past, data: PlayerData, rows: Sequence[PastRow]) -> list[Deed]:
        """Of rows from the oldest; the first one only says what the player was before, `data` what it had then.

        Raises RulesUnread.
        """
        deeds, rulebooks = [], self._rulebooks(past, rows[1:])
        for number, (earlier, row) in enumerate(itertools.pairwise(rows)):
            if number % ROWS_AT_A_TIME == 0:
                await asyncio.sleep(0)
            before = player_from(earlier.outcome, past.player, earlier.version)._replace(data=data)
            deeds.append(self._deed(before, row, rulebooks))
            data = recorded_data(row.outcome, data)
        return deeds

    def scored(self, before: Player, outcome: Outcome) -> Iterator[tuple[Board, int]]:
        """What an outcome scores now on the boards that admit the player."""
        return self._scored(self._rules.rulebook, before, outcome)

    def _scored(self, rulebook: Rulebook, before: Player, outcome: Outcome) -> Iterator[tuple[Board, int]]:
        player = outcome.player
        for board, amount in self._scorings.of(rulebook).scored(before, outcome):
            if board.admits(player.class_name, player.level):
                yield board, amount

    def _rulebooks(self, past: Past, rows: Sequence[PastRow]) -> dict[int | None, Rulebook]:
        """What rows are replayed by, by the numbers of their rulebooks. Raises RulesUnread."""
        present = self._rules.rulebook
        named = {row.rules for row in rows if row.rules is not None and row.action not in CORRECTIONS}
        if unread := named - {present.number} - past.rulebooks.keys():
            raise RulesUnread(unread)
        read: dict[int | None, Rulebook] = {number: past.rulebooks.get(number) or present for number in named}
        return read | {None: present, present.number: present}

    def _deed(self, before: Player, row: PastRow, rulebooks: Mapping[int | None, Rulebook]) -> Deed:
        if row.action in CORRECTIONS:
            changes = row.outcome["events"][0]["scores"]
            by_key = {(each["board"], each["season"]): (each["after"] or 0) - (each["before"] or 0) for each in changes}
            return Deed(row, by_key, agrees=True)
        rulebook = rulebooks[row.rules]
        try:
            outcome = after(rulebook, before, Record(row.action, row.args, row.seed, row.at, row.outcome))
        except GameError:
            return Deed(row, None, agrees=False)
        if not _agrees(outcome.player, row):
            return Deed(row, None, agrees=False)
        amounts, unknown = dict[tuple[str, int], int](), set[str]()
        for board, amount in self._scored(rulebook, before, outcome):
            if not self._is_counted_alike(board):
                unknown.add(board.name)
                continue
            key = (board.name, self._calendar.number(board, row.at))
            amounts[key] = amount if key not in amounts else joined(board, amounts[key], amount)
        return Deed(row, amounts, agrees=True, unknown=frozenset(unknown))

    def _is_counted_alike(self, board: Board) -> bool:
        """Whether the board of this name, if there is one still, makes the same of the same scores."""
        now = self._rules.game.boards.get(board.name)
        return now is None or (now.score, now.operator, now.order) == (board.score, board.operator, board.order)


def _agrees(player: Player, row: PastRow) -> bool:
    shown = (player.class_name, player.level, player.hp, player.exp)
    return shown == tuple(row.outcome[name] for name in ("class", "level", "hp", "exp"))


def folded(board: Board, season: int, deeds: Sequence[Deed], is_gone: Callable[[PastRow], bool]) -> int | None:
    """The score that commands led to, but for those that are gone; None if none of them scored.

    What undos and rollbacks took back is gone, or stands again: the scores that they left then don't count.
    """
    standing = [deed for deed in deeds if not is_gone(deed.row) and deed.row.action not in UNDOING]
    return added_up(Contest(board, season), standing)


def added_up(contest: Contest, deeds: Sequence[Deed]) -> int | None:
    """The score that commands led to, as each was carried out; None if none of them scored."""
    board, key, score = contest.board, (contest.board.name, contest.season), None
    for deed in deeds:
        if deed.scored is None or key not in deed.scored:
            continue
        if deed.row.action in CORRECTIONS:
            score = _corrected(deed.row, *key)
        else:
            score = deed.scored[key] if score is None else joined(board, score, deed.scored[key])
    return score


def score_before(contest: Contest, deeds: Sequence[Deed], present: int | None) -> tuple[bool, int | None]:
    """Whether the score before the last commands is known from the present one alone, and what it was."""
    key = (contest.board.name, contest.season)
    if not all(deed.knows(contest.board.name) for deed in deeds):
        return False, None
    amounts = [deed.scored[key] for deed in deeds if deed.scored and key in deed.scored]
    if not amounts:
        return True, present
    rest = (present or 0) - sum(amounts)
    # Of a sum of 0 it isn't known whether anything had scored.
    return contest.board.operator == "sum" and rest != 0, rest


def _corrected(row: PastRow, board: str, season: int) -> int | None:
    changes = row.outcome["events"][0]["scores"]
    after: int | None = next(each["after"] for each in changes if (each["board"], each["season"]) == (board, season))
    return after
