"""JSON, as both doors write it."""

import orjson


def encode(answer: object) -> bytes:
    return orjson.dumps(answer)


def encoded(body: bytes) -> object:
    """A part of an answer that is JSON already."""
    return orjson.Fragment(body)
