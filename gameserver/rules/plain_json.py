"""What is JSON as it is: what a rule makes and clients, letters and the ledger get back as it was made.

Law: a text without lone surrogates and NUL, true, false, null, an integer within 2^53 - 1, a finite float, a list, or a
dict with such texts as names, at most MAX_DEPTH deep. A tuple is written as a list. Types are exact: an encoder would
make texts of moments, UUIDs and enumerations, and null of what isn't finite.
"""

from math import isfinite
from typing import Any

import orjson

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 8
LARGEST_JSON = 65_536
"""Characters that a rule's outcome, with its events, or a letter's arguments may take: they are stored and sent."""
EXACT = (
    orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
"""The encoder's own part of the law."""
NUL = rb"\u0000"
"""As the encoder writes it: Postgres keeps it in `json`, and fails on it whenever it reads the value."""
FLAT = frozenset((str, int, bool, type(None)))
"""The types of values with nothing inside, of which the encoder refuses what breaks the law, but for NUL."""


def json_fault(value: object, path: str, depth: int = MAX_DEPTH) -> str | None:
    """Which part of a value isn't JSON as it is, and why; that the whole is too large, too."""
    try:
        text = orjson.dumps(value, option=EXACT)
    except TypeError as error:
        return _fault(value, path, depth) or f"{path}: {error}"
    if len(text) > LARGEST_JSON and (size := len(text.decode())) > LARGEST_JSON:
        return f"{path} takes {size} characters of JSON, of at most {LARGEST_JSON}"
    return _fault(value, path, depth)


def _fault(value: Any, path: str, depth: int) -> str | None:
    kind = type(value)
    if kind is str:
        return _text_fault(value, path)
    if kind in (dict, list, tuple):
        return _inner_fault(value, path, depth - 1) if depth else f"{path} is nested more than {MAX_DEPTH} deep"
    return _number_fault(value, path, kind)


def _number_fault(value: Any, path: str, kind: type) -> str | None:
    if kind is int:
        return None if -MAX_INTEGER <= value <= MAX_INTEGER else f"{path} is an integer beyond 2^53 - 1"
    if kind is float:
        return None if isfinite(value) else f"{path} is {value}, which isn't finite"
    return None if kind in FLAT else f"{path} is of the type {kind.__name__}"


def _inner_fault(value: Any, path: str, depth: int) -> str | None:
    if type(value) is not dict:
        numbered = enumerate(value)
        return next((fault for n, item in numbered if (fault := _fault(item, f"{path}.{n}", depth))), None)
    for name, item in value.items():
        if type(name) is not str:
            return f"{path} has the name {name!r:.80}, which isn't a text"
        if (fault := _text_fault(name, f"a name in {path}") or _fault(item, f"{path}.{name}", depth)) is not None:
            return fault
    return None


def _text_fault(text: str, path: str) -> str | None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"{path} has a lone surrogate"
    return f"{path} has the character NUL" if "\0" in text else None
