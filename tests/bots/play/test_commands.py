"""What a bot enters into its record when a command is answered at last."""

from random import Random
from typing import cast

import pytest

from bots.count.tally import OperationTiming, Tally
from bots.play.bot import Bot
from bots.play.commands import CommandSender
from bots.play.identities import BotIdentity
from bots.play.record import BotRecord
from bots.wire.answers import Answer, AnswerKind, kind_of
from bots.wire.channel import Channel
from bots.wire.command_ids import CommandIds
from bots.wire.player_client import PlayerClient, Reply
from bots.wire.pushes import PushHistory
from bots.wire.requests import Request

UNANSWERED = Answer(AnswerKind.RETRY, "timeout", uncertain=True, lost=True)


class AnsweringClient:
    """Gives every request the same reply."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    async def send(self, request: Request, channel: Channel) -> Reply:
        return self._reply


class AnsweringInTurn:
    """Gives one reply after another."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = iter(replies)

    async def send(self, request: Request, channel: Channel) -> Reply:
        answer = next(self._replies).answer
        assert answer is not None
        return Reply(answer._replace(body={**answer.body, "command_id": str(request.key)}))


class SendingTwice(Random):
    """Sends every command twice at once."""

    def random(self) -> float:
        return 0.0


PLAYER = {"id": "7", "name": "Bot", "class": "warrior", "level": 1, "hp": 5, "max_hp": 10, "exp": 0, "version": 2}
DONE = Reply(Answer(AnswerKind.OK, body={"player": PLAYER, "events": []}))


@pytest.mark.parametrize("banned_first", [True, False])
@pytest.mark.parametrize(
    ("code", "disagreements"), [("banned", 0), ("player_not_found", 0), ("wrong_credentials", 0), ("full_hp", 1)]
)
async def test_of_two_sendings_one_may_come_after_a_ban_or_a_deletion(
    code: str, disagreements: int, *, banned_first: bool
) -> None:
    other = Reply(Answer(kind_of(code, None, None), code))
    client = cast("PlayerClient", AnsweringInTurn(*((other, DONE) if banned_first else (DONE, other))))
    record = BotRecord()
    record.player_id = "7"
    identity = BotIdentity("Bot", "bot-device", "warrior", (Channel.HTTP,))
    sender = CommandSender(identity, client, record, CommandIds(), Tally())
    await sender.act("rest", {}, OperationTiming(0.0, 0.0), SendingTwice(1))
    assert (len(record.acknowledged), len(record.refused), len(record.open)) == (1, 0, 0)
    assert len(record.disagreements) == disagreements
    assert not record.problems


def test_a_ban_leaves_the_fate_of_an_unanswered_command_open() -> None:
    assert kind_of("banned", None, None) is kind_of("banned", 403, None) is AnswerKind.FAILED


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


class SigningUp:
    """Answers sign-ups one after the other, and keeps their keys."""

    def __init__(self, *replies: Reply) -> None:
        self.pushes, self.keys, self._replies = PushHistory(), list[str | None](), iter(replies)

    async def send(self, request: Request, _channel: Channel) -> Reply:
        self.keys.append(request.key)
        return next(self._replies)

    def open_session(self, _body: object) -> None:
        """Nothing is done with the session."""


def made(player: str = "7", *, exp: int = 0) -> Reply:
    return Reply(Answer(AnswerKind.OK, body={"player": {**PLAYER, "id": player, "exp": exp, "version": 1}}))


@pytest.mark.parametrize(
    ("again", "faults"),
    [
        pytest.param(made(), 0, id="the same player"),
        pytest.param(made("8"), 1, id="another player"),
        pytest.param(made(exp=5), 1, id="another state"),
        pytest.param(Reply(Answer(AnswerKind.REFUSED, "name_taken")), 1, id="its own name is taken"),
        pytest.param(Reply(Answer(AnswerKind.FAILED, "player_not_found")), 0, id="deleted meanwhile"),
        pytest.param(Reply(None, [UNANSWERED]), 0, id="no answer"),
    ],
)
async def test_a_sign_up_that_is_sent_again_makes_no_other_player(again: Reply, faults: int) -> None:
    client = SigningUp(made(), again)
    identity = BotIdentity("Bot", "warrior", "device", (Channel.HTTP,))
    bot = Bot(identity, cast("PlayerClient", client), CommandIds(), Tally(), NeverAgain())
    bot.signs_up_twice = True
    assert await bot.sign_up()
    assert (len(client.keys), len({*client.keys}), len(bot.record.faults())) == (2, 1, faults)


class NeverAgain(Random):
    """Draws what happens to no bot by chance."""

    def random(self) -> float:
        return 0.999
