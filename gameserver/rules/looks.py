"""What names look like (UTS 39): the skeletons by which look-alikes are found, and the scripts that a name mixes.

Beyond UTS 39, what only stretches a word (the kashida of Arabic, and N'Ko's) isn't part of its look, and a hyphen after
kana looks like the mark of a long vowel.
The data are Unicode 15.0's, in `unicode/` beside this module. They don't follow the Unicode version of Python: claims
are stored under what is made from them.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib import resources
from unicodedata import decimal, normalize

COMMON = frozenset(("Zyyy", "Zinh"))
"""Scripts that go with any other."""
_WRITING_SYSTEMS = {
    "Hani": ("Hanb", "Jpan", "Kore"),
    "Hira": ("Jpan",),
    "Kana": ("Jpan",),
    "Hang": ("Kore",),
    "Bopo": ("Hanb",),
}
"""The writing systems of several scripts that each script is part of (UTS 39, table 1a)."""
_WITH_LATIN = frozenset(("Jpan", "Hanb", "Kore"))
_STRETCHES = dict.fromkeys((0x0640, 0x07FA))
"""Arabic's kashida and N'Ko's lajanyalan, which make a word longer and say nothing."""
_HYPHEN_AFTER_KANA = re.compile("(?<=[\u3041-\u3096\u30a1-\u30fa\u30fc])-")


def looks_of(text: str) -> tuple[str, ...]:
    """One or two forms of a text; of two texts that look alike, in some upper and lower case, one form is the same.

    A text in Latin letters has one. A Greek or Cyrillic one may look like one Latin text in lower case and like
    another in upper case. I and l look alike in one case and i in another, so the three count as one letter.
    """
    return former_looks_of(text) if text.isascii() else tuple(map(_as_plain_dots, former_looks_of(as_read(text))))


def as_read(text: str) -> str:
    """A text (NFKC) without what only stretches it, and with the mark of a long vowel for a hyphen in its place."""
    return text if text.isascii() else _HYPHEN_AFTER_KANA.sub("\u30fc", text.translate(_STRETCHES))


@lru_cache(maxsize=4096)
def former_looks_of(text: str) -> tuple[str, ...]:
    """The forms that claims of earlier versions are stored under: by UTS 39 alone."""
    lower = _folded(skeleton(text.casefold()))
    upper = _folded(skeleton(_folded(skeleton(text.upper()))))
    return tuple(dict.fromkeys(form.replace("i", "l") for form in (lower, upper)))


def skeleton(text: str) -> str:
    """UTS 39's skeleton: the same for texts that may look the same in some font."""
    return normalize("NFD", normalize("NFD", text).translate(_prototypes()))


def mixes_scripts(text: str) -> bool:
    """Whether a text mixes scripts that no language does: UTS 39, beyond "highly restrictive".

    One script is fine, and so are the scripts of Chinese, Japanese or Korean, together and with Latin.
    """
    if text.isascii():
        return False
    scripts = [systems for character in text if (systems := writing_systems(character)) and not systems & COMMON]
    if not scripts or frozenset.intersection(*scripts):
        return False
    beside_latin = [systems for systems in scripts if "Latn" not in systems]
    return not _WITH_LATIN & frozenset.intersection(*beside_latin)


def mixes_digits(text: str) -> bool:
    """Whether a text has decimal digits of several scripts: some look like other digits."""
    if text.isascii():
        return False
    digits = ((character, decimal(character, None)) for character in text)
    return len({ord(character) - int(value) for character, value in digits if value is not None}) > 1


@lru_cache(maxsize=4096)
def writing_systems(character: str) -> frozenset[str]:
    """The scripts of a character and their writing systems; none if no name may have it, or not in Unicode 15.0."""
    starts, ranges = _scripts()
    place = bisect_right(starts, ord(character)) - 1
    if place < 0 or ord(character) > ranges[place][0]:
        return frozenset()
    return ranges[place][1]


def _as_plain_dots(look: str) -> str:
    return look.replace("\u00b7", ".")


def _folded(text: str) -> str:
    return normalize("NFD", text.casefold())


@cache
def _prototypes() -> dict[int, str]:
    """By character; those of ASCII are all there, since to find that one isn't takes `str.translate` much longer."""
    fields = (line.split() for line in _lines("confusables.txt"))
    found = {int(source, 16): "".join(chr(int(code, 16)) for code in target) for source, *target in fields}
    return {code: chr(code) for code in range(128)} | found


@cache
def _scripts() -> tuple[list[int], list[tuple[int, frozenset[str]]]]:
    """The first characters of ranges, in ascending order, and of each range the last one and its scripts."""
    starts, ranges = [], []
    for span, *scripts in (line.split() for line in _lines("scripts.txt")):
        first, _, last = span.partition("..")
        starts.append(int(first, 16))
        ranges.append((int(last, 16), frozenset(_with_systems(scripts))))
    return starts, ranges


def _with_systems(scripts: Iterable[str]) -> Iterator[str]:
    for script in scripts:
        yield script
        yield from _WRITING_SYSTEMS.get(script, ())


def _lines(file: str) -> Iterator[str]:
    text = resources.files(__package__).joinpath("unicode", file).read_text("ascii")
    return (line for line in text.splitlines() if not line.startswith("#"))
