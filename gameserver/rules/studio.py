"""The game's own code: what it may raise, and what of it may be passed on.

A rule, what an action takes, a check of arguments and a module that is imported are a studio's, and may raise anything.
`sys.exit()` in a library is an error of the rule like any other: it ends no node. Law: what a client is told for a rule
is a `Refused` or a `BadInput`, of a class of the studio's own or not, with a code that the server itself never gives,
and values that are JSON as they are. Anything else is a broken rule.
"""

import re
import signal
from math import isfinite
from typing import Any

from gameserver.rules.errors import BadInput, FieldProblem, GameError, Refused
from gameserver.rules.plain_json import json_fault
from gameserver.rules.server_codes import OF_ARGUMENTS, OF_RULES, SERVER_CODES

LONGEST_DETAIL = 1000
LONGEST_WAIT = 10**9
"""Seconds that a client may be told to wait: some 30 years."""
LONGEST_RULE = 1.0
"""Seconds that a rule may take: far less than its transaction may stay open, during which its node stands still."""
OWN_FIELDS = frozenset({"type", "title", "status", "detail", "code", "request_id", "errors"})
"""What an answer says of every error itself: no refusal's extra may have such a name."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")


def refusal_fault(refusal: GameError) -> str | None:
    """Why a client can't be answered what a rule has raised."""
    try:
        return _kind_fault(refusal) or _text_fault(refusal) or _values_fault(refusal)
    except BaseException as error:
        require_fault(error)
        return f"is refused with what can't be read: {said(error)}"


def _kind_fault(refusal: GameError) -> str | None:
    kinds = [kind for kind in type(refusal).__mro__ if issubclass(kind, GameError)]
    servers = [kind for kind in kinds if kind.__module__.startswith("gameserver.") and kind not in OF_RULES]
    if servers or not isinstance(refusal, (Refused, BadInput)):
        return f"raised {said(refusal)}: a rule may raise Refused and BadInput, and classes of its own of these"
    code: Any = refusal.code
    if type(code) is not str or _CODE.fullmatch(code) is None:
        return f"is refused with the code {code!r:.80}: it must be lower-case letters, digits and _"
    if code in SERVER_CODES and not (isinstance(refusal, BadInput) and code in OF_ARGUMENTS):
        return f"is refused with the code {code!r}, which only the server gives"
    return None


def _text_fault(refusal: GameError) -> str | None:
    detail: Any = refusal.detail
    if type(detail) is not str or len(detail) > LONGEST_DETAIL:
        return f"is refused with a detail that isn't a text of at most {LONGEST_DETAIL} characters"
    return _not_json(json_fault(detail, "its detail"))


def _values_fault(refusal: GameError) -> str | None:
    extra: Any = refusal.extra
    errors: Any = refusal.errors
    if type(extra) is not dict or (own := OWN_FIELDS.intersection(extra)):
        what = "isn't a dict" if type(extra) is not dict else f"has {', '.join(sorted(own))}"
        return f"is refused with an extra that {what}: an answer has {', '.join(sorted(OWN_FIELDS))} itself"
    if not all(_is_wait(wait) for wait in (refusal.retry_after, extra.get("retry_after"))):
        return f"is refused with a retry_after that isn't a number of seconds from 0 to {LONGEST_WAIT}"
    if type(errors) is not list or not all(_is_problem(problem) for problem in errors):
        return "is refused with errors that aren't FieldProblem of two texts"
    return _not_json(json_fault(extra, "its extra") or json_fault([[*problem] for problem in errors], "its errors"))


def _not_json(fault: str | None) -> str | None:
    return None if fault is None else f"is refused with what isn't JSON that can be kept: {fault}"


def _is_wait(value: object) -> bool:
    return value is None or (type(value) in (int, float) and isfinite(value) and 0 <= value <= LONGEST_WAIT)  # type: ignore[arg-type,operator]


def _is_problem(problem: object) -> bool:
    return type(problem) is FieldProblem and all(type(text) is str and _is_encodable(text) for text in problem)


def _is_encodable(text: str) -> bool:
    return text.isascii() or not _SURROGATE.search(text)


def require_fault(error: BaseException) -> None:
    """Raises what isn't a fault of the studio's code again: a Ctrl-C, where a signal raises it.

    A serving node handles SIGINT itself, so there a KeyboardInterrupt is the rule's own. In a command that replays it
    is an operator's.
    """
    if isinstance(error, KeyboardInterrupt) and _interrupts(signal.getsignal(signal.SIGINT)):
        raise error


def _interrupts(handler: Any) -> bool:
    """Whether this handler of SIGINT raises KeyboardInterrupt: Python's own, and that of `asyncio.Runner`."""
    owner = getattr(getattr(handler, "func", None), "__self__", None)
    return handler is signal.default_int_handler or type(owner).__module__ == "asyncio.runners"


def said(error: BaseException) -> str:
    """What a fault says of itself, if it can."""
    try:
        return f"{type(error).__name__}: {error}"
    except BaseException as fault:
        require_fault(fault)
        return f"{type(error).__name__}, which can't be shown"
