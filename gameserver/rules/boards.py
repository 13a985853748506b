"""The leaderboards of the game: what each ranks, which players, in which order, and for how long.

A board of exp or level without seasons follows the players' present state. Every other board stores scores: they are
added up in rows of the board's own, in the transaction of the action that scored.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from gameserver.rules.schedule import Schedule
from gameserver.rules.section import UNREADABLE, Key, Section, Words

Operator = Literal["best", "last", "sum"]
Order = Literal["desc", "asc"]
Ties = Literal["first", "dense", "competition"]
Level = Annotated[int, Field(ge=1, le=1_000_000)]
POINTS = "points:"
LARGEST_SCORE = (1 << 53) - 1
"""The highest absolute value of a score: a double is exact up to here."""


def clamped(score: int) -> int:
    """The score that is nearest to it among those that can be."""
    return max(-LARGEST_SCORE, min(LARGEST_SCORE, score))


@dataclass(frozen=True, slots=True)
class Reward:
    """What the players of ranks `first` to `last` get by mail when a season ends."""

    first: int
    last: int
    exp: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """A leaderboard. `score` is exp, level or points:NAME; `size` is the number of places shown, 0 for all."""

    name: str
    score: str
    class_name: str | None = None
    min_level: int | None = None
    max_level: int | None = None
    operator: Operator = "last"
    order: Order = "desc"
    ties: Ties = "first"
    size: int = 0
    schedule: Schedule | None = None
    rewards: tuple[Reward, ...] = ()

    @property
    def stores_scores(self) -> bool:
        """Whether scores are stored in rows of the board's own."""
        return self.schedule is not None or self.score.startswith(POINTS)

    @property
    def points(self) -> str | None:
        """The name of the points that the board ranks; None for exp and level."""
        return self.score.removeprefix(POINTS) if self.score.startswith(POINTS) else None

    @property
    def ranks_all(self) -> bool:
        """Whether every player is on the board."""
        return not (self.class_name or self.min_level or self.max_level or self.size)

    def admits(self, class_name: str, level: int) -> bool:
        """Whether a player of this class and level is on the board; for one that stores scores, whether it scores."""
        if self.class_name is not None and class_name != self.class_name:
            return False
        return (self.min_level or 0) <= level and (self.max_level is None or level <= self.max_level)

    def ranks(self) -> tuple[object, ...]:
        """What is ranked and how; boards for which this is equal would be duplicates."""
        filters = (self.class_name, self.min_level, self.max_level)
        return (self.score, self.operator, self.order, self.ties, *filters, self.schedule)


Rank = Annotated[int, Field(ge=1, le=1_000_000)]


class RewardTable(Section):
    """An element of a board's `rewards`."""

    first: Rank
    last: Rank
    exp: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    text: Words = ""


class SeasonTable(Section):
    """A board's `season`: a new one begins whenever the cron expression fires in the zone."""

    cron: Annotated[str, Field(max_length=100)]
    zone: Annotated[str, Field(max_length=64)] = "UTC"

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        self.schedule()
        return self

    def schedule(self) -> Schedule:
        """Raises ValueError for an expression that never fires or a zone that doesn't exist."""
        return Schedule.parse(self.cron, self.zone)


class BoardTable(Section):
    """A table under `[boards]`; whether its class exists is checked by `faults`."""

    score: Annotated[str, StringConstraints(pattern=r"^(exp|level|points:[a-z][a-z0-9_]{0,31})$")]
    class_name: Annotated[Key | None, Field(alias="class")] = None
    min_level: Level | None = None
    max_level: Level | None = None
    operator: Operator | None = None
    order: Order = "desc"
    ties: Ties | None = None
    size: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    season: SeasonTable | None = None
    rewards: Annotated[list[RewardTable], Field(max_length=100, default_factory=list)]

    def board(self, name: str) -> Board:
        """The board, with the defaults that depend on its score filled in."""
        operator = self.operator or ("sum" if self.score.startswith(POINTS) else "last")
        first_is_known = operator != "last" or not self.score.startswith(POINTS)
        return Board(
            name,
            self.score,
            self.class_name,
            self.min_level,
            self.max_level,
            operator,
            self.order,
            self.ties or ("first" if first_is_known else "competition"),
            self.size,
            self.season.schedule() if self.season else None,
            tuple(Reward(table.first, table.last, table.exp, table.text) for table in self.rewards),
        )


