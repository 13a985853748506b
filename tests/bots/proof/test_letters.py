"""The judgement of mail passes an honest server, and finds a letter that is lost, doubled, or sent by nobody."""

from collections.abc import Callable

import pytest

from bots.play.record import BotRecord
from bots.proof.letters import judge_letters, unfinished_players
from bots.proof.players import SERVER, LedgerEntry, PlayerVerdict, judge
from bots.wire.bodies import MailSent, State, parse_letters
from bots.wire.errors import BadAnswerError


def state(version: int) -> State:
    return State(version, "priest", 1, 50, 75, 0)


Ledgers = dict[str, list[LedgerEntry]]
HEAL, BACK, CHALLENGE, END = "letter-1", "letter-2", "letter-3", "letter-4"


def ledgers() -> Ledgers:
    """Ann healed Bea, and a player that doesn't exist; Bea challenged Ann, and the duel's end came back to Bea."""
    return {
        "ann": [
            LedgerEntry("sign-up-1", "sign_up", state(1)),
            LedgerEntry("command-1", "heal_other", state(2), (MailSent(HEAL, "bea", "healed"),)),
            LedgerEntry("command-2", "heal_other", state(3), (MailSent(BACK, "nobody", "healed"),)),
            LedgerEntry(BACK, "mail:returned", state(4)),
            LedgerEntry(CHALLENGE, "mail:challenged", state(5), (MailSent(END, "bea", "duelled"),)),
        ],
        "bea": [
            LedgerEntry("sign-up-2", "sign_up", state(1)),
            LedgerEntry("command-3", "duel", state(2), (MailSent(CHALLENGE, "ann", "challenged"),)),
            LedgerEntry(HEAL, "mail:healed", state(3)),
            LedgerEntry(END, "mail:duelled", state(4)),
        ],
    }


def faults(spoilt: Ledgers) -> list[str]:
    verdicts = {player: PlayerVerdict() for player in spoilt}
    judge_letters(spoilt, verdicts)
    return [
        f"{kind} {player}"
        for player, verdict in verdicts.items()
        for kind in ("lost", "doubled", "unexplained")
        for _ in getattr(verdict, kind)
    ]


def test_letters_that_arrived_once_or_came_back_once_pass() -> None:
    verdicts = {"ann": PlayerVerdict(), "bea": PlayerVerdict()}
    mail = judge_letters(ledgers(), verdicts)
    assert (mail.sent, mail.arrived, mail.returned) == (4, 3, 1)
    assert all(verdict.clean() for verdict in verdicts.values())
    assert unfinished_players(ledgers()) == set()


def without(player: str, command_id: str) -> Callable[[Ledgers], object]:
    def spoil(spoilt: Ledgers) -> None:
        spoilt[player] = [entry for entry in spoilt[player] if entry.command_id != command_id]

    return spoil


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (without("bea", HEAL), "lost ann"),
        (without("ann", BACK), "lost ann"),
        (without("bea", END), "lost ann"),
        (lambda spoilt: spoilt["bea"].append(LedgerEntry(HEAL, "mail:healed", state(5))), "doubled ann"),
        (lambda spoilt: spoilt["ann"].append(LedgerEntry(HEAL, "mail:returned", state(6))), "doubled ann"),
        (lambda spoilt: spoilt["bea"].append(LedgerEntry("stranger", "mail:healed", state(5))), "unexplained bea"),
        (lambda spoilt: spoilt["bea"].append(LedgerEntry(HEAL, "mail:duelled", state(5))), "unexplained bea"),
        (lambda spoilt: spoilt["ann"].append(LedgerEntry(HEAL, "mail:healed", state(6))), "unexplained ann"),
        (without("ann", "command-1"), "unexplained bea"),
        (
            lambda spoilt: spoilt["ann"].append(LedgerEntry("c", "duel", state(6), (MailSent(HEAL, "bea", "healed"),))),
            "unexplained ann",
        ),
    ],
)
def test_a_letter_that_is_lost_doubled_or_sent_by_nobody_is_found(
    spoil: Callable[[Ledgers], object], fault: str
) -> None:
    spoilt = ledgers()
    spoil(spoilt)
    assert fault in faults(spoilt)


def test_the_players_of_letters_under_way_are_unfinished() -> None:
    under_way = ledgers()
    without("bea", END)(under_way)
    assert unfinished_players(under_way) == {"ann", "bea"}
    without("ann", BACK)(under_way)
    without("ann", CHALLENGE)(under_way)
    assert unfinished_players(under_way) == {"ann", "bea"}


def record_of_ann() -> BotRecord:
    record = BotRecord()
    record.signed_up("sign-up-1", "ann", state(1))
    for number, entry in enumerate(ledgers()["ann"][1:3], 1):
        record.send(f"command-{number}")
        record.acknowledge(f"command-{number}", entry.state, entry.letters)
    return record


def test_versions_that_mail_made_need_no_command_of_the_player() -> None:
    assert judge(record_of_ann(), state(5), ledgers()["ann"]).clean()
    assert not judge(record_of_ann(), state(6), ledgers()["ann"]).clean()


def test_a_command_whose_ledger_entry_has_other_letters_than_its_answer_is_found() -> None:
    spoilt = ledgers()["ann"]
    spoilt[1] = spoilt[1]._replace(letters=())
    assert any("other letters" in sentence for sentence in judge(record_of_ann(), state(5), spoilt).unexplained)


def test_letters_are_read_from_events() -> None:
    sent = {"type": "mail_sent", "mail_id": "m", "to": "7", "kind": "healed"}
    assert parse_letters([{"type": "heal_cast"}, sent]) == (("m", "7", "healed"),)
    assert parse_letters(None) == ()
    with pytest.raises(BadAnswerError):
        parse_letters([{**sent, "to": 7}])


def test_rewards_of_the_server_pass_and_letters_without_a_sender_do_not() -> None:
    rewarded = ledgers()
    rewarded["ann"].append(LedgerEntry("reward-1", "mail:rewarded", state(6), sender=SERVER))
    assert faults(rewarded) == []
    rewarded["ann"][-1] = rewarded["ann"][-1]._replace(sender="bea")
    assert faults(rewarded) == ["unexplained ann"]


def test_of_a_banned_player_nothing_is_compared_but_everything_of_the_others_is() -> None:
    left = ledgers()
    del left["bea"]
    left["ann"][4] = left["ann"][4]._replace(sender="bea")
    verdicts = {"ann": PlayerVerdict()}
    assert unfinished_players(left, {"bea"}) == set()
    judge_letters(left, verdicts, {"bea"})
    assert verdicts["ann"].clean(), "a letter to it has no end, one of it no beginning"
    del left["ann"][3]
    judge_letters(left, verdicts, {"bea"})
    assert len(verdicts["ann"].lost) == 1, "the letter to another player still has to come back"
