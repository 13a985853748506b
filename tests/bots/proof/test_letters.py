"""The judgement of mail passes an honest server, and finds a letter that is lost, doubled, both, or nobody's."""

from collections.abc import Callable

import pytest

from bots.play.told import Told
from bots.proof.letters import judge_letters, open_letters
from bots.proof.verdict import Entry, Verdict, judge
from bots.wire.events import parse_sent
from bots.wire.wire import BadAnswerError, State


def state(version: int) -> State:
    return State(version, "priest", 1, 50, 75, 0)


Books = dict[str, list[Entry]]
HEAL, BACK, CHALLENGE, END = "letter-1", "letter-2", "letter-3", "letter-4"


def books() -> Books:
    """Ann has healed Bea, and nobody; Bea has challenged Ann, whose answer came."""
    return {
        "ann": [
            Entry("sign-up-1", "sign_up", state(1)),
            Entry("command-1", "heal_other", state(2), ((HEAL, "bea", "healed"),)),
            Entry("command-2", "heal_other", state(3), ((BACK, "nobody", "healed"),)),
            Entry(BACK, "mail:returned", state(4)),
            Entry(CHALLENGE, "mail:challenged", state(5), ((END, "bea", "duelled"),)),
        ],
        "bea": [
            Entry("sign-up-2", "sign_up", state(1)),
            Entry("command-3", "duel", state(2), ((CHALLENGE, "ann", "challenged"),)),
            Entry(HEAL, "mail:healed", state(3)),
            Entry(END, "mail:duelled", state(4)),
        ],
    }


def faults(spoilt: Books) -> list[str]:
    verdicts = {player: Verdict() for player in spoilt}
    judge_letters(spoilt, verdicts)
    return [
        f"{kind} {player}"
        for player, verdict in verdicts.items()
        for kind in ("lost", "doubled", "unexplained")
        for _ in getattr(verdict, kind)
    ]


def test_letters_that_came_once_or_came_back_once_pass() -> None:
    verdicts = {"ann": Verdict(), "bea": Verdict()}
    mail = judge_letters(books(), verdicts)
    assert (mail.sent, mail.arrived, mail.returned) == (4, 3, 1)
    assert all(verdict.clean() for verdict in verdicts.values())
    assert open_letters(books()) == set()


def without(player: str, command_id: str) -> Callable[[Books], object]:
    def spoil(spoilt: Books) -> None:
        spoilt[player] = [each for each in spoilt[player] if each.command_id != command_id]

    return spoil


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (without("bea", HEAL), "lost ann"),
        (without("ann", BACK), "lost ann"),
        (without("bea", END), "lost ann"),
        (lambda spoilt: spoilt["bea"].append(Entry(HEAL, "mail:healed", state(5))), "doubled ann"),
        (lambda spoilt: spoilt["ann"].append(Entry(HEAL, "mail:returned", state(6))), "doubled ann"),
        (lambda spoilt: spoilt["bea"].append(Entry("stranger", "mail:healed", state(5))), "unexplained bea"),
        (lambda spoilt: spoilt["bea"].append(Entry(HEAL, "mail:duelled", state(5))), "unexplained bea"),
        (lambda spoilt: spoilt["ann"].append(Entry(HEAL, "mail:healed", state(6))), "unexplained ann"),
        (without("ann", "command-1"), "unexplained bea"),
        (
            lambda spoilt: spoilt["ann"].append(Entry("c", "duel", state(6), ((HEAL, "bea", "healed"),))),
            "unexplained ann",
        ),
    ],
)
def test_a_letter_that_is_lost_doubled_or_nobodys_is_found(spoil: Callable[[Books], object], fault: str) -> None:
    spoilt = books()
    spoil(spoilt)
    assert fault in faults(spoilt)


def test_the_ledgers_of_letters_on_their_way_are_read_again() -> None:
    waiting = books()
    without("bea", END)(waiting)
    assert open_letters(waiting) == {"ann", "bea"}
    without("ann", BACK)(waiting)
    without("ann", CHALLENGE)(waiting)
    assert open_letters(waiting) == {"ann", "bea"}


def told_of_ann() -> Told:
    told = Told()
    told.signed_up("sign-up-1", "ann", state(1))
    for number, entry in enumerate(books()["ann"][1:3], 1):
        told.send(f"command-{number}")
        told.acknowledge(f"command-{number}", entry.state, entry.letters)
    return told


def test_versions_that_mail_has_made_need_no_command_of_the_player() -> None:
    assert judge(told_of_ann(), state(5), books()["ann"]).clean()
    assert not judge(told_of_ann(), state(6), books()["ann"]).clean()


def test_a_command_that_kept_other_letters_than_it_told_is_found() -> None:
    spoilt = books()["ann"]
    spoilt[1] = spoilt[1]._replace(letters=())
    assert any("other letters" in each for each in judge(told_of_ann(), state(5), spoilt).unexplained)


def test_letters_are_read_from_events() -> None:
    sent = {"type": "mail_sent", "mail_id": "m", "to": "7", "kind": "healed"}
    assert parse_sent([{"type": "heal_cast"}, sent]) == (("m", "7", "healed"),)
    assert parse_sent(None) == ()
    with pytest.raises(BadAnswerError):
        parse_sent([{**sent, "to": 7}])
