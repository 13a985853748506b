"""Every fault breaks the invariant that it names, and a violation tells its smallest story."""

from bots.count.document import HELD, NOT_CHECKED, VIOLATED
from bots.proof import invariants
from bots.proof.invariants import BOARDS, CONTRACT, KEPT, ONCE, SHOWN, Fault, verdicts


def test_what_was_never_checked_is_not_held() -> None:
    by_name = {verdict.invariant: verdict for verdict in verdicts({KEPT: 3}, [])}
    assert set(by_name) == set(invariants.ALL)
    assert (by_name[KEPT].verdict, by_name[KEPT].checked) == (HELD, 3)
    assert by_name[BOARDS].verdict == NOT_CHECKED


def test_one_fault_violates_its_invariant_and_no_other() -> None:
    found = verdicts({KEPT: 3, ONCE: 3}, [Fault(ONCE, "c is in the ledger twice")])
    assert [verdict.invariant for verdict in found if verdict.verdict == VIOLATED] == [ONCE]


def test_the_shortest_story_comes_first_and_the_rest_is_counted() -> None:
    faults = [Fault(KEPT, f"long {number}", ["a", "b"]) for number in range(SHOWN)] + [Fault(KEPT, "short", ["a"])]
    (story,) = [verdict.story for verdict in verdicts({}, faults) if verdict.story]
    assert story[:2] == ("short", "  a")
    assert story[-1] == "and 1 more"


def test_a_sentence_without_an_invariant_breaks_the_contract() -> None:
    assert [each.invariant for each in verdicts({}, ["garbage"]) if each.verdict == VIOLATED] == [CONTRACT]
