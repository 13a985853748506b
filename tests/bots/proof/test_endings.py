"""A player that can't be read any more is explained by an operator's order to end it, and by nothing else."""

from typing import Any

import pytest

from bots.play.record import BotRecord
from bots.proof.audit import ProofPatience, prove_players
from bots.proof.invariants import CONTRACT
from bots.proof.pages import NotProvedError
from bots.proof.players import BANNED, DELETED, of_answers
from bots.wire.answers import Answer, AnswerKind
from bots.wire.bodies import parse_state
from bots.wire.channel import Channel
from bots.wire.player_client import Reply
from bots.wire.pushes import PushHistory
from bots.wire.requests import Request

AT_ONCE = ProofPatience(settling=0.0, mail=0.0)
PLAYER = {"id": "7", "class": "mage", "level": 1, "hp": 9, "max_hp": 9, "exp": 1, "version": 1}


class Gone:
    """A bot whose sessions have ended, and that can't sign in, or is told that it is banned."""

    def __init__(self, code: str = "wrong_credentials") -> None:
        self.code = code
        self.pushes = PushHistory()
        self.record = BotRecord()
        self.record.signed_up("c1", "7", parse_state(PLAYER))
        self.record.acknowledge("c2", parse_state({**PLAYER, "version": 2}))
        self.record.denials.append("bot 7 was answered with wrong_credentials: No.")

    @property
    def client(self) -> "Gone":
        return self

    async def send(self, _request: Request, _channel: Channel) -> Reply:
        return Reply(Answer(AnswerKind.FAILED, code=self.code))


class Operator:
    """Reads an audit log with these entries on player 7, over two pages."""

    def __init__(self, *entries: tuple[str, str | None]) -> None:
        self.entries = [{"action": action, "target": "7", "ended": ended} for action, ended in entries]

    async def send(self, request: Request, _channel: Channel) -> Reply:
        assert request.path.startswith("/admin/v1/audit?target=7&limit=")
        is_first = "cursor" not in request.path
        entries = self.entries[:1] if is_first else self.entries[1:]
        body: dict[str, Any] = {"entries": entries, "next_cursor": "1" if is_first else None}
        return Reply(Answer(AnswerKind.OK, body=body))


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([("erase", "done")], id="erased"),
        pytest.param([("delete", "done")], id="deleted"),
        pytest.param([("rename", "done"), ("erase", "unavailable")], id="deleted, and to be erased again"),
        pytest.param([("ban", "done"), ("erase", None)], id="erased by a node that died"),
    ],
)
async def test_a_player_that_an_operator_ended_is_no_loss(entries: list[tuple[str, str | None]]) -> None:
    proved = await prove_players([Gone()], AT_ONCE, Operator(*entries))
    assert [(verdict.gone, verdict.faults()) for verdict in proved.verdicts] == [(DELETED, [])]
    assert proved.ledgers == {}


@pytest.mark.parametrize(
    "operator",
    [
        pytest.param(Operator(), id="no order"),
        pytest.param(Operator(("ban", "done"), ("note", "done")), id="other orders"),
        pytest.param(Operator(("erase", "command_expired")), id="an order that was refused"),
        pytest.param(None, id="no key"),
    ],
)
async def test_any_other_that_cannot_sign_in_proves_nothing(operator: Operator | None) -> None:
    with pytest.raises(NotProvedError, match="wrong_credentials"):
        await prove_players([Gone()], AT_ONCE, operator)


async def test_a_player_that_an_operator_banned_is_no_loss() -> None:
    proved = await prove_players([Gone("banned")], AT_ONCE, Operator(("ban", "done")))
    assert [(verdict.gone, verdict.faults()) for verdict in proved.verdicts] == [(BANNED, [])]


@pytest.mark.parametrize(
    "operator",
    [
        pytest.param(Operator(), id="no order"),
        pytest.param(Operator(("delete", "done")), id="another order"),
        pytest.param(Operator(("ban", "player_not_found")), id="an order that was refused"),
        pytest.param(None, id="no key"),
    ],
)
async def test_any_other_that_is_told_that_it_is_banned_proves_nothing(operator: Operator | None) -> None:
    with pytest.raises(NotProvedError, match="banned"):
        await prove_players([Gone("banned")], AT_ONCE, operator)


async def test_a_denied_sign_in_of_a_player_that_is_there_is_a_fault() -> None:
    record = Gone().record
    assert [getattr(fault, "invariant", "") for fault in of_answers(record)] == [CONTRACT]
    assert of_answers(record, gone=True) == []
