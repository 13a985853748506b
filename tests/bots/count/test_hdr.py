"""The histograms are HdrHistogram's own: its library reads what is written here, and the other way round."""

import base64
import struct
import zlib

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from bots.count import hdr
from bots.count.latencies import LONGEST_MICROSECONDS, Latencies

MICROSECONDS = st.lists(st.integers(1, LONGEST_MICROSECONDS), max_size=60)
DIGITS = st.sampled_from([2, 3])


@given(MICROSECONDS, DIGITS)
def test_the_library_reads_the_same_quantiles(microseconds: list[int], digits: int) -> None:
    latencies = Latencies(digits)
    for value in microseconds:
        latencies.record(value / 1e6)
    library = HdrHistogram.decode(latencies.as_text())
    assert library.get_total_count() == len(microseconds)
    for percentile in (1, 50, 99, 99.9, 100):
        assert latencies.at(percentile) * 1e6 == pytest.approx(
            library.get_value_at_percentile(percentile) if microseconds else 0
        )


@given(MICROSECONDS, DIGITS)
def test_what_the_library_wrote_is_read(microseconds: list[int], digits: int) -> None:
    library = HdrHistogram(1, LONGEST_MICROSECONDS, digits)
    for value in microseconds:
        library.record_value(value)
    latencies = Latencies.from_text(library.encode().decode())
    assert (latencies.count, latencies.digits) == (len(microseconds), digits)
    assert latencies.at(50) * 1e6 == pytest.approx(library.get_value_at_percentile(50) if microseconds else 0)


def wrapped(payload: bytes) -> str:
    zipped = zlib.compress(payload)
    return base64.b64encode(struct.pack(">II", hdr.ZIPPED_COOKIE, len(zipped)) + zipped).decode()


HEAD = struct.pack(">IIIIQQd", hdr.COOKIE, 0, 0, 2, 1, 100, 1.0)


@pytest.mark.parametrize(
    "text",
    [
        "", "?", "AAAA", base64.b64encode(b"x" * 40).decode(), wrapped(b""), wrapped(HEAD + b"\x02"),
        wrapped(HEAD.replace(struct.pack(">I", 2), struct.pack(">I", 5), 1)),
        Latencies(2).as_text()[:-8],
    ],
    ids=["empty", "no base64", "short", "no zip", "no head", "another length", "another precision", "cut off"],
)  # fmt: skip
def test_a_garbled_histogram_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="histogram"):
        Latencies.from_text(text)


def test_a_histogram_that_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="histogram"):
        Latencies.from_text(wrapped(struct.pack(">IIIIQQd", hdr.COOKIE, 1 << 24, 0, 2, 1, 100, 1.0) + bytes(1 << 24)))
