"""What callers send as `traceparent`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameserver.tracing.contexts import SpanContext, parse

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CONTEXT = SpanContext(int(TRACE, 16), int(SPAN, 16))


@pytest.mark.parametrize(
    ("text", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-02", False),
        (f"00-{TRACE}-{SPAN}-ff", True),
        (f"cc-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", True),
    ],
)
def test_a_callers_context_is_read(text: str, sampled: bool) -> None:
    assert parse(text) == (CONTEXT, sampled)


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01 ",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01-{'x' * 100}",
        f"00-{'٣' * 32}-{SPAN}-01",
        7,
        None,
        [f"00-{TRACE}-{SPAN}-01"],
    ],
)
def test_what_cannot_be_understood_is_ignored(garbage: object) -> None:
    assert parse(garbage) is None


@given(st.one_of(st.text(), st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{30,33}-[0-9a-f]{15,17}-[0-9a-f]{2}.?")))
def test_no_text_raises(text: str) -> None:
    caller = parse(text)
    assert caller is None or all(caller.context)


@given(st.integers(1, (1 << 128) - 1), st.integers(1, (1 << 64) - 1))
def test_a_context_survives_its_bytes(trace_id: int, span_id: int) -> None:
    context = SpanContext(trace_id, span_id)
    assert len(context.dump()) == 24
    assert SpanContext.load(context.dump()) == context
