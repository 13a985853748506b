"""What a bot works out about its items from the answers, and how it compares that with the server's list."""

import pytest

from bots.play.belongings import Belongings
from bots.wire.errors import BadAnswerError


def _granted(**counts: int) -> Belongings:
    belongings = Belongings()
    belongings.add([{"type": "hunted"}, {"type": "items_granted", "items": counts}])
    return belongings


def _stack(item: str, count: int, lost: int = 0) -> dict[str, object]:
    return {"item": item, "title": item, "count": count, "max_stack": 99, "lost": lost}


def test_what_was_granted_and_not_taken_is_owned() -> None:
    belongings = _granted(potion=2, herb=1)
    belongings.add([{"type": "items_taken", "items": {"herb": 1}}, {"type": "items_granted", "items": {"potion": 1}}])
    assert belongings.owned() == ["potion"]
    assert belongings.faults({"items": [_stack("potion", 3)]}) == []
    assert belongings.faults({"items": [_stack("potion", 1, lost=2), _stack("herb", 0)]}) == []


@pytest.mark.parametrize(
    "stacks",
    [[], [_stack("potion", 1)], [_stack("potion", 3)], [_stack("potion", 2), _stack("herb", 1)]],
    ids=["lost", "too few", "too many", "of nowhere"],
)
def test_a_stack_that_differs_by_one_is_a_fault(stacks: list[dict[str, object]]) -> None:
    assert len(_granted(potion=2).faults({"items": stacks})) == 1


@pytest.mark.parametrize(
    "body",
    [{}, {"items": {}}, {"items": [_stack("potion", 100)]}, {"items": [_stack("potion", -1)]},
     {"items": [_stack("potion", 1), _stack("potion", 1)]}, {"items": [{"item": "potion", "count": "2"}]}],
)  # fmt: skip
def test_an_answer_outside_the_wire_is_no_inventory(body: object) -> None:
    with pytest.raises(BadAnswerError):
        _granted(potion=2).faults(body)


def test_an_event_without_counts_is_outside_the_wire() -> None:
    with pytest.raises(BadAnswerError):
        Belongings().add([{"type": "items_granted", "items": {"potion": 0}}])
