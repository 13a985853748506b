"""Moments that operators name."""

from datetime import datetime

from gameserver.rules.errors import BadInput, FieldProblem


def moment_of(text: str, field: str) -> datetime:
    """The moment of RFC 3339 with an offset. Raises BadInput, naming the field."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadInput(errors=[FieldProblem(field, "must be a time such as 2026-01-31T12:00:00Z")])
    return moment
