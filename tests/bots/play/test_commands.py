"""What a bot enters into its record when a command is answered at last."""

from random import Random
from typing import cast

import pytest

from bots.count.tally import OperationTiming, Tally
from bots.play.commands import CommandSender
from bots.play.identities import BotIdentity
from bots.play.record import BotRecord
from bots.wire.answers import Answer, AnswerKind
from bots.wire.channel import Channel
from bots.wire.command_ids import CommandIds
from bots.wire.player_client import PlayerClient, Reply
from bots.wire.requests import Request

UNANSWERED = Answer(AnswerKind.RETRY, "timeout", uncertain=True, lost=True)


class AnsweringClient:
    """Gives every request the same reply."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    async def send(self, request: Request, channel: Channel) -> Reply:
        return self._reply


@pytest.mark.parametrize(
    ("kind", "refused", "still_open"),
    [(AnswerKind.REFUSED, True, False), (AnswerKind.FAILED, False, True)],
    ids=["a rule's refusal is final", "another failure leaves the fate open"],
)
async def test_after_an_attempt_without_an_answer(kind: AnswerKind, *, refused: bool, still_open: bool) -> None:
    reply, record, random = Reply(Answer(kind, "some_code"), failures=[UNANSWERED]), BotRecord(), Random(1)
    client = cast("PlayerClient", AnsweringClient(reply))
    identity = BotIdentity("Bot", "bot-device", "warrior", (Channel.HTTP,))
    await CommandSender(identity, client, record, CommandIds(), Tally()).act(
        "rest", {}, OperationTiming(0.0, 0.0), random
    )
    assert (len(record.refused), len(record.open)) == (int(refused), int(still_open))
