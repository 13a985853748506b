"""The bodies of what operators order of keys."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from gameserver.transport.wire.fields import QueryModel
from gameserver.transport.wire.requests import Because

DAY = 86_400
KeyName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._@-]{1,64}$")]
NewKeyName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
"""Browsers take `.` and `..` out of the paths in which names stand."""


class NewAdminKey(Because):
    """`days` is how long the key holds; for ever unless given.

    With `one_time_passwords` it opens sessions of the console alone; the settings may demand that of its role.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "ann", "role": "support", "days": 90, "reason": "new colleague"}]}
    )

    name: NewKeyName
    role: Literal["viewer", "support", "operator"]
    days: Annotated[int | None, Field(ge=1, le=3650)] = None
    one_time_passwords: bool = Field(default_factory=bool)


class RotateKey(Because):
    """`grace` is for how many seconds the old key goes on: a day unless given."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "yearly", "grace": 86400}]})

    grace: Annotated[int, Field(ge=0, le=30 * DAY)] = Field(default_factory=lambda: DAY)


class KeyNamePath(QueryModel):
    """The name in the path."""

    name: KeyName
