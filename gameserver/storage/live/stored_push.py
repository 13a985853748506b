"""A push as Redis stores it: a number, a space, and its kind and data as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

import orjson

from gameserver.storage.redis.unreadable import Unreadable, reading

LONGEST_NUMBER = 16
"""Digits: beyond it Redis' Lua doesn't count exactly."""


@dataclass(frozen=True, slots=True)
class StoredPush:
    """A stored push; `data` is decoded JSON, and `mark` tells it from another one of the same number."""

    seq: int
    kind: str
    data: Any
    mark: str = ""


def text_of(kind: str, data: object) -> bytes:
    return orjson.dumps([kind, data])


def author_of(data: object) -> bytes:
    """What all stored letters of one sender have in their text, and no others; empty for other pushes."""
    sender = data.get("sender") if isinstance(data, Mapping) else None
    return orjson.dumps({"sender": sender})[1:-1] if sender not in (None, "0") else b""


def without_text(row: bytes, sender: int) -> bytes:
    """A stored push, without what a letter of this sender says."""
    author = orjson.dumps({"sender": str(sender)})[1:-1]
    if author not in row:
        return row
    number, text = row.split(b" ", 1)
    kind, data = orjson.loads(text)
    if kind != "mail" or data.get("sender") != str(sender):
        return row
    return number + b" " + text_of(kind, {**data, "args": {"sender": str(sender)}, "events": []})


def push_or_none(key: str, row: bytes) -> StoredPush | None:
    """A stored push; None for what can't be one."""
    try:
        with reading(key):
            return _push(row)
    except Unreadable:
        return None


def _push(row: bytes) -> StoredPush:
    number, text = row.split(b" ", 1)
    kind, data = orjson.loads(text)
    if not (number.isdigit() and len(number) <= LONGEST_NUMBER and isinstance(kind, str)):
        raise ValueError("not a push")
    return StoredPush(int(number), kind, data, sha1(row, usedforsecurity=False).hexdigest())
