"""Names of players: how they are shown, and the keys by which they are unique.

A name has 2 to 24 characters: letters, marks and digits of the scripts of one language and Latin ones, single inner
spaces, and `_ - . '`; amid a word also what other keyboards type for these (punctuation.py). It is shown as it was
typed (NFC), wide and small forms of the plain punctuation as that. Law: two names share a key if they differ only in
case, width, spacing or the kind of apostrophe, hyphen or dot, or if they look alike (UTS 39, looks.py); so a look-alike
can't be taken. Invisible characters (controls, zero-width and filler characters, variation
selectors) are refused rather than dropped. So are characters that Unicode hasn't assigned yet: then no later version of
Unicode changes a key.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from unicodedata import category, normalize

from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.rules.looks import former_looks_of, looks_of, mixes_digits, mixes_scripts, writing_systems
from gameserver.rules.punctuation import is_amid_letters, with_plain_medials
from gameserver.rules.reserved_names import OF_ALL_GAMES, ReservedNames

LONGEST = 24
LONGEST_INPUT = 1_000
MARKS_IN_A_ROW = 3
SHORTEST_RESERVED = 2
"""Letters of a word that a studio reserves."""
RESERVED = "is reserved, or has a word that is"
LOOK = "~"
"""What a key made from a look begins with; no other key has this character."""

_TYPED_APOSTROPHE = "\u2019"
"""What phones type."""
LETTER_APOSTROPHE = "\u02bc"
"""A letter of some languages; in the keys of earlier versions it wasn't the same as an apostrophe."""
_PLAIN_PUNCTUATION = frozenset("_-.'")
_PUNCTUATION = _PLAIN_PUNCTUATION | {_TYPED_APOSTROPHE}
_SPACES = re.compile(r"[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")  # the category Zs
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\U00016fe4\U000e0100-\U000e01ef]"
)  # letters and marks that are invisible
_PLAIN_NAME = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9_\-.' ]+")


@dataclass(frozen=True, slots=True)
class Name:
    """A name as people see it, and its keys, none of which two players share. The first one is for looking it up."""

    shown: str
    keys: tuple[str, ...]

    @property
    def key(self) -> str:
        return self.keys[0]


def parse(text: str, shortest: int = 2, reserved: ReservedNames = OF_ALL_GAMES) -> Name:
    """The name that a text stands for. Raises BadInput, naming the field `name`."""
    name = read(text, shortest)
    _check_characters(name.shown)
    plain = normalize("NFKC", name.shown)
    if any(not writing_systems(character) for character in plain if character != " "):
        raise _bad("has a character that isn't allowed")
    if mixes_scripts(plain):
        raise _bad("mixes the letters of scripts that no language mixes")
    if mixes_digits(plain):
        raise _bad("mixes digits of several scripts")
    if reserved.has(plain):
        raise _bad(RESERVED)
    return name


def read(text: str, shortest: int = 1) -> Name:
    """The name that a text stands for, without what `parse` asks of new names only. Raises BadInput."""
    if len(text) > LONGEST_INPUT:
        raise _bad(f"must have {shortest} to {LONGEST} characters")
    typed = text if text.isascii() else "".join(map(_with_plain_punctuation, text))
    shown, plain = (_SPACES.sub(" ", normalize(form, typed)).strip(" ") for form in ("NFC", "NFKC"))
    if not shortest <= len(plain) <= LONGEST or len(shown) > LONGEST:
        raise _bad(f"must have {shortest} to {LONGEST} characters")
    _check_characters(plain)
    return Name(shown, keys_of(shown))


def seen(text: str) -> str:
    """What of a text can be seen, whatever it is for, without blanks around it."""
    return _UNSEEN.sub("", "".join(filter(str.isprintable, text))).strip()


def reserved_fault(word: str) -> str | None:
    """Why a studio can't reserve a word; None if it can."""
    try:
        parse(word, SHORTEST_RESERVED)
    except BadInput as error:
        (problem,) = error.errors
        return None if problem.problem == RESERVED else problem.problem
    letters = sum(character.isalpha() for character in word)
    return (
        None
        if letters >= SHORTEST_RESERVED
        else f"must have {SHORTEST_RESERVED} letters, or it would refuse many names"
    )


def _with_plain_punctuation(character: str) -> str:
    """The plain form of a wide or small punctuation mark, such as keyboards for Japanese type; others stay."""
    plain = normalize("NFKC", character)
    return plain if _PLAIN_PUNCTUATION.issuperset(plain) else character


@lru_cache(maxsize=4096)
def keys_of(text: str) -> tuple[str, ...]:
    """All keys of a name, also of one that would be refused now."""
    key, former = key_of(text), _former_key_of(text)
    forms = dict.fromkeys((*looks_of(key), *former_looks_of(key)))
    looks = (LOOK + blake2b(look.encode(), digest_size=16).hexdigest() for look in forms)
    return tuple(dict.fromkeys((key, former, *looks)))


def key_of(text: str) -> str:
    """The key of a text, equal for texts that differ only in case, width, spacing or the kind of punctuation.

    Idempotent. Unicode's NFKC_Casefold, after a conversion to upper case: folding alone keeps some pairs apart, such as
    ı and I. The result of one round may change in the next, so rounds go on until nothing changes.
    """
    return _former_key_of(text).replace(LETTER_APOSTROPHE, "'")


def _former_key_of(text: str) -> str:
    """The key that claims of earlier versions are stored under."""
    key = _SPACES.sub(" ", normalize("NFKC", text.replace(_TYPED_APOSTROPHE, "'"))).strip(" ")
    while True:
        folded = normalize("NFKC", normalize("NFD", key).upper().casefold())
        if folded == key:
            return with_plain_medials(key)
        key = folded


def _check_characters(shown: str) -> None:
    if not _PLAIN_NAME.fullmatch(shown):  # as most are
        _check_each(shown)


def _check_each(shown: str) -> None:
    if _UNSEEN.search(shown):
        raise _bad("has a character that can't be seen")
    marks, seen_letter = MARKS_IN_A_ROW, False
    for place, character in enumerate(shown):
        kind = category(character)
        if kind in ("Mn", "Mc"):
            marks += 1
            if marks > MARKS_IN_A_ROW:
                raise _bad("has an accent that stands alone, or too many on one letter")
        elif kind[0] in "LN":
            marks, seen_letter = 0, True
        elif character in _PUNCTUATION or character == " " or is_amid_letters(shown, place):
            marks = MARKS_IN_A_ROW
        else:
            raise _bad(f"has a character that isn't allowed (U+{ord(character):04X})")
    if not seen_letter:
        raise _bad("must have a letter or digit")


def _bad(problem: str) -> BadInput:
    return BadInput(errors=[FieldProblem("name", problem)])
