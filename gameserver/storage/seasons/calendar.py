"""Which season each board is in, from the seasons that the control database has and from the boards' schedules."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from gameserver.rules.boards import Board
from gameserver.rules.editions import RulesInForce
from gameserver.rules.errors import BoardNotFound
from gameserver.rules.schedule import Schedule
from gameserver.rules.seasons import Season, next_season, season_at
from gameserver.storage.boards.layout import ALL_TIME, Contest

AHEAD_SECONDS = 600
"""How long before a season begins its boards are built, so that they exist when it does."""


class Calendar:
    """One per node; `learn` updates it. Seasons are identified by the Unix second of their start.

    Its boards are those of the rules in force.
    """

    def __init__(self, rules: RulesInForce) -> None:
        self._rules = rules
        self._begun: dict[str, Sequence[Season]] = {}
        self._open: dict[str, frozenset[int]] = {}
        self._now: dict[str, tuple[Schedule, Season]] = {}

    @property
    def _boards(self) -> Mapping[str, Board]:
        return self._rules.game.boards

    def learn(self, board: str, begun: Iterable[Season], still_open: Iterable[int]) -> None:
        """Sets a board's seasons that have begun, and the starts of those whose standings aren't stored yet."""
        self._begun[board] = sorted(begun)
        self._open[board] = frozenset(still_open)
        self._now.pop(board, None)

    def board(self, name: str) -> Board:
        """Raises BoardNotFound."""
        if name not in self._boards:
            raise BoardNotFound(f"There is no board of this name; there are {', '.join(self._boards)}.")
        return self._boards[name]

    def boards(self) -> list[Board]:
        return list(self._boards.values())

    def season(self, board: Board, moment: datetime) -> Season | None:
        """The season at a moment; None for a board without seasons."""
        if board.schedule is None:
            return None
        schedule, now = self._now.get(board.name, (None, None))
        if now is None or schedule != board.schedule or not now.start <= moment.timestamp() < now.end:
            now = season_at(board.schedule, self._begun.get(board.name, ()), moment)
            self._now[board.name] = board.schedule, now
        return now

    def number(self, board: Board, moment: datetime) -> int:
        """The start of the season at a moment; ALL_TIME for a board without seasons."""
        season = self.season(board, moment)
        return ALL_TIME if season is None else season.start

    def is_over(self, board: Board, start: int) -> bool:
        """Whether a season has ended and its standings are stored."""
        begun = any(season.start == start for season in self._begun.get(board.name, ()))
        return begun and start not in self._open.get(board.name, ())

    def previous(self, board: Board, moment: datetime) -> int | None:
        """The start of the season before that at a moment, if there was one."""
        number = self.number(board, moment)
        starts = [season.start for season in self._begun.get(board.name, ())]
        return max((start for start in starts if start < number), default=None)

    def contests(self, moment: datetime) -> list[Contest]:
        """The contests whose boards are in Redis: of seasons not stored yet, and of those that begin soon."""
        contests = []
        for board in self._boards.values():
            if board.schedule is None:
                contests.append(Contest(board))
                continue
            seasons = set(self._open.get(board.name, ()))
            now = self.season(board, moment)
            if now is not None:
                seasons.add(now.start)
                if now.end - moment.timestamp() < AHEAD_SECONDS:
                    seasons.add(now.end)
            contests += [Contest(board, season) for season in sorted(seasons)]
        return contests

    def known(self, moment: datetime) -> list[Contest]:
        """The contests whose boards may have keys in Redis: also of seasons that are stored, until they are dropped."""
        begun = [
            Contest(board, season.start)
            for board in self._boards.values()
            if board.schedule is not None
            for season in self._begun.get(board.name, ())
        ]
        return list(dict.fromkeys([*self.contests(moment), *begun]))

    def following(self, board: Board, season: Season) -> Season:
        """The season after one."""
        if board.schedule is None:
            raise ValueError("a board without a schedule has no seasons")
        return next_season(board.schedule, season)
