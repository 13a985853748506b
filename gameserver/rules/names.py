"""Names of players: how they are shown, and the key by which they are unique.

A name has 2 to 24 characters after NFKC: letters, marks and digits of any script, single inner spaces, and
`_ - . '`. Names that differ only in case, width or spacing have the same key, so a look-alike of that kind can't be
taken. Invisible characters (controls, zero-width and filler characters, variation selectors) are refused rather than
dropped. So are characters that Unicode hasn't assigned yet: then no later version of Unicode changes a key. Letters
of different scripts that look alike (Latin a, Cyrillic а) are different letters here.
"""

import re
from dataclasses import dataclass
from unicodedata import category, normalize

from gameserver.rules.errors import BadInput, FieldProblem

LONGEST = 24
LONGEST_INPUT = 1_000
MARKS_IN_A_ROW = 3

# fmt: off
RESERVED = frozenset((
    "admin", "administrator", "anonymous", "api", "console", "deleted", "developer", "everyone",
    "gamemaster", "gameserver", "gm", "guest", "help", "info", "me", "mod", "moderator", "myself",
    "nil", "nobody", "none", "null", "official", "operator", "owner", "root", "self", "server", "staff",
    "superuser", "support", "sysadmin", "sysop", "system", "undefined", "unknown", "user", "webmaster",
    "you",
))
# fmt: on
"""Keys that no player can have, with or without punctuation and spaces."""

_PUNCTUATION = frozenset("_-.'")
_SPACES = re.compile(r"[ \u1680]+")  # what is left of the category Zs after NFKC
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\U00016fe4\U000e0100-\U000e01ef]"
)  # letters and marks that are invisible


@dataclass(frozen=True, slots=True)
class Name:
    """A name as people see it, and its key, which no two players share."""

    shown: str
    key: str


def parse(text: str, shortest: int = 2) -> Name:
    """The name that a text stands for. Raises BadInput, naming the field `name`."""
    if len(text) > LONGEST_INPUT:
        raise _bad(f"must have {shortest} to {LONGEST} characters")
    shown = _SPACES.sub(" ", normalize("NFKC", text)).strip(" ")
    if not shortest <= len(shown) <= LONGEST:
        raise _bad(f"must have {shortest} to {LONGEST} characters")
    _check_characters(shown)
    key = key_of(shown)
    if "".join(character for character in key if character not in _PUNCTUATION and character != " ") in RESERVED:
        raise _bad("is reserved")
    return Name(shown, key)


def key_of(text: str) -> str:
    """The key of a text, equal for texts that differ only in case, width or spacing. Idempotent.

    Unicode's NFKC_Casefold, after a conversion to upper case: folding alone keeps some pairs apart, such as ı and I.
    The result of one round may change in the next, so rounds go on until nothing changes.
    """
    key = _SPACES.sub(" ", normalize("NFKC", text)).strip(" ")
    while True:
        folded = normalize("NFKC", normalize("NFD", key).upper().casefold())
        if folded == key:
            return key
        key = folded


def _check_characters(shown: str) -> None:
    if _UNSEEN.search(shown):
        raise _bad("has a character that can't be seen")
    marks, seen_letter = MARKS_IN_A_ROW, False
    for character in shown:
        kind = category(character)
        if kind in ("Mn", "Mc"):
            marks += 1
            if marks > MARKS_IN_A_ROW:
                raise _bad("has an accent that stands alone, or too many on one letter")
        elif kind[0] in "LN":
            marks, seen_letter = 0, True
        elif character in _PUNCTUATION or character == " ":
            marks = MARKS_IN_A_ROW
        else:
            raise _bad(f"has a character that isn't allowed (U+{ord(character):04X})")
    if not seen_letter:
        raise _bad("must have a letter or digit")


def _bad(problem: str) -> BadInput:
    return BadInput(errors=[FieldProblem("name", problem)])
