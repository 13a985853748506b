"""Texts that a regular expression may take long over, made from the expression itself.

Of every part that repeats: what leads there, then that part again and again, in each way that it can be written, then
something that doesn't fit. So an expression that can be matched in many ways, or from many places, has to try them all.
"""

import re
from collections.abc import Iterator, Sequence
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

LENGTH = 1 << 16
MANY = 64
"""A part that repeats no more often than this isn't worth a text."""
_LETTERS = " \t\n\"'aAnkz0.,;:=-_/\\({[~\x00\u0e01"
_TAILS = ("", "\x00", "\n", " ~")
_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)
_CATEGORIES = {
    codes.CATEGORY_DIGIT: r"\d",
    codes.CATEGORY_NOT_DIGIT: r"\D",
    codes.CATEGORY_SPACE: r"\s",
    codes.CATEGORY_NOT_SPACE: r"\S",
    codes.CATEGORY_WORD: r"\w",
    codes.CATEGORY_NOT_WORD: r"\W",
}
Items = Sequence[tuple[Any, Any]]


def hostile_texts(pattern: str | bytes, flags: int) -> list[str]:
    """Texts of LENGTH characters or so."""
    items = list(parser.parse(pattern, flags))
    whole = _written(items)
    repeated = {("", part) for part in (whole, whole[: len(whole) // 2], *_alphabet(items)) if part}
    repeated |= {(lead, part) for lead, part in _repeats("", items) if part}
    repeated |= {("", lead + part) for lead, part in repeated}
    return sorted({lead + part * (LENGTH // len(part)) + tail for lead, part in repeated for tail in _TAILS})


def _alphabet(items: Items) -> set[str]:
    return {letter for code, value in _flat(items) for letter in _letters(code, value)}


def _flat(items: Items) -> Iterator[tuple[Any, Any]]:
    for code, value in items:
        yield code, value
        for inner in _inner(code, value):
            yield from _flat(inner)


def _inner(code: Any, value: Any) -> list[Items]:
    """The parts that an item is made of: alternatives of a branch, otherwise one or none."""
    if code in _REPEATS:
        return [list(value[2])]
    if code is codes.BRANCH:
        return [list(branch) for branch in value[1]]
    if code is codes.SUBPATTERN:
        return [list(value[3])]
    return [list(value)] if code is codes.ATOMIC_GROUP else []


def _repeats(lead: str, items: Items) -> Iterator[tuple[str, str]]:
    """What leads to each part that repeats, and a way of writing it."""
    for place, (code, value) in enumerate(items):
        before = lead + _written(items[:place])
        for inner in _inner(code, value):
            yield from _repeats(before, inner)
        if code in _REPEATS and value[1] >= MANY:
            (inner,) = _inner(code, value)
            yield from ((before, part) for part in _ways(inner))


def _ways(items: Items) -> set[str]:
    """How a part can be written: with all that may be left out, with nothing of it, and with each alone."""
    choices = [place for place, (code, _) in enumerate(items) if code in _REPEATS]
    ways = {_written(items), _written(items, ())} | {_written(items, (place,)) for place in choices}
    if len(items) == 1:
        ways |= _alphabet(items)
    return ways


def _written(items: Items, chosen: Sequence[int] | None = None) -> str:
    """A text that fits; of what may be left out, at the top, it has the chosen ones, or all."""
    return "".join(
        _text(code, value, is_wanted=chosen is None or place in chosen) for place, (code, value) in enumerate(items)
    )


def _text(code: Any, value: Any, *, is_wanted: bool = True) -> str:
    if inner := _inner(code, value):
        times = max(value[0], 1 if is_wanted else 0) if code in _REPEATS else 1
        return next((text for each in inner if (text := _written(each))), "") * times
    return next(iter(_letters(code, value)), "")


def _letters(code: Any, value: Any) -> list[str]:
    if code is codes.LITERAL:
        return [chr(value)]
    if code is codes.NOT_LITERAL:
        return [letter for letter in _LETTERS if ord(letter) != value]
    if code is codes.ANY:
        return ["a", " ", "~"]
    if code is not codes.IN:
        return []
    negated = value[0][0] is codes.NEGATE
    own = [chr(each if of is codes.LITERAL else each[0]) for of, each in value if of in (codes.LITERAL, codes.RANGE)]
    found = [letter for letter in _LETTERS if any(_is_in(letter, *each) for each in value) is not negated]
    return found if negated else [*found, *own[:8]]


def _is_in(letter: str, of: Any, value: Any) -> bool:
    if of is codes.LITERAL:
        return bool(ord(letter) == value)
    if of is codes.RANGE:
        return bool(value[0] <= ord(letter) <= value[1])
    return of is codes.CATEGORY and re.match(_CATEGORIES[value], letter) is not None
