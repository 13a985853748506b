"""One bot's life: sign up, play by what it was last told, and keep the record for the proof.

It sends one command at a time, so the order of its versions is known. A small share of commands is sent twice
on purpose under the same id, at once or later, through either door: the two answers must agree.
"""

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Any

from bots.count.tally import Tally
from bots.play import choices
from bots.play.belongings import Belongings
from bots.play.catalogue import Catalogue
from bots.play.identities import Identity
from bots.play.told import Told
from bots.wire import wire
from bots.wire.client import pause
from bots.wire.command_ids import CommandIds
from bots.wire.door import Door
from bots.wire.events import parse_sent
from bots.wire.link import Link, Reply

LOGS_IN_AGAIN = 0.2
SENT_TWICE_AT_ONCE = 0.01
SENT_TWICE_IN_A_ROW = 0.01
SENT_AGAIN_LATE = 0.02


@dataclass(frozen=True, slots=True)
class Play:
    """When to play, in seconds of the loop's clock; `rate` in actions/s, 0 for as fast as answers come."""

    starts: float
    ends: float
    rate: float
    stop: asyncio.Event


class Bot:
    """A player of the swarm."""

    def __init__(self, identity: Identity, link: Link, ids: CommandIds, tally: Tally, random: Random) -> None:
        self.identity = identity
        self.link = link
        self.told = Told()
        self._belongings = Belongings()
        self._ids = ids
        self._tally = tally
        self._random = random
        self._earlier: tuple[wire.Request, wire.Answer] | None = None
        link.pushes.on_player = self._hear

    async def sign_up(self) -> bool:
        """Make the player, under one key until there is an answer; a share logs in again with the device."""
        command_id = self._ids.next()
        body = {"name": self.identity.name, "class": self.identity.class_name, "device": self.identity.device}
        started = self._now()
        request = wire.Request("sign_up", "POST", "/v1/players", body=body, key=command_id)
        reply = await self.link.ask(request, Door.HTTP)
        if not self._succeeded(reply, must=True):
            return False
        assert reply.answer is not None
        self._tally.acknowledge("sign_up", started, self._now())
        player = reply.answer.body.get("player")
        self.told.signed_up(command_id, player_id(player), wire.parse_state(player))
        self.link.open_session(reply.answer.body)
        if self._random.random() < LOGS_IN_AGAIN:
            await self._log_in()
        return True

    async def play(self, catalogue: Catalogue, play: Play) -> None:
        """Do one thing after another until the play ends; what is planned and not begun by then is unsent."""
        chooser = choices.Chooser(catalogue, self._random)
        step = 1.0 / play.rate if play.rate else 0.0
        planned = play.starts + self._random.random() * (step or 0.05)
        while planned < play.ends:
            if await pause(planned - self._now(), play.stop):
                return
            if self._now() >= play.ends:
                self._tally.unsent += round((play.ends - planned) / step) if step else 0
                return
            await self._turn(chooser, catalogue, planned)
            planned = planned + step if step else self._now()

    async def _turn(self, chooser: choices.Chooser, catalogue: Catalogue, planned: float) -> None:
        if self._earlier is not None and self._random.random() < SENT_AGAIN_LATE:
            await self._send_again()
        assert self.told.latest is not None
        choice = chooser.choose(self.told.latest, self._belongings.owned())
        boards = catalogue.boards_of(self.told.latest.class_name)
        if choice.args is not None:
            await self._act(choice.name, choice.args, planned)
        elif choice.name == "items":
            await self._read_items(planned)
        elif choice.name != "read" and boards:
            await self._look(choice.name, self._random.choice(boards).name, planned)
        else:
            await self._read(planned)

    async def _act(self, action: str, args: Any, planned: float) -> None:
        request = wire.act(self._ids.next(), action, args)
        assert request.key is not None
        self.told.send(request.key)
        first, again = await self._send(request)
        settled = first if first.answer is not None else again or first
        self._settle(request, settled, uncertain=first.uncertain or (again is not None and again.uncertain))
        if settled.answer is not None and settled.answer.kind is wire.Kind.OK:
            self._tally.acknowledge(action, planned, self._now())
        self._compare(request.key, first, again)

    async def _send(self, request: wire.Request) -> tuple[Reply, Reply | None]:
        """Send a command once, or twice at once, or twice in a row; the second time through any door."""
        chance = self._random.random()
        if chance < SENT_TWICE_AT_ONCE:
            async with asyncio.TaskGroup() as group:
                first = group.create_task(self.link.ask(request, self._door()))
                again = group.create_task(self.link.ask(request, self._any_door()))
            return first.result(), again.result()
        reply = await self.link.ask(request, self._door())
        if chance < SENT_TWICE_AT_ONCE + SENT_TWICE_IN_A_ROW:
            return reply, await self.link.ask(request, self._any_door())
        return reply, None

    async def _send_again(self) -> None:
        """Send an acknowledged command of some turns ago once more: its first answer must come back."""
        assert self._earlier is not None
        request, answer = self._earlier
        self._earlier = None
        again = await self.link.ask(request, self._any_door())
        self._compare(str(request.key), Reply(answer), again)

    def _settle(self, request: wire.Request, reply: Reply, *, uncertain: bool) -> None:
        """Enter a command's final answer into the record."""
        answer, command_id = reply.answer, str(request.key)
        if answer is None:
            self._tally.happened["unknown fate"] += 1
        elif answer.kind is wire.Kind.OK:
            self._check_ids(answer.body, command_id)
            state = wire.parse_state(answer.body.get("player"))
            self.told.acknowledge(command_id, state, parse_sent(answer.body.get("events")))
            self._belongings.add(answer.body.get("events"))
            self._trust(answer)
            if self._earlier is None:
                self._earlier = request, answer
        else:
            self.told.refuse(command_id, uncertain=uncertain)
            self._count(answer)

    def _check_ids(self, body: Any, command_id: str) -> None:
        told = body.get("command_id"), player_id(body.get("player"))
        if told != (command_id, self.told.player_id):
            self.told.problems.append(f"{command_id} of player {self.told.player_id} was answered for {told}")

    def _compare(self, command_id: str, first: Reply, again: Reply | None) -> None:
        if again is None:
            return
        self._tally.happened["sent twice"] += 1
        if first.answer is None or again.answer is None:
            return
        if first.answer.kind is wire.Kind.OK and again.answer.kind is wire.Kind.OK:
            self.told.compare(command_id, first.answer.body, again.answer.body)
        elif first.answer.code != again.answer.code:
            codes = [answer.code or "ok" for answer in (first.answer, again.answer)]
            self.told.disagreements.append(f"{command_id}: told {codes[0]} and {codes[1]}")

    async def _read(self, planned: float) -> None:
        assert self.told.latest is not None
        floor = self.told.latest.version
        reply = await self.link.ask(wire.read_me(), self._any_door())
        if self._succeeded(reply):
            assert reply.answer is not None
            self._tally.answered("read", planned, self._now())
            self.told.read_back(wire.parse_state(player_of(reply.answer.body)), floor)

    async def _read_items(self, planned: float) -> None:
        """What is owned is known to the last item, unless a command's fate isn't."""
        reply = await self.link.ask(wire.read_items(), self._any_door())
        if self._succeeded(reply):
            assert reply.answer is not None
            self._tally.answered("items", planned, self._now())
            if not self.told.open:
                self.told.problems += self._belongings.faults(reply.answer.body)

    async def _look(self, name: str, board: str, planned: float) -> None:
        request = wire.board_top(board, 10) if name == "board" else wire.board_around(board, 3)
        reply = await self.link.ask(request, self._door())
        if self._succeeded(reply):
            self._tally.answered(name, planned, self._now())

    async def _log_in(self) -> None:
        reply = await self.link.log_in()
        if self._succeeded(reply, must=True):
            assert reply.answer is not None
            if player_id(reply.answer.body.get("player")) != self.told.player_id:
                self.told.problems.append(f"the device of player {self.told.player_id} opened another's session")

    def _succeeded(self, reply: Reply, *, must: bool = False) -> bool:
        """Count how a request ended; if it `must` succeed, any other final answer is a problem."""
        if reply.answer is None:
            self._tally.happened["gave up"] += 1
            return False
        self._count(reply.answer)
        succeeded = reply.answer.kind is wire.Kind.OK
        if must and not succeeded:
            answer = reply.answer
            self.told.problems.append(f"{self.identity.name} was answered {answer.code}: {answer.detail}")
        return succeeded

    def _count(self, answer: wire.Answer) -> None:
        if answer.kind is wire.Kind.REFUSED:
            self._tally.refused[answer.code] += 1
        elif answer.kind is wire.Kind.FAILED:
            self._tally.errors[answer.code] += 1

    def _hear(self, player: Any) -> None:
        """Take a state that came with a hello or a push."""
        try:
            self.told.hear(wire.parse_state(player))
        except wire.BadAnswerError as error:
            self.told.problems.append(str(error))

    def _trust(self, answer: wire.Answer) -> None:
        """Ask later reads to see what was just acknowledged."""
        version = answer.body["player"]["version"]
        self.link.consistency = f"{self.told.player_id}:{version}"

    def _door(self) -> Door:
        return self.identity.doors[0]

    def _any_door(self) -> Door:
        return self._random.choice(self.identity.doors)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def player_of(body: Any) -> Any:
    """Return the player in an answer, with or without an envelope."""
    return body.get("player", body)


def player_id(player: Any) -> str:
    """Return a player's id; raises BadAnswerError."""
    value = player.get("id") if isinstance(player, dict) else None
    if not isinstance(value, str):
        raise wire.BadAnswerError(f"expected a player with an id, got {player!r:.120}")
    return value
