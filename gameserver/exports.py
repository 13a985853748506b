"""Rows as text for other programs: CSV that no spreadsheet takes for formulas, and JSON line by line.

Law: a text that begins like a formula gets an apostrophe before it, which spreadsheets don't show; numbers stay. So
does what follows a semicolon: where numbers have a decimal comma, spreadsheets end cells there, quoted or not.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import orjson

T = TypeVar("T")
Format = Literal["csv", "ndjson"]
CONTENT_TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a formula begins with; also in the full width that spreadsheets of East Asia take for the same."""
_INNER = re.compile(f'(?<=;)([ "]*)(?=[{re.escape("".join(FORMULAS))}])')


def encoded(rows: Iterable[Mapping[str, Any]], names: Sequence[str], kind: Format) -> bytes:
    """The rows; their keys are `names`, in this order."""
    if kind == "ndjson":
        return b"".join(orjson.dumps(dict(row), option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([_cell(row[name]) for name in names] for row in rows)
    return out.getvalue().encode()


def written(
    row: Callable[[T], Mapping[str, Any]], names: Sequence[str], kind: Format
) -> Callable[[Sequence[T]], bytes]:
    """What writes a part of many rows."""
    return lambda part: encoded(map(row, part), names, kind)


def joined(lines: Sequence[str]) -> bytes:
    """Lines that a database has written."""
    return "".join(lines).encode()


def heading(names: Sequence[str], kind: Format) -> bytes:
    """What comes before the first row."""
    return b"" if kind == "ndjson" else (",".join(names) + "\r\n").encode()


def _cell(value: object) -> object:
    if isinstance(value, str):
        return _INNER.sub(r"\1'", f"'{value}" if value.lstrip(" ").startswith(FORMULAS) else value)
    if value is None or isinstance(value, int | float):
        return value
    return _INNER.sub(r"\1'", orjson.dumps(value).decode())  # which begins with a bracket: no formula does