def faults(boards: Mapping[str, Board], classes: Iterable[str]) -> list[str]:
    """What is wrong with the boards, each fault with its path."""
    problems: list[str] = []
    seen: dict[tuple[object, ...], str] = {}
    names = set(classes)
    for board in boards.values():
        path = f"boards.{board.name}"
        first = seen.setdefault(board.ranks(), board.name)
        if first != board.name:
            problems.append(f"{path}: ranks the same as boards.{first}")
        if board.class_name is not None and board.class_name not in names:
            problems.append(f"{path}.class: there is no class {board.class_name!r}")
        problems += [f"{path}.{fault}" for fault in [*_contradictions(board), *_reward_faults(board)]]
    return problems


def _contradictions(board: Board) -> list[str]:
    problems = []
    if board.points is not None and board.operator == "last" and board.ties == "first":
        problems.append(
            "ties: a score of the operator 'last' can be left and reached again, so no player is the first to reach it;"
            " write 'competition' or 'dense'"
        )
    if board.points is None and board.operator == "best":
        problems.append(f"operator: {board.score} is ranked as it is; write 'last'")
    if board.points is None and board.operator == "sum" and board.schedule is None:
        problems.append(f"operator: {board.score} is ranked as it is; 'sum', which adds up gains, needs a season")
    if board.min_level is not None and board.max_level is not None and board.min_level > board.max_level:
        problems.append(f"min_level: {board.min_level} is above max_level, {board.max_level}")
    return problems


def faults_of_new(board: Board) -> list[str]:
    """What a board that is written today may not have, though one that was published earlier may."""
    problems = [
        f"rewards.{place}.text: has a control character"
        for place, reward in enumerate(board.rewards)
        if UNREADABLE.search(reward.text)
    ]
    if board.schedule is not None and board.schedule.is_of_one_machine:
        problems.append(f"season.zone: {board.schedule.zone} isn't the same on every machine; write such as Asia/Seoul")
    return problems


def _reward_faults(board: Board) -> list[str]:
    problems = []
    if board.rewards and board.schedule is None:
        problems.append("rewards: only a board with seasons can have rewards")
    last = 0
    for place, reward in enumerate(board.rewards):
        if reward.last < reward.first:
            problems.append(f"rewards.{place}: there are no ranks {reward.first} to {reward.last}")
        elif reward.first <= last:
            problems.append(f"rewards.{place}: rank {reward.first} isn't after the ranks above, which end at {last}")
        if board.size and reward.last > board.size:
            problems.append(f"rewards.{place}: the board has only {board.size} places")
        if not reward.exp and not reward.text:
            problems.append(f"rewards.{place}: gives nothing; write exp, text or both")
        last = max(last, reward.last)
    return problems


def definition(board: Board) -> dict[str, Any]:
    """The board's table of game.toml, JSON-able: what a season stores, so that it can end without game.toml."""
    season = board.schedule
    return {
        "score": board.score,
        "class": board.class_name,
        "min_level": board.min_level,
        "max_level": board.max_level,
        "operator": board.operator,
        "order": board.order,
        "ties": board.ties,
        "size": board.size,
        "season": None if season is None else {"cron": season.cron, "zone": season.zone},
        "rewards": _rewards(board),
    }


def defined(name: str, stored: Mapping[str, Any]) -> Board:
    """The board of a stored definition, which may be from an older version of this code. Raises ValueError."""
    return BoardTable.model_validate(stored).board(name)


def _rewards(board: Board) -> list[dict[str, Any]]:
    return [
        {"first": reward.first, "last": reward.last, "exp": reward.exp, "text": reward.text} for reward in board.rewards
    ]


def describe(board: Board) -> dict[str, Any]:
    """A board as clients see it, JSON-able."""
    stored = definition(board)
    return {"name": board.name, **stored, "size": board.size or None, "season": stored["season"] or "all-time"}
