"""Command ids are UUIDv7 and strictly rising."""

from collections.abc import Callable
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from bots.wire.command_ids import CommandIds


@given(st.lists(st.integers(min_value=0, max_value=(1 << 48) - 1), min_size=1, max_size=50))
def test_ids_are_uuid7_and_rise_whatever_the_clock_does(milliseconds: list[int]) -> None:
    clock = iter(milliseconds)
    ids = CommandIds(clock=lambda: next(clock) * 1_000_000)
    made = [ids.next() for _ in milliseconds]
    assert made == sorted(set(made))
    for text in made:
        value = UUID(text)
        assert (value.version, value.variant, str(value)) == (7, RFC_4122, text)


def test_an_id_contains_the_time_of_the_clock() -> None:
    ids = CommandIds(clock=lambda: 1_700_000_000_123_456_789)
    assert UUID(ids.next()).int >> 80 == 1_700_000_000_123


def test_a_standing_clock_and_full_randomness_leave_room_to_rise() -> None:
    most: Callable[[int], int] = lambda bits: (1 << bits) - 1  # noqa: E731 (it stands in for getrandbits)
    ids = CommandIds(clock=lambda: 0, entropy=most)
    made = [ids.next() for _ in range(1000)]
    assert made == sorted(set(made))
    assert {UUID(text).int >> 80 for text in made} == {0}


def test_two_generators_in_one_millisecond_do_not_collide() -> None:
    generators = [CommandIds(clock=lambda: 0) for _ in range(2)]
    made = [generator.next() for generator in generators for _ in range(1000)]
    assert len(set(made)) == len(made)
