"""Names that no player can have: they would pass for the server, or for the people who run it.

Law: words are compared by what they look like (looks.py), with or without accents, struck through, in small capitals,
turned around or with tails, and with digits and pairs of letters that stand for letters (`5upport`, `acImin`). So
whoever can be taken for staff by a word that is reserved is refused, however it is written, and a name that only
contains the letters of such a word isn't. Scripts that put no spaces between words are searched for the words of STAFF
anywhere.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from importlib import resources
from itertools import pairwise
from unicodedata import category, combining, name, normalize

from gameserver.rules.looks import as_read, looks_of
from gameserver.rules.punctuation import with_plain_medials

_FILLERS = ("the", "team", "game", "real", "mr", "ms", "im", "i", "am", "my", "our")
"""Words that turn reserved words into a name of the same meaning."""

_BETWEEN = r"[\s_\-.'\u2019\u02bc]+"
"""What stands between words. A mark doesn't: vowels of many scripts are marks."""
_CAMEL = r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
_BREAKS = (re.compile(rf"{_BETWEEN}|{_CAMEL}"), re.compile(rf"{_BETWEEN}|{_CAMEL}|(?<=[^\W\d])(?=\d)"))
"""Where words end: digits may be part of one (`Adm1n`), or begin another (`Kim5upport`)."""
_NO_LETTERS = re.compile(_BETWEEN)
_DIGITS = "0123456789"
_ORNAMENTS = "xX"
"""Letters that players put around a name, as in `xXAnnXx`."""
_STYLED = re.compile(
    "LATIN (?P<case>CAPITAL LETTER|SMALL LETTER|LETTER SMALL CAPITAL|SMALL CAPITAL LETTER) "
    "(?:[A-Z-]+ )*(?P<letter>[A-Z])(?: BAR| WITH .+)?"
)
"""Unicode's names of letters that are read as a plain one: small capitals, turned ones, those with strokes or tails."""
_READ_AS = {"ʍ": "m", "ʌ": "a", "ŋ": "n", "Ŋ": "N", "ə": "e", "Ə": "E", "ƨ": "s", "Ƨ": "S"}
"""Letters whose names don't tell as what they are read."""
_OVERLAY = 1
"""Unicode's combining class of marks that strike a letter through."""
_UPSIDE_DOWN = str.maketrans("unpdqbʍʌɟƃɔ", "nudpbqwvfgc")
"""What letters are in a text that is turned around, besides those whose names say so."""
_STAND_FOR = str.maketrans("23456789", "zeasgtbg")
"""Digits that are read as letters; 0 and 1 look like theirs (UTS 39)."""
_SHORTEST_READ = 4
"""Letters of a word that is looked for in digits: `9M` is no GM."""
_UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
"""Letters of Thai, Japanese, Chinese and Korean."""


class ReservedNames:
    """What is reserved: the words of the game's own people (`staff`) and whole names, besides those of all games."""

    def __init__(self, staff: Iterable[str] = ()) -> None:
        """`staff` are a studio's own words; one may be several words, with spaces or punctuation between them."""
        own = (_NO_LETTERS.sub("", word) for word in staff)
        self._staff, self._names = (*_words_of("staff"), *own), _words_of("names")

    def has(self, text: str) -> bool:
        """Whether a name is reserved, has a word of staff, or is put together of reserved words with one of staff.

        It is judged as it is written, and as it is read where that isn't the same.
        """
        plain = with_plain_medials(text)
        return any(map(self._has, dict.fromkeys((plain, as_read(plain), _upright(plain)))))

    def _has(self, text: str) -> bool:
        bare = _without_accents(text)
        words = {word for breaks in _BREAKS for word in _words(breaks, bare)}
        if not self._staff_forms.isdisjoint(form for word in words for form in _read(word)):
            return True
        whole = {form for part in _without_digits(_NO_LETTERS.sub("", _without_styles(text))) for form in _read(part)}
        bared = {form for part in _without_digits(_NO_LETTERS.sub("", bare)) for form in _read(part)}
        return (
            not self._name_forms.isdisjoint(whole)
            or any(self._put_together.fullmatch(form) for form in bared)
            or (not text.isascii() and any(word in form for form in bared for word in self._anywhere))
        )

    @cached_property
    def _staff_forms(self) -> frozenset[str]:
        return _forms_of(self._staff)

    @cached_property
    def _name_forms(self) -> frozenset[str]:
        """With their accents: `Mé` isn't `me`."""
        return frozenset(form for word in self._names for form in _read(_without_styles(word)))

    @cached_property
    def _anywhere(self) -> frozenset[str]:
        return _forms_of(word for word in self._staff if _UNSPACED.match(word))

    @cached_property
    def _put_together(self) -> re.Pattern[str]:
        """ReservedNames words and fillers one after another, with one of staff among them."""
        others = "|".join(sorted(map(re.escape, self._staff_forms | _forms_of((*self._names, *_FILLERS)))))
        staff = "|".join(sorted(map(re.escape, self._staff_forms)))
        return re.compile(f"(?:{others})*(?:{staff})(?:{others})*")


