"""What the bits of player ids and command ids say."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from gameserver.storage import ids

milliseconds = st.integers(ids.EPOCH_MS, ids.EPOCH_MS + (1 << ids.TIME_BITS) - 1)
slots = st.integers(1, 4096)


@given(milliseconds, st.integers(0, 9), slots)
def test_a_players_id_follows_from_his_command_and_fits_63_bits_with_its_slot_and_time(
    now: int, attempt: int, size: int
) -> None:
    command_id = ids.new_command_id(now)
    player_id = ids.player_id_of(command_id, attempt, size)
    assert player_id == ids.player_id_of(command_id, attempt, size)
    assert 0 <= player_id <= ids.LARGEST_ID
    assert ids.slot_of(player_id) < size
    assert (player_id >> (ids.SLOT_BITS + ids.SEQUENCE_BITS)) + ids.EPOCH_MS == now


@given(st.integers(0, (1 << 48) - 1))
def test_a_command_id_is_a_uuidv7_of_its_milliseconds_whatever_the_clock_says(now: int) -> None:
    command_id = ids.new_command_id(now)
    assert ids.is_command_id(command_id)
    assert (UUID(command_id).version, UUID(command_id).variant) == (7, "specified in RFC 4122")
    assert ids.command_milliseconds(command_id) == now
    assert 0 <= ids.player_id_of(command_id, 0, 4096) <= ids.LARGEST_ID


@given(st.integers(0, (1 << 48) - 2))
def test_the_command_ids_of_a_millisecond_lie_between_its_first_and_that_of_the_next(now: int) -> None:
    assert ids.first_command_id(now) <= ids.new_command_id(now) < ids.first_command_id(now + 1)


@given(st.integers(-(1 << 63), 1 << 63))
def test_a_moment_that_no_id_can_have_is_the_nearest_one(now: int) -> None:
    first = ids.first_command_id(now)
    assert (len(first), UUID(first).int >> 80) == (36, min(max(now, 0), (1 << 48) - 1))


@given(st.text(max_size=40) | st.uuids().map(str) | st.uuids(version=4).map(str))
def test_nothing_but_a_lower_case_uuidv7_is_a_command_id(text: str) -> None:
    assert ids.is_command_id(text) == (
        len(text) == 36
        and text == text.lower()
        and _parsed(text)
        and UUID(text).version == 7
        and str(UUID(text)) == text
    )
    assert not ids.is_command_id(ids.new_command_id(1 << 40).upper().replace("0", "A"))
    assert not ids.is_command_id(ids.new_command_id(1) + "\n")


def _parsed(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False


def test_attempts_and_commands_spread_evenly_over_the_slots() -> None:
    size, tries = 64, 6400
    counts = [0] * size
    for number in range(tries):
        counts[ids.slot_of(ids.player_id_of(ids.new_command_id(1 << 40), number % 4, size))] += 1
    assert min(counts) > 50
    assert max(counts) < 160


@given(st.text(max_size=30), slots)
def test_a_claims_slot_depends_on_its_kind_and_key_alone(key: str, size: int) -> None:
    assert ids.slot_of_key("name", key, size) == ids.slot_of_key("name", key, size) < size
    assert ids.slot_of_key("name", "ann", 4096) != ids.slot_of_key("device", "ann", 4096)
