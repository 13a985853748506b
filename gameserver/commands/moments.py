"""Moments that operators name."""

from datetime import datetime

from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.times import moment_in_utc


def moment_of(text: str, field: str) -> datetime:
    """The moment of RFC 3339 with an offset, in UTC. Raises BadInput, naming the field."""
    moment = moment_in_utc(text)
    if moment is None:
        raise BadInput(errors=[FieldProblem(field, "must be a time such as 2026-01-31T12:00:00Z")])
    return moment
