"""One question at a door, and how it ends.

Law: a door under too much load may answer late, but within its deadline, or turn a client away: 503 or 429 with
Retry-After over HTTP, an error with `retry_after` on a socket. Whatever else isn't the right answer breaks the promise,
but for a rule's refusal, which is an answer. Pure.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from bots.load.hunter import code_of
from bots.wire.answers import AnswerKind, kind_of

RULES_REFUSAL = 409
TURNS_AWAY = (429, 503)
_RETRY_AFTER = re.compile(rb'"retry_after":\s*[\d.]+')


class Treatment(Enum):
    """How a question ended."""

    ANSWERED = "answered"
    REFUSED = "refused"
    TURNED_AWAY = "turned away"
    BROKEN = "broken"


@dataclass(slots=True)
class DoorQuestion:
    """A prepared request; `about` is whom it concerns. Times are in seconds of one clock.

    `planned` is when it should have been sent, `sent` when it was; on a socket `number` is its id.
    """

    payload: bytes
    number: int = 0
    about: Any = None
    planned: float = 0.0
    sent: float = 0.0


class Heard(NamedTuple):
    """How a question ended, with the code of an error, and the answer; `status` is 0 on a socket."""

    treatment: Treatment
    code: str = ""
    status: int = 0
    body: bytes = b""


def heard_over_http(status: int, head: bytes, body: bytes) -> Heard:
    """Judge an answer by its status, and by whether its head has Retry-After."""
    if status < 300:
        return Heard(Treatment.ANSWERED, "", status, body)
    code = f"{status} {code_of(body)}"
    if status == RULES_REFUSAL:
        return Heard(Treatment.REFUSED, code, status, body)
    if status not in TURNS_AWAY:
        return Heard(Treatment.BROKEN, code, status, body)
    if b"\r\nretry-after:" not in head.lower():
        return Heard(Treatment.BROKEN, f"{code} without Retry-After", status, body)
    return Heard(Treatment.TURNED_AWAY, code, status, body)


def heard_on_socket(message: bytes) -> Heard:
    """Judge an answer's frame by its code, and by whether it has `retry_after`."""
    if b'"ok":' in message:
        return Heard(Treatment.ANSWERED, body=message)
    code = code_of(message)
    kind = kind_of(code, None, None)
    if kind is AnswerKind.REFUSED:
        return Heard(Treatment.REFUSED, code, body=message)
    if kind is not AnswerKind.RETRY:
        return Heard(Treatment.BROKEN, code, body=message)
    if _RETRY_AFTER.search(message) is None:
        return Heard(Treatment.BROKEN, f"{code} without retry_after", body=message)
    return Heard(Treatment.TURNED_AWAY, code, body=message)
