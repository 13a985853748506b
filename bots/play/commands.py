"""Sends one bot's commands and enters their answers into its record.

A small share of commands is sent twice on purpose under the same id, at once, in a row, or some turns later, and the
second time over any channel: the two answers must agree.
"""

import asyncio
import time
from collections.abc import Mapping
from random import Random
from typing import Any

from bots.count.tally import OperationTiming, Tally
from bots.play.identities import BotIdentity
from bots.play.placement import Placement
from bots.play.record import BotRecord
from bots.wire import requests
from bots.wire.answers import OF_THE_PLAYER, Answer, AnswerKind
from bots.wire.bodies import parse_letters, parse_state, player_id
from bots.wire.command_ids import CommandIds
from bots.wire.player_client import PlayerClient, Reply
from bots.wire.requests import Request

SENT_TWICE_AT_ONCE = 0.01
SENT_TWICE_IN_A_ROW = 0.01
SENT_AGAIN_LATE = 0.02


class CommandSender:
    """Sends the commands of one bot, one after another."""

    def __init__(
        self, identity: BotIdentity, client: PlayerClient, record: BotRecord, ids: CommandIds, tally: Tally
    ) -> None:
        self._identity = identity
        self._client = client
        self._record = record
        self._ids = ids
        self._tally = tally
        self._earlier: tuple[Request, Answer] | None = None
        self.placement: Placement | None = None

    async def act(self, action: str, args: Mapping[str, Any], timing: OperationTiming, random: Random) -> None:
        """Send an action; `timing` says when it was planned."""
        request = requests.act(self._ids.next(), action, args)
        self._record.send(str(request.key))
        first, second = await self._send(request, random)
        settled = _settled(first, second)
        uncertain, now = first.uncertain or (second is not None and second.uncertain), time.monotonic()
        self._settle(request, settled, uncertain=uncertain)
        if settled.answer is None:
            self._tally.give_up(action, now)
        else:
            self._count(action, settled.answer, timing, now)
        self._compare(str(request.key), first, second)

    async def resend(self, random: Random) -> None:
        """Send an acknowledged command of some turns ago again, if there is one: its first answer must come back."""
        if self._earlier is None:
            return
        request, answer = self._earlier
        self._earlier = None
        second = await self._client.send(request, self._identity.any_channel(random))
        self._compare(str(request.key), Reply(answer), second)

    async def _send(self, request: Request, random: Random) -> tuple[Reply, Reply | None]:
        """Send a command once, or twice at once, or twice in a row."""
        chance = random.random()
        if chance < SENT_TWICE_AT_ONCE:
            async with asyncio.TaskGroup() as group:
                first = group.create_task(self._client.send(request, self._identity.channel))
                second = group.create_task(self._client.send(request, self._identity.any_channel(random)))
            return first.result(), second.result()
        reply = await self._client.send(request, self._identity.channel)
        if chance < SENT_TWICE_AT_ONCE + SENT_TWICE_IN_A_ROW:
            return reply, await self._client.send(request, self._identity.any_channel(random))
        return reply, None

    def _settle(self, request: Request, reply: Reply, *, uncertain: bool) -> None:
        """Enter a command's final answer into the record."""
        answer, command_id = reply.answer, str(request.key)
        if answer is None:
            self._tally.happened["unknown fate"] += 1
        elif answer.ok:
            self._check_ids(answer.body, command_id)
            state = parse_state(answer.body.get("player"))
            self._record.acknowledge(command_id, state, parse_letters(answer.body.get("events")))
            self._record.belongings.add(answer.body.get("events"))
            if self._earlier is None:
                self._earlier = request, answer
        else:
            self._record.refuse(command_id, uncertain=uncertain and answer.kind is not AnswerKind.REFUSED)

    def _count(self, action: str, answer: Answer, timing: OperationTiming, now: float) -> None:
        if answer.ok:
            self._tally.acknowledge(action, timing, now)
        else:
            count_refusal(self._tally, action, answer, timing, now)
        self.took_place(now)

    def took_place(self, now: float) -> None:
        """Count an answer for the database that has the player."""
        database = None if self.placement is None else self.placement.database_of(self._record.player_id)
        if database is not None:
            self._tally.recorder.took_place(database, now)

    def _check_ids(self, body: Mapping[str, Any], command_id: str) -> None:
        answered = body.get("command_id"), player_id(body.get("player"))
        if answered != (command_id, self._record.player_id):
            self._record.problems.append(
                f"{command_id} of player {self._record.player_id} got the answer to command {answered[0]} "
                f"of player {answered[1]}"
            )

    def _compare(self, command_id: str, first: Reply, second: Reply | None) -> None:
        if second is None:
            return
        self._tally.happened["sent twice"] += 1
        if first.answer is None or second.answer is None:
            return
        if first.ok and second.ok:
            self._record.compare(command_id, first.body, second.body)
        elif first.answer.code != second.answer.code and OF_THE_PLAYER.isdisjoint(
            (first.answer.code, second.answer.code)
        ):
            codes = [answer.code or "ok" for answer in (first.answer, second.answer)]
            self._record.disagreements.append(f"{command_id}: answered with {codes[0]} and with {codes[1]}")


def _settled(first: Reply, second: Reply | None) -> Reply:
    """The reply that tells a command's fate: a success, whichever of its sendings got it, or else the first answer."""
    answered = [reply for reply in (first, second) if reply is not None and reply.answer is not None]
    return next((reply for reply in answered if reply.ok), answered[0] if answered else first)


def count_refusal(tally: Tally, name: str, answer: Answer, timing: OperationTiming, now: float) -> None:
    """Count a final answer that is no success."""
    if answer.kind is AnswerKind.REFUSED:
        tally.refuse(name, answer.code, timing, now)
    elif answer.kind is AnswerKind.FAILED:
        tally.fail(name, answer.code, now)
