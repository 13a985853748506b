"""What operators ask of all players: which of them, and in which order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import BigInteger, ColumnElement, Select, SmallInteger, bindparam, cast, func, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from gameserver.storage import tables
from gameserver.storage.ids import slot_of

PLAYERS = tables.player_rows
_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
By = Literal["exp", "level", "hp", "created_at", "seen_at"]
MOMENTS: tuple[By, ...] = ("created_at", "seen_at")
SEEN = func.coalesce(
    PLAYERS.c.seen, func.date_bin(text("interval '1 hour'"), PLAYERS.c.exp_reached_at, text("timestamptz 'epoch'"))
)
"""The beginning of the hour in which a player was last seen; until one is noted, of that of its last EXP."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Some of the players: whoever fits everything that isn't None. `until` isn't included; `seen_…` are
    compared with the beginning of the hour.

    `name_part` and `name_begins` aren't empty; case and width make no difference. `online` are the players that are
    connected, `offline` those to leave out for it; `ids` are the only ones looked at.
    """

    class_name: str | None = None
    min_level: int | None = None
    max_level: int | None = None
    created_since: datetime | None = None
    created_until: datetime | None = None
    banned: bool | None = None
    name_begins: str | None = None
    name_part: str | None = None
    seen_since: datetime | None = None
    seen_until: datetime | None = None
    online: Sequence[int] | None = None
    offline: Sequence[int] | None = None
    ids: Sequence[int] | None = None
    has_words: bool = True
    """Whether the conditions on a name have its words, by which an index finds it."""

    def goes_by_name(self) -> bool:
        return self.name_part is not None or self.name_begins is not None

    def whatever_name(self) -> "Segment":
        """The same, of any name."""
        return replace(self, name_begins=None, name_part=None)

    def fits_name(self, name: ColumnElement[Any]) -> list[ColumnElement[bool]]:
        """The conditions on a name alone, compared character by character."""
        folded, conditions = func.name_folded(name), list[ColumnElement[bool]]()
        if self.name_part is not None:
            conditions.append(func.strpos(folded, func.name_folded(self.name_part)) > 0)
        if self.name_begins is not None:
            conditions.append(func.starts_with(folded, func.name_folded(self.name_begins)))
        return conditions

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same as conditions on a row of `players`."""
        columns = PLAYERS.c
        tests = (
            (self.class_name, columns["class"].__eq__),
            (self.min_level, columns.level.__ge__),
            (self.max_level, columns.level.__le__),
            (self.created_since, columns.created_at.__ge__),
            (self.created_until, columns.created_at.__lt__),
            (self.seen_since, SEEN.__ge__),
            (self.seen_until, SEEN.__lt__),
            (self.banned, columns.banned.__eq__),
        )
        conditions: list[ColumnElement[bool]] = [test(value) for value, test in tests if value is not None]
        for part, is_beginning in ((self.name_part, False), (self.name_begins, True)):
            if part is not None and self.has_words:
                conditions.append(_has_words(part, is_beginning=is_beginning))
        conditions += self.fits_name(columns.name)
        for among in (self.online, self.ids):
            if among is not None:
                conditions += [columns.slot == _any_of(_slots(among), SmallInteger), columns.id == _any_of(among)]
        if self.offline is not None:
            conditions.append(columns.id != func.all(array_of(self.offline, BigInteger)))
        return conditions


EVERYONE = Segment()


@dataclass(frozen=True, slots=True)
class Question:
    """A ranking; ties are ordered by id. `after` is the value and id of the last player of the page before."""

    by: By
    limit: int
    descending: bool = True
    segment: Segment = EVERYONE
    after: tuple[int | datetime, int] | None = None

    def select(self, columns: Iterable[Any], conditions: Iterable[ColumnElement[bool]]) -> Select[Any]:
        """The rows that fit the segment and these conditions, in order from behind `after`; without a limit."""
        value, chosen = value_of(self.by), [*conditions, *self.segment.conditions()]
        if self.after is not None:
            last, player_id = self.after
            from_there, beyond = (value <= last, value < last) if self.descending else (value >= last, value > last)
            chosen += [from_there, or_(beyond, PLAYERS.c.id > player_id)]
        ordered = value.desc() if self.descending else value.asc()
        return select(*columns).where(*chosen).order_by(ordered, PLAYERS.c.id)

    def key(self, value: int | datetime, player_id: int) -> tuple[int, int]:
        """What sorts rows of all databases as each database has sorted its own."""
        number = (value - _START) // _MICROSECOND if isinstance(value, datetime) else value
        return (-number if self.descending else number), player_id


def moment(number: int) -> datetime:
    """Of Unix microseconds."""
    return _START + number * _MICROSECOND


def value_of(by: By) -> ColumnElement[Any]:
    """What players are ranked by, of a row of `players`."""
    return SEEN if by == "seen_at" else PLAYERS.c[by]


def _has_words(part: str, *, is_beginning: bool) -> ColumnElement[bool]:
    """What an index knows of names with this part; a few other names have its words, too."""
    return func.name_parts(PLAYERS.c.name).bool_op("@@")(func.name_query(part, is_beginning))


def _slots(ids: Sequence[int]) -> list[int]:
    return sorted({slot_of(player_id) for player_id in ids})


def _any_of(values: Sequence[int], kind: Any = BigInteger) -> Any:
    return func.any(array_of(values, kind))


def array_of(values: Sequence[int] | Sequence[int | datetime], kind: Any) -> Any:
    """The values as one argument of a statement."""
    return cast(bindparam(None, list(values), ARRAY(kind), unique=True), ARRAY(kind))
