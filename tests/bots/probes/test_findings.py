"""What probes conclude from answers; that they find what is wrong with a server is what `make mutants` shows."""

import pytest

from bots.play.record import BotRecord
from bots.probes.ground import settle
from bots.probes.leaving import effects
from bots.proof.invariants import SESSIONS
from bots.wire.answers import Answer, AnswerKind
from bots.wire.player_client import Reply

PLAYER = {"id": "7", "class": "mage", "level": 1, "hp": 5, "max_hp": 5, "exp": 0, "version": 3}
DONE = Reply(Answer(AnswerKind.OK, body={"player": PLAYER, "command_id": "c", "events": []}))
REFUSED = Reply(Answer(AnswerKind.REFUSED, "player_is_down"))
DENIED = Reply(Answer(AnswerKind.FAILED, "session_revoked"))
UNSURE = Reply(DENIED.answer, failures=[Answer(AnswerKind.RETRY, "timeout", uncertain=True)])
UNANSWERED = Reply(None)


def test_one_effect_of_what_may_not_take_effect_is_a_fault() -> None:
    assert effects(SESSIONS, "it acted", [DENIED, REFUSED, UNANSWERED]) == []
    (fault,) = effects(SESSIONS, "it acted", [DENIED, DONE])
    assert fault.invariant == SESSIONS
    assert fault.lines == ("1 of 2 requests that were sent after it were carried out", "c was answered with version 3")


@pytest.mark.parametrize(
    ("reply", "acknowledged", "refused", "still_open"),
    [(DONE, 1, 0, 0), (REFUSED, 0, 1, 0), (DENIED, 0, 1, 0), (UNSURE, 0, 0, 1), (UNANSWERED, 0, 0, 1)],
    ids=["done", "refused", "denied", "denied after a timeout", "unanswered"],
)
def test_a_command_ends_as_its_answer_says(reply: Reply, acknowledged: int, refused: int, still_open: int) -> None:
    record = BotRecord()
    record.send("c")
    settle(record, "c", reply)
    assert (len(record.acknowledged), len(record.refused), len(record.open)) == (acknowledged, refused, still_open)
