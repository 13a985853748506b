"""One bot's life: it signs up, plays by the latest state that it has seen, and keeps the record for the proof.

It sends one command at a time, so the order of its player's versions is known.
"""

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Any

from bots.count.tally import Tally
from bots.play.catalogue import Catalogue
from bots.play.choices import Chooser
from bots.play.commands import CommandSender, count_refusal
from bots.play.identities import BotIdentity
from bots.play.record import BotRecord
from bots.waiting import pause
from bots.wire import requests
from bots.wire.bodies import parse_state, player_id, player_of
from bots.wire.channel import Channel
from bots.wire.command_ids import CommandIds
from bots.wire.errors import BadAnswerError
from bots.wire.player_client import PlayerClient, Reply

LOGS_IN_AGAIN = 0.2
READS_BACK = 0.1
"""The share of actions after which the bot reads its player at once."""
READS_BY_TOKEN = 0.7
"""The share of reads that say what version they must not be older than; the others go without and must be as new."""


@dataclass(frozen=True, slots=True)
class PlayWindow:
    """When to play, in seconds of the loop's clock; `rate` in actions/s, 0 for as fast as answers come."""

    starts: float
    ends: float
    rate: float
    stop: asyncio.Event


class Bot:
    """A player of the swarm."""

    def __init__(
        self, identity: BotIdentity, client: PlayerClient, ids: CommandIds, tally: Tally, random: Random
    ) -> None:
        self.identity = identity
        self.client = client
        self.record = BotRecord()
        self._commands = CommandSender(identity, client, self.record, ids, tally)
        self._ids = ids
        self._tally = tally
        self._random = random
        client.pushes.on_player = self._on_player

    async def sign_up(self) -> bool:
        """Make the player, under one key until there is an answer; some bots log in again with the device."""
        command_id, started = self._ids.next(), self._now()
        identity = self.identity
        request = requests.sign_up(identity.name, identity.class_name, identity.device, command_id)
        reply = await self.client.send(request, Channel.HTTP)
        if not self._succeeded(reply, must=True):
            return False
        self._tally.acknowledge("sign_up", started, self._now())
        player = reply.body.get("player")
        self.record.signed_up(command_id, player_id(player), parse_state(player))
        self.client.open_session(reply.body)
        if self._random.random() < LOGS_IN_AGAIN:
            await self._log_in()
        return True

    async def play(self, catalogue: Catalogue, window: PlayWindow) -> None:
        """Do one thing after another until the play ends; what is planned and not begun by then counts as unsent."""
        chooser = Chooser(catalogue, self._random)
        step = 1.0 / window.rate if window.rate else 0.0
        planned = window.starts + self._random.random() * (step or 0.05)
        while planned < window.ends:
            if await pause(planned - self._now(), window.stop):
                return
            if self._now() >= window.ends:
                self._tally.unsent += round((window.ends - planned) / step) if step else 0
                return
            await self._turn(chooser, catalogue, planned)
            planned = planned + step if step else self._now()

    async def _turn(self, chooser: Chooser, catalogue: Catalogue, planned: float) -> None:
        await self._commands.sometimes_resend(self._random)
        assert self.record.latest is not None
        choice = chooser.choose(self.record.latest, self.record.belongings.owned())
        boards = catalogue.boards_of(self.record.latest.class_name)
        if choice.args is not None:
            await self._commands.act(choice.name, choice.args, planned, self._random)
            if self._random.random() < READS_BACK:
                await self._read(self._now())
        elif choice.name == "items":
            await self._read_items(planned)
        elif choice.name != "read" and boards:
            await self._read_board(choice.name, self._random.choice(boards).name, planned)
        else:
            await self._read(planned)

    async def _read(self, planned: float) -> None:
        assert self.record.latest is not None
        floor, request = self.record.latest.version, requests.read_me()
        if by_token := self._random.random() < READS_BY_TOKEN:
            request = requests.read_back(self.record.player_id, floor)
        reply = await self.client.send(request, self.identity.any_channel(self._random))
        if self._succeeded(reply):
            self._tally.happened["read by token"] += by_token
            self._tally.answered("read", planned, self._now())
            self.record.read_back(parse_state(player_of(reply.body)), floor)

    async def _read_items(self, planned: float) -> None:
        """Read the items and compare them with the record, unless the fate of a command is still open."""
        reply = await self.client.send(requests.read_items(), self.identity.any_channel(self._random))
        if self._succeeded(reply):
            self._tally.answered("items", planned, self._now())
            if not self.record.open:
                self.record.item_faults += self.record.belongings.faults(reply.body)

    async def _read_board(self, name: str, board: str, planned: float) -> None:
        request = requests.board_top(board, 10) if name == "board" else requests.board_around(board, 3)
        reply = await self.client.send(request, self.identity.channel)
        if self._succeeded(reply):
            self._tally.answered(name, planned, self._now())

    async def _log_in(self) -> None:
        reply = await self.client.log_in()
        if self._succeeded(reply, must=True) and player_id(reply.body.get("player")) != self.record.player_id:
            self.record.problems.append(f"the device of player {self.record.player_id} opened another's session")

    def _succeeded(self, reply: Reply, *, must: bool = False) -> bool:
        """Count how a request ended; if it `must` succeed, any other final answer is a problem."""
        if reply.answer is None:
            self._tally.happened["gave up"] += 1
            return False
        count_refusal(self._tally, reply.answer)
        if must and not reply.ok:
            code, detail = reply.answer.code, reply.answer.detail
            self.record.problems.append(f"{self.identity.name} was answered with {code}: {detail}")
        return reply.ok

    def _on_player(self, player: Any) -> None:
        """Take a state that came with a hello or a push."""
        try:
            self.record.see(parse_state(player))
        except BadAnswerError as error:
            self.record.problems.append(str(error))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
