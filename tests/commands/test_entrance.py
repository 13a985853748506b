"""The entrance has places for each database, so that one that is silent takes no other's."""

import pytest

from gameserver.commands.entrance import Entrance
from gameserver.rules.errors import Overloaded


def test_a_place_too_many_is_refused_until_one_is_left() -> None:
    entrance = Entrance(2)
    with entrance.place("one"):
        with entrance.place("one"):
            with pytest.raises(Overloaded) as refused, entrance.place("one"):
                pass
            assert refused.value.retry_after == 1
        with entrance.place("one"):
            pass


def test_a_silent_database_fills_its_own_places_only() -> None:
    entrance = Entrance(2)
    with entrance.place("silent"), entrance.place("silent"):
        with entrance.place("two"), entrance.place("two"), pytest.raises(Overloaded), entrance.place("three"):
            pass
        with entrance.place("three"):
            pass
