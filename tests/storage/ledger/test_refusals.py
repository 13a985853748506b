"""The seed in a refusal's row: its sign says that it is one, the rest with which dice."""

import pytest

from gameserver.storage.ledger.refusals import REFUSED_SEED, dice_seed, refused_seed


@pytest.mark.parametrize("seed", [1, 7, 2**62, 2**63 - 1])
def test_a_refusal_is_negative_and_says_its_dice_within_64_bits(seed: int) -> None:
    recorded = refused_seed(seed)
    assert -(2**63) <= recorded < REFUSED_SEED < 0
    assert dice_seed(recorded) == dice_seed(seed) == seed


def test_what_earlier_versions_recorded_says_no_dice() -> None:
    assert dice_seed(REFUSED_SEED) is None
    assert dice_seed(0) == 0
