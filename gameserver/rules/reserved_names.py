"""Names that no player can have: they would pass for the server, or for the people who run it."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from unicodedata import category, name, normalize

from gameserver.rules.looks import looks_of

# fmt: off
OTHER_SCRIPTS = frozenset((
    "админ", "администратор", "модератор", "поддержка", "техподдержка", "адмін", "адміністратор", "підтримка",
    "관리자", "운영자", "운영진", "고객센터", "管理员", "管理員", "管理者", "客服", "官方", "版主", "公式", "運営",
    "運営者", "サポート",
))
# fmt: on
"""Words of STAFF as other languages write them."""

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

_CAMEL = r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
_BREAKS = (re.compile(rf"[\W_]+|{_CAMEL}"), re.compile(rf"[\W\d_]+|{_CAMEL}"))
"""Where words end: digits may be part of one (`Adm1n`), or stand between two (`Admin2`)."""
_NO_LETTERS = re.compile(r"[\W_]+")
_DIGITS = "0123456789"
_ORNAMENTS = "xX"
"""Letters that players put around a name, as in `xXAnnXx`."""
_SMALL_CAPITAL = "LATIN LETTER SMALL CAPITAL "


def is_reserved(text: str) -> bool:
    """Whether a name is reserved, has a word of STAFF, or is put together of reserved words with one of STAFF.

    Words of STAFF are found with accents and in small capitals, too.
    """
    bare = _without_accents(text)
    words = (form for breaks in _BREAKS for word in _words(breaks, bare) for form in _forms(word))
    if not _staff().isdisjoint(words):
        return True
    whole, bare = _NO_LETTERS.sub("", text), _NO_LETTERS.sub("", bare)
    if not _reserved().isdisjoint((*_forms(whole), *_forms(whole.strip(_DIGITS)))):
        return True
    return any(_put_together().fullmatch(form) for form in (*_forms(bare), *_forms(bare.strip(_DIGITS))))


def _words(breaks: re.Pattern[str], text: str) -> Iterator[str]:
    """The words of a name, also without ornaments; and two neighbouring ones as one, such as game and master."""
    words = [word for word in breaks.split(text) if word]
    yield from words
    yield from (word.strip(_ORNAMENTS) for word in words)
    yield from (one + other for one, other in pairwise(words) if len(one) > 1 and len(other) > 1)


def _without_accents(text: str) -> str:
    if text.isascii():
        return text
    marked = (character for character in normalize("NFD", text) if category(character) != "Mn")
    return "".join(map(_without_style, marked))


def _without_style(character: str) -> str:
    """The plain letter of a small capital, which no language writes; other characters stay."""
    letter = name(character, "").removeprefix(_SMALL_CAPITAL)
    return letter.lower() if len(letter) == 1 else character


def _forms(text: str) -> tuple[str, ...]:
    return looks_of(text) if text else ()


@cache
def _reserved() -> frozenset[str]:
    return frozenset(look for word in RESERVED | OTHER_SCRIPTS for look in looks_of(word))


@cache
def _staff() -> frozenset[str]:
    return frozenset(look for word in STAFF | OTHER_SCRIPTS for look in looks_of(word))


@cache
def _put_together() -> re.Pattern[str]:
    """Reserved words and fillers one after another, with one of STAFF among them."""
    others = "|".join(sorted({*_reserved(), *(look for word in _FILLERS for look in looks_of(word))}))
    staff = "|".join(sorted(_staff()))
    return re.compile(f"(?:{others})*(?:{staff})(?:{others})*")
