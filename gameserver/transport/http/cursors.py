"""Cursors of rankings: where a page ended, and of which question, so that none is used for another one."""

import base64
import binascii
import hashlib
from datetime import UTC, datetime, timedelta

from gameserver.commands.results import Question
from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.rules.player import Player
from gameserver.transport.http import asking

_START = datetime(1970, 1, 1, tzinfo=UTC)


def behind(last: Player, question: Question) -> str:
    """Goes on behind the last player of a page of this ranking."""
    value = getattr(last, question.by)
    number = (value - _START) // timedelta(microseconds=1) if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(f"{_digest(question)} {number} {last.id}".encode()).decode().rstrip("=")


def parse(cursor: str, question: Question) -> tuple[int | datetime, int]:
    """The value and id to go on behind. Raises BadInput for garbage, and for a cursor of another ranking."""
    try:
        digest, number, player_id = base64.urlsafe_b64decode(cursor + "==").decode().split(" ")
        value = int(number)
        if not -(1 << 63) <= value < 1 << 63 or (question.by == "level" and abs(value) >= 1 << 31):
            raise ValueError
        last = _START + timedelta(microseconds=value) if question.by == "created_at" else value
        found = last, asking.player_id(player_id)
    except (ValueError, OverflowError, binascii.Error, BadInput):
        raise _bad("isn't a cursor") from None
    if digest != _digest(question):
        raise _bad("is a cursor of another ranking: by, order, class and levels must stay the same")
    return found


def _digest(question: Question) -> str:
    """Of what the pages of a ranking have in common; their length may change."""
    asked = (question.by, question.descending, question.class_name, question.min_level, question.max_level)
    return hashlib.blake2b(repr(asked).encode(), digest_size=6).hexdigest()


def _bad(problem: str) -> BadInput:
    return BadInput("The cursor can't be used.", errors=[FieldProblem("cursor", problem)])
