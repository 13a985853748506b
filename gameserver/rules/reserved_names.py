"""Names that no player can have: they would pass for the server, or for the people who run it."""

import re
from functools import cache

from gameserver.rules.looks import looks_of

# fmt: off
RESERVED = frozenset((
    "admin", "administrator", "anonymous", "api", "console", "deleted", "developer", "everyone",
    "gamemaster", "gameserver", "gm", "guest", "help", "info", "me", "mod", "moderator", "myself",
    "nil", "nobody", "none", "null", "official", "operator", "owner", "root", "self", "server", "staff",
    "superuser", "support", "sysadmin", "sysop", "system", "undefined", "unknown", "user", "webmaster",
    "you",
))
# fmt: on
"""Reserved as whole names, with or without punctuation and spaces."""

# fmt: off
STAFF = frozenset((
    "admin", "administrator", "gamemaster", "gameserver", "gm", "moderator", "official", "staff", "support",
    "sysadmin", "sysop", "webmaster",
))
# fmt: on
"""Reserved also as one word of a name, with or without digits around it."""
_FILLERS = ("the", "team", "game", "real", "mr", "ms", "im", "i", "am", "my", "our")
"""Words that turn reserved words into a name of the same meaning."""

_BREAKS = re.compile(r"[\W\d_]+|(?<=[a-z])(?=[A-Z])")
_NO_LETTERS = re.compile(r"[\W_]+")


def is_reserved(name: str) -> bool:
    """Whether a name is reserved, has a word of STAFF, or is put together of reserved words with one of STAFF."""
    words = (word for part in _BREAKS.split(name) for word in _forms(part))
    if not _staff().isdisjoint(words):
        return True
    whole = _NO_LETTERS.sub("", name)
    for form in (*_forms(whole), *_forms(whole.strip("0123456789"))):
        if form in _reserved() or _put_together().fullmatch(form):
            return True
    return False


def _forms(text: str) -> tuple[str, ...]:
    return looks_of(text) if text else ()


@cache
def _reserved() -> frozenset[str]:
    return frozenset(look for word in RESERVED for look in looks_of(word))


@cache
def _staff() -> frozenset[str]:
    return frozenset(look for word in STAFF for look in looks_of(word))


@cache
def _put_together() -> re.Pattern[str]:
    """Reserved words and fillers one after another, with one of STAFF among them."""
    others = "|".join(sorted({*_reserved(), *(look for word in _FILLERS for look in looks_of(word))}))
    staff = "|".join(sorted(_staff()))
    return re.compile(f"(?:{others})*(?:{staff})(?:{others})*")
