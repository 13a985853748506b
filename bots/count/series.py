"""Connections over time: attempts and successes in every tenth of a second."""

from collections import Counter
from typing import NamedTuple

TENTHS = 10


class Tenth(NamedTuple):
    """One tenth of a second, `at` seconds after the start."""

    at: float
    attempts: int
    successes: int


class Series:
    """Counts by the tenth in which an attempt began or succeeded; times are seconds since the start."""

    def __init__(self) -> None:
        self._attempts: Counter[int] = Counter()
        self._successes: Counter[int] = Counter()

    def attempted(self, at: float) -> None:
        """Count an attempt that begins."""
        self._attempts[int(at * TENTHS)] += 1

    def succeeded(self, at: float) -> None:
        """Count an attempt that has succeeded."""
        self._successes[int(at * TENTHS)] += 1

    def all(self) -> list[Tenth]:
        """Return every tenth in which anything happened."""
        return [self._tenth(number) for number in sorted(self._attempts.keys() | self._successes.keys())]

    def worst_second(self) -> int:
        """Return the number of the tenth that begins the second with the most attempts; 0 without any."""
        return max(sorted(self._attempts), key=self._attempts_in_second, default=0)

    def around_worst(self, margin: int = TENTHS // 2) -> list[Tenth]:
        """Return the worst second, tenth by tenth, and `margin` tenths on either side."""
        worst = self.worst_second()
        return [self._tenth(number) for number in range(max(0, worst - margin), worst + TENTHS + margin)]

    def attempts(self) -> int:
        """How many attempts there were."""
        return self._attempts.total()

    def _attempts_in_second(self, first: int) -> int:
        return sum(self._attempts[number] for number in range(first, first + TENTHS))

    def _tenth(self, number: int) -> Tenth:
        return Tenth(number / TENTHS, self._attempts[number], self._successes[number])