def _words(breaks: re.Pattern[str], text: str) -> Iterator[str]:
    """The words of a name, also without ornaments; and two neighbouring ones as one, such as game and master."""
    words = [word for word in breaks.split(text) if word]
    yield from (part for word in words for part in _without_digits(word))
    yield from (word.strip(_ORNAMENTS) for word in words)
    yield from (one + other for one, other in pairwise(words) if len(one) > 1 and len(other) > 1)


def _without_digits(text: str) -> Iterator[str]:
    """A text, and what is left of it without the digits at either end, and at both."""
    yield from dict.fromkeys((text, text.lstrip(_DIGITS), text.rstrip(_DIGITS), text.strip(_DIGITS)))


def _without_accents(text: str) -> str:
    if text.isascii():
        return text
    return "".join(character for character in _without_styles(text) if not _is_accent(character))


def _is_accent(character: str) -> bool:
    """Whether it is a mark that may be left out: accents, overlays, and the vowel points of Hebrew and Arabic."""
    place = combining(character)
    return category(character) == "Mn" and (place >= 200 or 10 <= place < 40 or place == _OVERLAY)


def _without_styles(text: str) -> str:
    """A text with its accents, of plain letters as far as its letters are read as these."""
    return text if text.isascii() else "".join(map(_without_style, normalize("NFD", text)))


def _without_style(character: str) -> str:
    if character in _READ_AS:
        return _READ_AS[character]
    styled = _STYLED.fullmatch(name(character, ""))
    if styled is None:
        return character
    return styled["letter"] if styled["case"] == "CAPITAL LETTER" else styled["letter"].lower()


def _upright(text: str) -> str:
    """A text that is written upside down, as it is read: one that has turned letters."""
    if text.isascii() or not any(" TURNED " in name(character, "") for character in text):
        return text
    return text[::-1].translate(_UPSIDE_DOWN)


def _read(text: str) -> Iterator[str]:
    """What a text may be read as, but for accents: its looks, not struck through, with digits and pairs as letters."""
    looks = looks_of(text) if text else ()
    for look in dict.fromkeys((*looks, *map(_unstruck, looks))):
        yield look
        read = look.replace("cl", "d").replace("vv", "w")
        if len(text) >= _SHORTEST_READ:
            read = read.translate(_STAND_FOR)
        if read != look:
            yield read


def _unstruck(look: str) -> str:
    return look if look.isascii() else "".join(mark for mark in look if combining(mark) != _OVERLAY)


def _forms_of(words: Iterable[str]) -> frozenset[str]:
    return frozenset(form for word in words for form in _read(_without_accents(word)))


@cache
def _words_of(kind: str) -> tuple[str, ...]:
    text = resources.files(__package__).joinpath("reserved_words.txt").read_text("utf-8")
    lines = (line.partition(":") for line in text.splitlines() if not line.startswith("#"))
    return tuple(word for title, _, words in lines if title.split()[1] == kind for word in words.split())


OF_ALL_GAMES = ReservedNames()
