"""Cursors of rankings: where a page ended, and of which ranking, so that a cursor can't be used for another."""

import base64
import binascii
import hashlib
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from gameserver.commands.rankings import PlayerChoice
from gameserver.commands.results import MOMENTS, By
from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.transport.http import inputs

_START = datetime(1970, 1, 1, tzinfo=UTC)


class Order(NamedTuple):
    """What all pages of a ranking have in common; their length may change, and who is online."""

    by: By
    descending: bool
    choice: PlayerChoice


def behind(last: tuple[int | datetime, int], order: Order) -> str:
    """The cursor of the next page of this ranking, behind a page's last player: its value and its id."""
    value, player_id = last
    number = (value - _START) // timedelta(microseconds=1) if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(f"{_digest(order)} {number} {player_id}".encode()).decode().rstrip("=")


def parse(cursor: str, order: Order) -> tuple[int | datetime, int]:
    """The value and the id that the next page starts behind.

    Raises BadInput for garbage, and for a cursor of another ranking.
    """
    try:
        digest, number, last_id = base64.urlsafe_b64decode(cursor + "==").decode().split(" ")
        value = int(number)
        if not -(1 << 63) <= value < 1 << 63 or (order.by == "level" and abs(value) >= 1 << 31):
            raise ValueError
        last = _START + timedelta(microseconds=value) if order.by in MOMENTS else value
        position = last, inputs.player_id(last_id)
    except (ValueError, OverflowError, binascii.Error, BadInput):
        raise _bad("isn't a cursor") from None
    if digest != _digest(order):
        raise _bad("is a cursor of another ranking: by, order and who is asked for must stay the same")
    return position


def _digest(order: Order) -> str:
    return hashlib.blake2b(repr(order).encode(), digest_size=6).hexdigest()


def _bad(problem: str) -> BadInput:
    return BadInput("The cursor can't be used.", errors=[FieldProblem("cursor", problem)])
