"""What bodies, queries and frames have in common: how strictly they are read, and the fields that several of them use.

Neither takes a field that it doesn't know. JSON is read strictly (`"7"` is no number); a query has only text, in which
an integer is written in one way: `7`, not `07`, `+7`, ` 7` or `7_0`. No query has a NUL, which Postgres refuses
wherever it is looked for.
"""

import re
from datetime import datetime
from functools import cache
from typing import Annotated, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from gameserver.rules import names
from gameserver.rules.arguments import PlayerId
from gameserver.times import moment_in_utc

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")


class JsonModel(BaseModel):
    """A body or a frame."""

    model_config = ConfigDict(extra="forbid", strict=True)


class QueryModel(BaseModel):
    """The parameters behind the question mark."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @field_validator("*", mode="before")
    @classmethod
    def _read(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, str) and "\x00" in value:
            raise PydanticCustomError("nul", "must not have a NUL, which no database can store")
        annotation = cls.model_fields[info.field_name or ""].annotation
        if not isinstance(value, str) or int not in (annotation, *get_args(annotation)):
            return value
        if not _INTEGER.fullmatch(value):
            raise PydanticCustomError("int_parsing", "Input should be a valid integer")
        return int(value)


def without_blanks(text: str) -> str:
    """What was typed with blanks of any kind between its digits."""
    return "".join(text.split())


def split_at_commas(text: object) -> object:
    """A list that a query writes as `1,2,3`."""
    return text.split(",") if isinstance(text, str) else text


@cache
def lists_of(model: type[BaseModel]) -> frozenset[str]:
    """The names of a query's lists, which may be written as `ids=1,2` and as `ids=1&ids=2`."""
    return frozenset(
        field.alias or name
        for name, field in model.model_fields.items()
        if any(isinstance(part, BeforeValidator) and part.func is split_at_commas for part in field.metadata)
    )


def _read_moment(text: object) -> object:
    """A moment as a query writes it; anything else is left for pydantic to refuse."""
    moment = moment_in_utc(text) if isinstance(text, str) else None
    if moment is None:
        raise PydanticCustomError("moment", "must be a moment such as 2026-01-31T12:00:00Z")
    return moment


def _not_blank(text: str) -> str:
    if not names.seen(text):
        raise PydanticCustomError("blank", "must say something")
    return text


def _without_repeats(ids: list[str]) -> list[str]:
    return list(dict.fromkeys(ids))


Ids = Annotated[
    list[PlayerId], Field(max_length=100), BeforeValidator(split_at_commas), AfterValidator(_without_repeats)
]
"""Up to 100 player ids, of which one that is given again counts once."""
MOST_LEVELS = 1_000_000
Level = Annotated[int | None, Field(ge=1, le=MOST_LEVELS)]
ShortText = Annotated[str, Field(min_length=1, max_length=64)]
Cursor = Annotated[str, Field(min_length=1, max_length=256)]
Season = Annotated[
    str, StringConstraints(pattern=r"^(current|previous|all-time|\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.0{1,6})?)?Z)$")
]
"""`current`, `previous`, `all-time` on a board without seasons, or the time at which the season began, in UTC."""
BoardLimit = Annotated[int, Field(ge=1, le=200)]
"""Entries on a page of a board."""
MaxStaleness = Annotated[int | None, Field(ge=0, le=3600)]
"""Seconds: how old a read may be that a replica answers; 0 asks for the present state."""
Radius = Annotated[int, Field(ge=0, le=100)]
"""Players on either side of the one in the middle."""
Moment = Annotated[datetime, BeforeValidator(_read_moment)]
"""RFC 3339 with a time zone, such as `2026-01-31T12:00:00Z`."""
Truth = Literal["true", "false"]
NamePart = Annotated[str, StringConstraints(min_length=1, max_length=24, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A part of a name as it is shown, whatever its case and width."""
Reason = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$"),
    AfterValidator(_not_blank),
]
"""Why an operator makes a change; it is written to the audit log."""
Written = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$"), AfterValidator(_not_blank)]
"""What an operator writes to players or to other operators, in several lines if need be."""
