"""HdrHistogram's published encoding, version 2: counts by bucket as zigzag LEB128 numbers, zlib, base64. Pure.

A negative number stands for a run of empty buckets. Source: HdrHistogram's V2 encoding, as its C and Java versions
write it; tests/bots/count/test_hdr.py holds it against the Python version.
"""

import base64
import binascii
import struct
import zlib
from collections.abc import Mapping

BITS = {2: 8, 3: 11}
"""By significant digits: the bits of the numbers that have a bucket of their own."""
COOKIE, ZIPPED_COOKIE = 0x1C849313, 0x1C849314
HEAD = struct.Struct(">IIIIQQd")
ZIPPED_HEAD = struct.Struct(">II")
LONGEST_BYTES = 1 << 20
"""No histogram of this house comes near it; a garbled one may claim anything."""


def encode(counts: Mapping[int, int], digits: int, highest: int) -> bytes:
    """Encode the counts by index of a histogram from 1 to `highest`."""
    numbers, expected = bytearray(), 0
    for index in sorted(counts):
        if index > expected:
            _append(numbers, expected - index)
        _append(numbers, counts[index])
        expected = index + 1
    payload = HEAD.pack(COOKIE, len(numbers), 0, digits, 1, highest, 1.0) + numbers
    zipped = zlib.compress(payload)
    return ZIPPED_HEAD.pack(ZIPPED_COOKIE, len(zipped)) + zipped


def decode(packed: bytes) -> tuple[int, dict[int, int]]:
    """Return the digits and the counts by index; raises ValueError."""
    try:
        cookie, length = ZIPPED_HEAD.unpack_from(packed)
        payload = zlib.decompressobj().decompress(packed[ZIPPED_HEAD.size :], LONGEST_BYTES)
        inner, size, _, digits, *_ = HEAD.unpack_from(payload)
    except (struct.error, zlib.error) as error:
        raise ValueError(f"this isn't a histogram: {error}") from error
    numbers = payload[HEAD.size :]
    if (cookie, inner) != (ZIPPED_COOKIE, COOKIE) or (length, size) != (len(packed) - ZIPPED_HEAD.size, len(numbers)):
        raise ValueError("this isn't a histogram of HdrHistogram's version 2, or not all of one")
    if digits not in BITS:
        raise ValueError(f"a histogram of {digits} significant digits can't be read")
    return digits, _counts(numbers)


def as_text(packed: bytes) -> str:
    """Return the encoding as text."""
    return base64.b64encode(packed).decode()


def from_text(text: str) -> bytes:
    """Return the encoding in a text; raises ValueError."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"this isn't a histogram: {error}") from error


def _append(numbers: bytearray, value: int) -> None:
    """Append one number; counts stay far below 2^56, up to which LEB128 needs no special last byte."""
    rest = value << 1 if value >= 0 else (-value << 1) - 1
    while rest >= 0x80:
        numbers.append(rest & 0x7F | 0x80)
        rest >>= 7
    numbers.append(rest)


def _counts(numbers: bytes) -> dict[int, int]:
    counts, index, value, shift = dict[int, int](), 0, 0, 0
    for byte in numbers:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte & 0x80:
            continue
        if value & 1:
            index += (value + 1) >> 1
        else:
            if value:
                counts[index] = value >> 1
            index += 1
        value = shift = 0
    return counts
