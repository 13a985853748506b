"""Passwords: the form in which they are compared, and which are too easy to guess."""

import re
from functools import cache
from importlib import resources
from unicodedata import category, combining, decomposition, normalize

from gameserver.rules import names
from gameserver.rules.errors import BadInput, FieldProblem

SHORTEST = 8
_NEVER_TYPED = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"))
"""Controls, formats, unassigned characters, those for private use, surrogates, and separators of lines."""
_DISALLOWED = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef"  # can't be seen
    "\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7c6\ud7cb-\ud7fb"  # old Hangul: NFC makes syllables of the rest
    "\u0640\u07fa\u302e\u302f\u3031-\u3035\u303b]"  # exceptions of RFC 5892
)
_JOINERS = re.compile("[\u200c\u200d]")
_NON_JOINER = "\u200c"
_VIRAMA = 9
"""Unicode's combining class of marks that kill a vowel."""


def prepared(password: str) -> str:
    """The form that is hashed, whatever system it is typed on: RFC 8265's OpaqueString, which keeps its case."""
    return normalize("NFC", "".join(" " if category(character) == "Zs" else character for character in password))


def require_good(password: str, name: str, field: str = "password") -> None:
    """Refuses what is too easy to guess for a player of this name. Raises BadInput.

    It is asked when a password is set, never when it is used: one that was set before goes on working.
    """
    form = prepared(password)
    if not all(_is_allowed(form, place) for place in range(len(form))):
        raise _bad(field, "has a character that passwords can't have, such as one that isn't seen")
    seen = _JOINERS.sub("", form)
    if len(seen) < SHORTEST or len(set(seen)) == 1:
        raise _bad(field, f"must have at least {SHORTEST} characters, not all of them the same")
    if seen.casefold().strip() in _common():
        raise _bad(field, "is one of the commonest passwords")
    if names.key_of(seen) == names.key_of(name):
        raise _bad(field, "is the player's name")


def _is_allowed(form: str, place: int) -> bool:
    """Whether RFC 8264's FreeformClass has a character, in its place if it is one that joins letters."""
    character = form[place]
    if _JOINERS.match(character):
        return _may_join(form[:place], character, form[place + 1 :])
    return category(character) not in _NEVER_TYPED and not _DISALLOWED.match(character)


def _may_join(before: str, joiner: str, after: str) -> bool:
    """RFC 5892's rules for ZWNJ and ZWJ: after a virama, and ZWNJ where it keeps apart letters of Arabic script."""
    if before and combining(before[-1]) == _VIRAMA:
        return True
    letters = [next((each for each in side if category(each) != "Mn"), "") for side in (reversed(before), after)]
    return joiner == _NON_JOINER and letters[0] in _forms("<initial>") and letters[1] in _forms("<final>")


@cache
def _forms(kind: str) -> frozenset[str]:
    """The letters of Arabic script that have such a form: an initial one if they join the next, or a final one."""
    found = (decomposition(chr(code)).split() for code in (*range(0xFB50, 0xFE00), *range(0xFE70, 0xFF00)))
    return frozenset(chr(int(codes[1], 16)) for codes in found if len(codes) == 2 and codes[0] == kind)


def _bad(field: str, problem: str) -> BadInput:
    return BadInput(errors=[FieldProblem(field, problem)])


@cache
def _common() -> frozenset[str]:
    """The list in lower case; its source and licence are in its first lines."""
    text = resources.files(__package__).joinpath("common_passwords.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))
