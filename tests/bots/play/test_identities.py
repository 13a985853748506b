"""Names that the bots draw are names that players may have."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bots.play import identities
from bots.wire.channel import Channel
from gameserver.rules import names


def test_a_tag_is_a_part_of_one_word() -> None:
    assert all(identities.new_tag().isalpha() for _ in range(200))


@given(st.from_regex("[a-z]{6}", fullmatch=True), st.sampled_from(["honest", "bot", "a1"]), st.integers(0, 999_999))
def test_no_tag_makes_a_name_that_is_refused(tag: str, prefix: str, index: int) -> None:
    names.parse(identities.make(prefix, tag, index, Random(1), (Channel.HTTP,)).name)
