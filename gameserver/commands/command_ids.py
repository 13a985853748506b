"""Command ids: a client's, checked, or new ones."""

from collections.abc import Callable
from datetime import datetime

from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.storage.ids import is_command_id, new_command_id

NO_UUID7 = (
    "The command id isn't a UUIDv7. To make one of any random UUID, write the Unix time in milliseconds as 12 "
    "hexadecimal digits over its first 12, and 7 over the 13th."
)
"""Why no other version will do: docs/decisions/0041."""


def new_id(now: datetime) -> str:
    """A UUIDv7 of this moment."""
    return new_command_id(int(now.timestamp() * 1000))


def checked_or_new(given: str | None, clock: Callable[[], datetime], field: str) -> str:
    """The client's command id in lower case, or a new one of the clock's time. Raises BadInput naming `field`."""
    if given is None:
        return new_id(clock())
    lowered = given.lower()
    if not is_command_id(lowered):
        raise BadInput(NO_UUID7, errors=[FieldProblem(field, "must be a UUIDv7")])
    return lowered
