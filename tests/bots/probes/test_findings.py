"""What probes conclude from answers; that they find what is wrong with a server is what `make mutants` shows."""

import asyncio
from typing import Any, cast

import pytest

from bots.play.record import BotRecord
from bots.probes import leaving, probing
from bots.probes.findings import ProbeFindings
from bots.probes.ground import ProbeGround, settle
from bots.probes.leaving import BanProbe, effects
from bots.probes.probing import Probes
from bots.proof.invariants import SESSIONS
from bots.wire.answers import Answer, AnswerKind
from bots.wire.channel import Channel
from bots.wire.command_ids import CommandIds
from bots.wire.player_client import Reply
from bots.wire.requests import Request

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


class Ground:
    """A run's ground, and everybody who asks: a request is answered with the next of these replies, then with none."""

    def __init__(self, *replies: Reply) -> None:
        self.findings, self.replies, self.ids = ProbeFindings(), [*replies], CommandIds()
        self.stop = asyncio.Event()

    @property
    def admin(self) -> "Ground":
        return self

    def new_client(self) -> "Ground":
        return self

    async def sign_up(self, _client: "Ground") -> tuple[str, Reply]:
        return "device", DONE

    async def act_at_once(self, _client: "Ground", _times: int) -> list[Reply]:
        return []

    async def send(self, _request: Request, _channel: Channel) -> Reply:
        return self.replies.pop(0) if self.replies else UNANSWERED


def shown(*, there: bool, stale: bool = False, failures: int = 0) -> Reply:
    """What a board says of a player."""
    body: dict[str, Any] = {"entries": [{}] if there else [], **({"stale": True} if stale else {})}
    return Reply(Answer(AnswerKind.OK, body=body), [Answer(AnswerKind.RETRY, "board_unavailable")] * failures)


@pytest.mark.parametrize(
    ("replies", "faults"),
    [
        pytest.param([shown(there=True)], 1, id="on the board"),
        pytest.param([shown(there=True, stale=True), shown(there=False)], 0, id="a board that said that it lags"),
        pytest.param([shown(there=True, failures=1), shown(there=False)], 0, id="a board that was away"),
        pytest.param([shown(there=True, stale=True), shown(there=True)], 1, id="still on a board that lags no more"),
        pytest.param([UNANSWERED], 0, id="no answer"),
    ],
)
async def test_a_ban_is_looked_for_on_boards_that_are_up_to_date(
    replies: list[Reply], faults: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaving, "BOARD_SECONDS", -1.0)
    monkeypatch.setattr(leaving, "LOOK_SECONDS", 0.0)
    ground = Ground(*replies)
    await BanProbe(cast("ProbeGround", ground))._until("7", "exp", there=False)
    assert len(ground.findings.faults) == faults


async def test_a_ban_without_an_answer_may_have_been_carried_out() -> None:
    ground = Ground(UNANSWERED)
    await BanProbe(cast("ProbeGround", ground)).round()
    assert (ground.findings.gone, ground.findings.happened.total()) == (1, 0)


class Waiting:
    """A probe that waits for ever at the end of the run."""

    every = 0.0

    async def begin(self) -> bool:
        return False

    async def round(self) -> None:
        """Never called."""

    async def close(self) -> None:
        await asyncio.Event().wait()


async def test_what_a_probe_still_waits_for_at_the_end_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "CLOSE_SECONDS", 0.01)
    ground = Ground()
    probes = Probes(cast("ProbeGround", ground))
    monkeypatch.setattr(probes, "_probes", [Waiting()])
    await probes.run()
    assert ground.findings.faults == []
