"""Latencies in a histogram, from which every quantile of the bots' reports is read.

Buckets are those of HdrHistogram (hdrhistogram.org): each is narrower than its latency by two or three digits, so that
histograms of the same digits add up without loss. Only buckets that hold something take memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from bots.count import hdr

LONGEST_MICROSECONDS = 600_000_000


@dataclass(frozen=True, slots=True)
class LatencyBucket:
    """So many latencies, in seconds, lie from `shortest` to `longest`, both included."""

    shortest: float
    longest: float
    count: int


class Latencies:
    """A histogram from 1 µs to 10 min; a latency outside that range counts as its nearest end.

    Exact to `digits`, 2 or 3. Times go in and come out in seconds. Of an empty histogram every figure is 0.
    """

    def __init__(self, digits: int = 3) -> None:
        self.digits = digits
        self._bits = hdr.BITS[digits]
        self._counts: dict[int, int] = {}
        self._total = 0
        self._packed = b""

    @property
    def count(self) -> int:
        """How many latencies were recorded."""
        return self._total

    def record(self, seconds: float) -> None:
        """Count one latency."""
        value = int(seconds * 1e6 + 0.5)
        value = 1 if value < 1 else min(value, LONGEST_MICROSECONDS)
        shift = value.bit_length() - self._bits
        index = value if shift <= 0 else (shift << self._bits - 1) + (value >> shift)
        counts = self._counts if not self._packed else self._unpack()
        counts[index] = counts.get(index, 0) + 1
        self._total += 1

    def add(self, other: "Latencies") -> None:
        """Count all of another histogram's latencies too; raises ValueError if its digits are others."""
        if self.digits != other.digits:
            raise ValueError(f"a histogram of {other.digits} digits can't be added to one of {self.digits}")
        counts = self._unpack()
        for index, count in other._read().items():
            counts[index] = counts.get(index, 0) + count
        self._total += other._total

    def at(self, percentile: float) -> float:
        """Return the latency whose rank is `percentile` in a hundred of all, rounded to a whole rank."""
        rank = max(1, int(percentile / 100 * self._total + 0.5))
        for bucket in self.buckets():
            rank -= bucket.count
            if rank <= 0:
                return bucket.longest
        return 0.0

    def mean(self) -> float:
        """Return the mean, taking each latency as the middle of its bucket."""
        total = sum((bucket.shortest + bucket.longest) / 2 * bucket.count for bucket in self.buckets())
        return total / self._total if self._total else 0.0

    def shortest(self) -> float:
        """Return the shortest latency."""
        return self._bounds(min(self._read()))[0] if self._total else 0.0

    def longest(self) -> float:
        """Return the longest latency."""
        return self._bounds(max(self._read()))[1] if self._total else 0.0

    def buckets(self) -> Iterator[LatencyBucket]:
        """Yield the buckets that hold something, the shortest latencies first."""
        for index, count in sorted(self._read().items()):
            yield LatencyBucket(*self._bounds(index), count)

    def clear(self) -> None:
        """Forget everything."""
        self._counts, self._total, self._packed = {}, 0, b""

    def pack(self) -> None:
        """Keep the counts in a tenth of the memory; the next change unpacks them."""
        if not self._packed:
            self._packed, self._counts = hdr.encode(self._counts, self.digits, LONGEST_MICROSECONDS), {}

    def as_text(self) -> str:
        """Return the histogram in HdrHistogram's own encoding, which its libraries in other languages read, too."""
        return hdr.as_text(self._packed or hdr.encode(self._counts, self.digits, LONGEST_MICROSECONDS))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `as_text` returned; raises ValueError."""
        packed = hdr.from_text(text)
        digits, counts = hdr.decode(packed)
        latencies = cls(digits)
        latencies._packed, latencies._total = packed, sum(counts.values())
        return latencies

    def _bounds(self, index: int) -> tuple[float, float]:
        half = self._bits - 1
        shift = max(0, (index >> half) - 1)
        part = index - (shift << half)
        return (part << shift) / 1e6, (((part + 1) << shift) - 1) / 1e6

    def _read(self) -> dict[int, int]:
        return hdr.decode(self._packed)[1] if self._packed else self._counts

    def _unpack(self) -> dict[int, int]:
        if self._packed:
            self._counts, self._packed = hdr.decode(self._packed)[1], b""
        return self._counts
