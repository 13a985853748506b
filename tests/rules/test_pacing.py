"""The algorithm of limits, compared with a token bucket and with its bound for every window of time."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from gameserver.rules.pacing import Pace, refusal

PAUSES = st.lists(st.one_of(st.just(0), st.integers(0, 50), st.integers(0, 5_000)), max_size=200)
PACES = st.builds(Pace, st.integers(1, 100), st.integers(1, 20))


def admitted(pace: Pace, times: Sequence[int]) -> list[bool]:
    rest, results = 0, []
    for now in times:
        admits = pace.wait(rest, now) <= 0
        rest = pace.spent(rest, now) if admits else rest
        results.append(admits)
    return results


def times_of(pauses: Sequence[int]) -> list[int]:
    now, results = 10_000, []
    for pause in pauses:
        now += pause
        results.append(now)
    return results


@given(PACES, PAUSES)
def test_it_admits_what_a_token_bucket_admits_that_denials_take_nothing_from(pace: Pace, pauses: list[int]) -> None:
    full, expected = pace.interval * pace.burst, []
    tokens, last = full, 0
    for now in times_of(pauses):
        tokens, last = min(full, tokens + now - last), now
        expected.append(tokens >= pace.interval)
        tokens -= pace.interval if expected[-1] else 0
    assert admitted(pace, times_of(pauses)) == expected


@given(PACES, PAUSES)
def test_no_window_holds_more_than_the_burst_and_one_for_every_interval_in_it(pace: Pace, pauses: list[int]) -> None:
    times = times_of(pauses)
    done = [now for now, admits in zip(times, admitted(pace, times), strict=True) if admits]
    for first, start in enumerate(done):
        for last, end in enumerate(done[first:], first):
            assert last - first + 1 <= pace.burst + (end - start) // pace.interval


@given(PACES, PAUSES)
def test_a_caller_that_waits_as_long_as_the_denial_says_is_admitted_and_not_before(
    pace: Pace, pauses: list[int]
) -> None:
    rest = 0
    for now in times_of(pauses):
        wait = pace.wait(rest, now)
        if wait > 0:
            assert pace.wait(rest, now + wait) == 0
            assert pace.wait(rest, now + wait - 1) > 0
        else:
            rest = pace.spent(rest, now)


@given(st.integers(1, 10**13))
def test_the_wait_in_a_denial_is_never_too_short(wait: int) -> None:
    retry_after = refusal("Too often.", wait).retry_after
    assert retry_after is not None
    assert wait <= round(retry_after * 1000) * 1_000_000 < wait + 1_000_000
