"""Device ids: which texts are good enough to be a player's only credential.

Law: a new device id has at least 128 bits by the alphabet that it uses, repeats nothing, counts nothing up, and is no
constant that many devices share, nor the hash of one. What can be guessed, or is the same on two phones, would sign in
somebody else's player. It is asked when a device is given to a player, never when it signs in.
"""

import base64
import hashlib
import math
import re
from collections import Counter
from functools import cache
from operator import sub

from gameserver.rules.errors import BadInput, FieldProblem

LEAST_BITS = 128
LEAST_DISTINCT = 6
SEPARATORS = re.compile(r"[-{}:.\s]")
BLANK = re.compile(r"\s")
"""Inside an id it tells that somebody wrote it: a sentence has as many characters as a secret, and others have it."""
HEXADECIMAL = r"[0-9a-f]+|[0-9A-F]+"
ALPHABETS = ((HEXADECIMAL, 16), (r"[0-9a-z]+|[0-9A-Z]+", 36), (r"[0-9A-Za-z]+", 62))
MOST_CHARACTERS = 64
"""How many different characters a text counts as drawn from, at the most."""
CONSTANTS = (
    "",
    "0",
    "null",
    "none",
    "nil",
    "undefined",
    "unknown",
    "test",
    "n/a",
    "unsupportedidentifier",
    "systeminfo.unsupportedidentifier",
    "9774d56d682e549c",
    "00000000-0000-0000-0000-000000000000",
    "02:00:00:00:00:00",
    "02000000-0000-0000-0000-000000000000",
    "00000000-0000-1000-8000-00805f9b34fb",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "03000200-0400-0500-0006-000700080009",
    "12345678-1234-1234-1234-123456789012",
    "12345678-1234-1234-1234-123456789abc",
    "12345678-1234-5678-1234-567812345678",
    "12345678-1234-5678-90ab-cddeefaabbcc",
    "123e4567-e89b-12d3-a456-426614174000",
    "123e4567-e89b-12d3-a456-426655440000",
    "550e8400-e29b-41d4-a716-446655440000",
    "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
    "6ba7b812-9dad-11d1-80b4-00c04fd430c8",
    "6ba7b814-9dad-11d1-80b4-00c04fd430c8",
    "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "f47ac10b-58cc-4372-a567-0e02b2c3d479",
    "e621e1f8-c36c-495a-93fc-0c247a3e6e5f",
    "c9bf9e57-1685-4c89-bafb-ff5af830be8a",
    "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
    "6fa459ea-ee8a-3ca4-894e-db77e160355e",
    "886313e1-3b8a-5372-9b90-0c9aee199e5d",
    "c232ab00-9414-11ec-b3c8-9f6bdeced846",
    "5df41881-3aed-3515-88a7-2f4a814cf09e",
    "919108f7-52d1-4320-9bac-f847db4148a8",
    "2ed6657d-e927-568b-95e1-2665a8aea6a2",
    "1ec9414c-232a-6b00-b3c8-9f6bdeced846",
    "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
    "password",
)
"""What engines, phones and boards say instead of an id, the examples of standards, manuals and tools, and the commonest
secret."""
WORDS = re.compile(r"[A-Za-z]+(\.[A-Za-z]+)+")
"""A name of something in a program, such as the variable that should have been sent."""
KEYBOARD = ("qwertyuiop", "asdfghjkl", "qwertzuiop", "azertyuiop")
STRIDES = (1, 2)
"""How far apart characters stand that may count together: `0011223344…` counts by pairs."""


def require_strong(device: str, field: str = "device") -> None:
    """Refuses a device id that may be guessed or shared. Raises BadInput."""
    if BLANK.search(device.strip()):
        raise _bad(field, "has a blank: it must be drawn at random, such as 32 hexadecimal digits or a UUID")
    text, written = SEPARATORS.sub("", device), SEPARATORS.sub("", _decoded(device))
    if any(_is_constant(each) or _is_regular(each) or _is_typed(each) for each in (text, written)) or _is_name(device):
        raise _bad(
            field, "is one that others may have, too: make a random one and keep it, such as a UUID of version 4"
        )
    if _bits(text if re.fullmatch(HEXADECIMAL, text) else device.strip()) < LEAST_BITS:
        raise _bad(
            field, f"must be random and have at least {LEAST_BITS} bits, such as 32 hexadecimal digits or a UUID"
        )


def _bits(text: str) -> float:
    """The bits that a text has if each character is drawn from the smallest alphabet that fits all of them."""
    for pattern, size in ALPHABETS:
        if re.fullmatch(pattern, text):
            return len(text) * math.log2(size)
    return len(text) * math.log2(MOST_CHARACTERS)


def _is_regular(text: str) -> bool:
    """Whether a text repeats or counts: no random one of 128 bits does, by a chance of one in billions."""
    if len(set(text)) < LEAST_DISTINCT or text in (text + text)[1:-1]:
        return True
    return any(all(_counts(text[first::stride]) for first in range(stride)) for stride in STRIDES)


def _counts(text: str) -> bool:
    """Whether most characters stand as far from the one before as the others do."""
    codes = [*map(ord, text)]
    steps = Counter(map(sub, codes[1:], codes))
    return max(steps.values()) * 2 > len(text)


def _is_name(device: str) -> bool:
    return WORDS.fullmatch(device.strip()) is not None


def _is_typed(text: str) -> bool:
    """Whether somebody has run a finger over the keyboard."""
    return any(row in text.casefold() for row in KEYBOARD)


def _decoded(device: str) -> str:
    """What a text is Base64 of, if that is a text itself, as nothing random is."""
    try:
        found = base64.b64decode(device.strip(), validate=True)
    except ValueError:
        return device
    return found.decode("ascii") if found.isascii() and found.decode("ascii").isprintable() else device


def _is_constant(text: str) -> bool:
    return text.casefold() in _constants()


@cache
def _constants() -> frozenset[str]:
    """The constants without their separators, and the hashes of each as it is written, in small and capital letters."""
    known = set()
    for constant in CONSTANTS:
        known.add(SEPARATORS.sub("", constant))
        for form in {constant, constant.upper(), constant.replace("-", ""), constant.replace("-", "").upper()}:
            known |= {_hash(name, form) for name in ("md5", "sha1", "sha256")}
    return frozenset(known)


def _hash(name: str, text: str) -> str:
    return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()


def _bad(field: str, problem: str) -> BadInput:
    return BadInput(errors=[FieldProblem(field, problem)])
