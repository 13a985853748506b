"""Command ids: UUIDv7 (RFC 9562) made by the client, strictly rising within one generator."""

import time
from collections.abc import Callable
from random import Random

_VERSION = 7 << 76
_VARIANT = 2 << 62
_LOW = (1 << 62) - 1


class CommandIds:
    """Makes UUIDv7 strings, each greater than the one before, also when the clock stands still or steps back.

    A new millisecond draws 73 of the 74 random bits afresh; within a millisecond they rise by a random step of up to
    2^32 (RFC 9562 §6.2, method 2), so that generators in other processes don't collide. The ids are unique, not
    secret: the random bits come from a pseudo-random generator that the system has seeded.
    """

    def __init__(self, clock: Callable[[], int] = time.time_ns, entropy: Callable[[int], int] | None = None) -> None:
        self._clock = clock
        self._entropy = entropy or Random().getrandbits
        self._millisecond = -1
        self._random = 0

    def next(self) -> str:
        """Return the next id in its canonical form: 36 characters, lower case."""
        now = self._clock() // 1_000_000
        if now > self._millisecond:
            self._millisecond = now
            self._random = self._entropy(73)
        else:
            self._random += 1 + self._entropy(32)
        value = self._millisecond << 80 | _VERSION | (self._random >> 62) << 64 | _VARIANT | self._random & _LOW
        digits = "%032x" % value  # noqa: UP031 (it takes two thirds of an f-string's time)
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
