"""The game's own code: what it may raise, and what of it may be passed on.

A rule, what an action takes, a check of arguments and a module that is imported are a studio's, and may raise anything.
`sys.exit()` in a library is an error of the rule like any other: it ends no node. Only KeyboardInterrupt is left alone,
which is an operator's Ctrl-C in a command that replays.
"""

import re
from typing import Any

import orjson

from gameserver.rules.errors import GameError

LONGEST_DETAIL = 1000
LARGEST_JSON = 65_536
"""Characters that a rule's outcome, with its events, or a letter's arguments may take: they are stored and sent."""
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")


def refusal_fault(refusal: GameError) -> str | None:
    """Why a client can't be answered what a rule refuses with."""
    code: Any = refusal.code
    detail: Any = refusal.detail
    if type(code) is not str or _CODE.fullmatch(code) is None:
        return f"is refused with the code {code!r:.80}: it must be lower-case letters, digits and _"
    if type(detail) is not str or len(detail) > LONGEST_DETAIL:
        return f"is refused with a detail that isn't a text of at most {LONGEST_DETAIL} characters"
    try:
        orjson.dumps([detail, refusal.extra, [[*problem] for problem in refusal.errors], refusal.retry_after])
    except TypeError as error:
        return f"is refused with what isn't JSON: {error}"
    return None


def require_fault(error: BaseException) -> None:
    """Raises what isn't a fault of the studio's code again."""
    if isinstance(error, KeyboardInterrupt):
        raise error


def said(error: BaseException) -> str:
    """What a fault says of itself, if it can."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return f"{type(error).__name__}, which can't be shown"
