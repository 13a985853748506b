"""An inbox has each letter that took effect lately, once, and no other; what may have gone is no fault."""

from datetime import UTC, datetime, timedelta

import pytest

from bots.proof.inboxes import FEWEST, inbox_faults
from bots.proof.players import LedgerEntry
from bots.wire.bodies import State
from bots.wire.errors import BadAnswerError

STATE = State(1, "mage", 1, 5, 5, 5)
START = datetime(2026, 11, 28, 10, tzinfo=UTC)


def entry(name: str, minute: int = 0, action: str = "mail:healed") -> LedgerEntry:
    return LedgerEntry(name, action, STATE, at=(START + timedelta(minutes=minute)).isoformat())


def inbox(*names: str) -> list[dict[str, str]]:
    return [{"mail_id": name} for name in names]


LEDGER = [entry("c", 2), entry("hunted", 1, "hunt"), entry("b", 1), entry("a", 0, "mail:returned")]


@pytest.mark.parametrize(
    ("names", "faults"),
    [("cba", 0), ("abc", 0), ("cb", 1), ("", 3), ("cbaa", 1), ("cbax", 1)],
    ids=["all", "in another order", "without one", "empty", "one twice", "one of nobody"],
)
def test_an_inbox_has_what_the_ledger_has(names: str, faults: int) -> None:
    assert len(inbox_faults(LEDGER, inbox(*names))) == faults


def test_what_had_no_room_or_is_old_may_have_gone() -> None:
    many = [entry(f"m{number}") for number in range(FEWEST + 1)]
    assert inbox_faults(many, inbox("m1")) == []
    assert len(inbox_faults(many[1:], inbox("m1"))) == FEWEST - 1
    assert inbox_faults([entry("late", 40), entry("early")], inbox("late")) == []


def test_a_letter_of_another_shape_is_named() -> None:
    with pytest.raises(BadAnswerError):
        inbox_faults(LEDGER, [{"id": "a"}])
