"""JSON, as both doors write it."""

import json

import orjson


def encode(answer: object) -> bytes:
    return orjson.dumps(answer)


def encode_whatever(answer: object) -> bytes:
    """The same of what may have texts that UTF-8 can't hold, as of bytes that weren't UTF-8: they get a ? each."""
    try:
        return encode(answer)
    except TypeError:
        return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")


def encoded(body: bytes) -> object:
    """A part of an answer that is JSON already."""
    return orjson.Fragment(body)
