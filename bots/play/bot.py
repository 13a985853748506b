"""One bot's life: it signs up, plays by the latest state that it has seen, and keeps the record for the proof.

It does one thing at a time, so the order of its player's versions is known.
"""

import asyncio
import time
from random import Random
from typing import Any

from bots.count.tally import OperationTiming, Tally
from bots.play.catalogue import Catalogue
from bots.play.choices import Chooser
from bots.play.commands import SENT_AGAIN_LATE, CommandSender, count_refusal
from bots.play.habits import Habit
from bots.play.identities import BotIdentity
from bots.play.placement import Placement
from bots.play.record import BotRecord
from bots.wire import requests
from bots.wire.bodies import parse_state, player_id, player_of
from bots.wire.channel import Channel
from bots.wire.command_ids import CommandIds
from bots.wire.errors import BadAnswerError
from bots.wire.player_client import PlayerClient, Reply
from bots.wire.requests import Request

LOGS_IN_AGAIN = 0.2
READS_BACK = 0.1
"""The share of actions after which the bot reads its player at once."""
READS_BY_TOKEN = 0.7
READS_BY_AGE = 0.15
"""The shares of reads that say what version, or of what age, they must not be older than; others must be as new."""
AGES = (1, 2, 5)
"""Seconds."""


class Bot:
    """A player of the swarm; `misled` says how its habit failed, if it did.

    One that `signs_up_twice` sends its sign-up again once it is answered, under the same key: one player comes of it.
    """

    def __init__(
        self, identity: BotIdentity, client: PlayerClient, ids: CommandIds, tally: Tally, random: Random
    ) -> None:
        self.identity = identity
        self.client = client
        self.record = BotRecord()
        self.stopped, self.misled = False, ""
        self.signs_up_twice = False
        self._at_work = asyncio.Lock()
        self._commands = CommandSender(identity, client, self.record, ids, tally)
        self._ids = ids
        self._tally = tally
        self._random = random
        client.pushes.on_player = self._on_player

    def begin_play(self, catalogue: Catalogue, habit: Habit, placement: Placement) -> None:
        """Play by this habit from now on; `placement` tells which database has the player."""
        self._catalogue = catalogue
        self._chooser = Chooser(catalogue, self._random, habit)
        self._commands.placement = placement

    async def sign_up(self, planned: float | None = None) -> bool:
        """Make the player, under one key until there is an answer; some bots log in again with the device."""
        command_id, now = self._ids.next(), time.monotonic()
        timing = self._begin("sign_up", now if planned is None else planned)
        identity = self.identity
        request = requests.sign_up(identity.name, identity.class_name, identity.device, command_id)
        reply = await self.client.send(request, Channel.HTTP)
        if not self._succeeded("sign_up", reply, timing):
            self._deny(self.record.problems, reply)
            return False
        self._tally.acknowledge("sign_up", timing, time.monotonic())
        player = reply.body.get("player")
        self.record.signed_up(command_id, player_id(player), parse_state(player))
        if self.signs_up_twice:
            await self._sign_up_again(request)
        self.client.open_session(reply.body)
        if self._random.random() < LOGS_IN_AGAIN:
            await self._log_in()
        return True

    async def _sign_up_again(self, request: Request) -> None:
        reply = await self.client.send(request, Channel.HTTP)
        if reply.answer is None:
            return
        self._tally.happened["sent twice"] += 1
        player = reply.body.get("player")
        self.record.sign_up_again(f"{player_id(player)}, {parse_state(player)}" if reply.ok else reply.answer.code)

    async def turn(self, planned: float) -> None:
        """Do the next thing, which was planned for `planned`; raises BadAnswerError or BadHabitError."""
        async with self._at_work:
            await self._turn(planned)

    async def _turn(self, planned: float) -> None:
        if self._random.random() < SENT_AGAIN_LATE:
            await self._commands.resend(self._random)
        assert self.record.latest is not None
        choice = self._chooser.choose(self.record.latest, self.record.belongings.owned())
        timing = self._begin(choice.name, planned)
        if choice.args is not None:
            await self._commands.act(choice.name, choice.args, timing, self._random)
            if self._random.random() < READS_BACK:
                await self._read(self._begin("read", time.monotonic()))
        elif choice.name == "items":
            await self._read_items(timing)
        elif choice.name != "read" and (boards := self._catalogue.boards_of(self.record.latest.class_name)):
            await self._read_board(choice.name, self._random.choice(boards).name, timing)
        else:
            await self._read(timing)

    async def sign_in(self, planned: float) -> None:
        """Open a new session, as a player does that comes back."""
        async with self._at_work:
            timing = self._begin("sign_in", planned)
            if await self._log_in():
                self._tally.answered("sign_in", timing, time.monotonic())

    async def reconnect(self, planned: float) -> None:
        """Drop the socket and open another, up to the answer to a read over it."""
        async with self._at_work:
            timing = self._begin("reconnect", planned)
            await self.client.close()
            reply = await self.client.send(requests.read_me(), self.identity.channel)
            if self._succeeded("reconnect", reply, timing):
                self._tally.answered("reconnect", timing, time.monotonic())

    def _begin(self, name: str, planned: float) -> OperationTiming:
        now = time.monotonic()
        self._tally.recorder.begun(name, planned, now)
        return OperationTiming(planned, now)

    async def _read(self, timing: OperationTiming) -> None:
        assert self.record.latest is not None
        drawn, age = self._random.random(), 0
        floor, request, how = self.record.latest.version, requests.read_me(), ""
        if drawn < READS_BY_TOKEN:
            how, request = "read by token", requests.read_back(self.record.player_id, floor)
        elif drawn < READS_BY_TOKEN + READS_BY_AGE:
            how, age = "read by age", self._random.choice(AGES)
            floor, request = self.record.versions.at(time.monotonic() - age), requests.read_aged(age)
        reply = await self.client.send(request, self.identity.any_channel(self._random))
        if self._succeeded("read", reply, timing):
            if how:
                self._tally.happened[how] += 1
            self._answered("read", timing)
            self.record.read_back(parse_state(player_of(reply.body)), floor, age)

    async def _read_items(self, timing: OperationTiming) -> None:
        """Read the items and compare them with the record, unless the fate of a command is still open."""
        reply = await self.client.send(requests.read_items(), self.identity.any_channel(self._random))
        if self._succeeded("items", reply, timing):
            self._answered("items", timing)
            if not self.record.open and (faults := self.record.belongings.faults(reply.body)):
                self.record.item_faults += [f"{fault}; {await self._items_again()}" for fault in faults]

    async def _items_again(self) -> str:
        """What another read says after one that didn't add up: whether that one was old, or the difference stays."""
        reply = await self.client.send(requests.read_items(), self.identity.channel)
        if not reply.ok:
            return "it couldn't be read again"
        return "; ".join(self.record.belongings.faults(reply.body)) or "read again, it adds up: the first read was old"

    async def _read_board(self, name: str, board: str, timing: OperationTiming) -> None:
        request = requests.board_top(board, 10) if name == "board" else requests.board_around(board, 3)
        reply = await self.client.send(request, self.identity.channel)
        if self._succeeded(name, reply, timing):
            self._tally.answered(name, timing, time.monotonic())

    def _answered(self, name: str, timing: OperationTiming) -> None:
        now = time.monotonic()
        self._tally.answered(name, timing, now)
        self._commands.took_place(now)

    async def _log_in(self) -> bool:
        began = time.monotonic()
        reply = await self.client.log_in()
        if not self._succeeded("sign_in", reply, OperationTiming(began, began)):
            self._deny(self.record.denials, reply)
            return False
        if player_id(reply.body.get("player")) != self.record.player_id:
            self.record.problems.append(f"the device of player {self.record.player_id} opened another's session")
        return True

    def _deny(self, denials: list[str], reply: Reply) -> None:
        """Note a final answer to what should have succeeded."""
        if reply.answer is not None:
            code, detail = reply.answer.code, reply.answer.detail
            denials.append(f"{self.identity.name} was answered with {code}: {detail}")

    def _succeeded(self, name: str, reply: Reply, timing: OperationTiming) -> bool:
        """Count how a request ended."""
        now = time.monotonic()
        if reply.answer is None:
            self._tally.give_up(name, now)
            return False
        count_refusal(self._tally, name, reply.answer, timing, now)
        return reply.ok

    def _on_player(self, player: Any) -> None:
        """Take a state that came with a hello or a push."""
        try:
            self.record.see(parse_state(player))
        except BadAnswerError as error:
            self.record.problems.append(str(error))
