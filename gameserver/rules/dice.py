"""Dice: a random generator that gives the same values for a seed on every machine and in every version of Python.

The generator is splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014). A client
that knew the seed could predict it; the server draws the seed and keeps it from clients. Old ledgers can't be
replayed if this file gives other values: tests pin them.
"""

_MASK = 0xFFFF_FFFF_FFFF_FFFF
_GOLDEN = 0x9E37_79B9_7F4A_7C15
_TWO_TO_64 = 1 << 64


class Dice:
    """The dice of one action, from its seed (any integer, of which the low 64 bits are used)."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def roll(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included, each equally likely; spans are below 2^64.

        Multiplies instead of dividing, and draws again where that would be biased (Lemire 2019). Raises ValueError
        if the range is empty or too wide.
        """
        span = high - low + 1
        if not 0 < span < _TWO_TO_64:
            raise ValueError(f"dice can't roll from {low} to {high}")
        product = self._draw() * span
        if product & _MASK < span:
            while product & _MASK < _TWO_TO_64 % span:
                product = self._draw() * span
        return low + (product >> 64)

    def chance(self, percent: float) -> bool:
        """True in `percent` of 100 cases: never at 0 or less, always at 100 or more."""
        return self._draw() * 100 < percent * _TWO_TO_64

    def _draw(self) -> int:
        state = self._state = (self._state + _GOLDEN) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58_476D_1CE4_E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D0_49BB_1331_11EB) & _MASK
        return state ^ (state >> 31)


class UnknownDice(Dice):
    """Dice of which the seed isn't known: `rolled` says whether a rule has asked for what nobody can say."""

    __slots__ = ("rolled",)

    def __init__(self) -> None:
        super().__init__(0)
        self.rolled = False

    def _draw(self) -> int:
        self.rolled = True
        return super()._draw()
