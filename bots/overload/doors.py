"""The doors that are overloaded, and what is asked at each.

The deadlines are what the server promises of each wait: 5 s in a queue, and then 2 s of one statement or transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Protocol

from bots.load.hunter import ARGS, Hunter
from bots.overload.questions import DoorQuestion, Heard, Treatment
from bots.play import identities
from bots.play.bot import Bot
from bots.wire.command_ids import CommandIds

QUEUE_SECONDS, STATEMENT_SECONDS = 5.0, 2.0
DEADLINE = QUEUE_SECONDS + STATEMENT_SECONDS
BOARD = "exp"


@dataclass(frozen=True, slots=True)
class Cast:
    """Who asks: `actors` act and read, `guests` sign in, which ends their older sessions; `tag` begins new names."""

    host: str
    random: Random
    tag: str
    actors: Sequence[Bot] = ()
    guests: Sequence[Bot] = ()


class Questioner(Protocol):
    """Makes a door's questions, and learns from the answers what to ask next."""

    def question(self) -> DoorQuestion:
        """Make the next question."""

    def hear(self, question: DoorQuestion, heard: Heard) -> None:
        """Take an answer."""

    def drop(self, question: DoorQuestion) -> None:
        """Take back a question that was never sent."""


class Reads:
    """Prepared requests, one of them at random."""

    def __init__(self, requests: Sequence[bytes], random: Random) -> None:
        self._requests, self._random = requests, random

    def question(self) -> DoorQuestion:
        """Choose a request."""
        return DoorQuestion(self._random.choice(self._requests))

    def hear(self, question: DoorQuestion, heard: Heard) -> None:
        """Nothing depends on the answer."""

    def drop(self, question: DoorQuestion) -> None:
        """Nothing was begun."""


class Acts:
    """Hunts and rests of the actors; a command is open in its actor's record from when it is made."""

    def __init__(self, cast: Cast, *, on_socket: bool) -> None:
        self._cast, self._on_socket = cast, on_socket
        self._hunters = [Hunter() for _ in cast.actors]
        self._ids, self._numbers = CommandIds(), count(1)

    def question(self) -> DoorQuestion:
        """Choose an actor, which does what it has to do next."""
        index = self._cast.random.randrange(len(self._hunters))
        action, command_id, number = self._hunters[index].next(), self._ids.next(), next(self._numbers)
        actor = self._cast.actors[index]
        actor.record.send(command_id)
        if self._on_socket:
            fields = f'"command_id":"{command_id}","action":"{action}","args":{ARGS[action]}'
            payload = f'{{"id":{number},"op":"act",{fields}}}'.encode()
        else:
            body = f'{{"action":"{action}","args":{ARGS[action]}}}'
            path = "/v1/players/me/actions"
            payload = post(path, self._cast.host, body, key=command_id, token=actor.client.token or "")
        return DoorQuestion(payload, number, (index, command_id))

    def hear(self, question: DoorQuestion, heard: Heard) -> None:
        """Let the actor know its HP."""
        hunter = self._hunters[question.about[0]]
        if heard.treatment is Treatment.ANSWERED:
            hunter.answered(heard.body)
        elif heard.treatment is Treatment.REFUSED:
            hunter.refused(heard.code.rpartition(" ")[2])

    def drop(self, question: DoorQuestion) -> None:
        """Close a command that was never sent."""
        index, command_id = question.about
        self._cast.actors[index].record.open.discard(command_id)


class NewPlayers(Reads):
    """A new player each time, with a device."""

    def __init__(self, cast: Cast) -> None:
        super().__init__((), cast.random)
        self._cast, self._ids, self._numbers = cast, CommandIds(), count(1)

    def question(self) -> DoorQuestion:
        """Make a player that nobody has made."""
        identity = identities.make("o", self._cast.tag, next(self._numbers), self._cast.random, ())
        body = f'{{"name":"{identity.name}","class":"{identity.class_name}","device":"{identity.device}"}}'
        return DoorQuestion(post("/v1/players", self._cast.host, body, key=self._ids.next()), about=identity)


def post(path: str, host: str, body: str, *, key: str = "", token: str = "") -> bytes:
    """Make a whole request; `key` is the command id."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [f"Idempotency-Key: {key}"] if key else []
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()


def _get(path: str, host: str, token: str = "") -> bytes:
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{authorization}\r\n".encode()


def _sign_ins(cast: Cast) -> Questioner:
    bodies = (f'{{"device":"{guest.identity.device}"}}' for guest in cast.guests)
    return Reads([post("/v1/sessions", cast.host, body) for body in bodies], cast.random)


def _own_reads(cast: Cast, path: str) -> Questioner:
    tokens = (actor.client.token or "" for actor in cast.actors)
    return Reads([_get(path, cast.host, token) for token in tokens], cast.random)


def _top(cast: Cast) -> Questioner:
    return Reads([_get(f"/v1/boards/{BOARD}?limit=100", cast.host)], cast.random)


@dataclass(frozen=True, slots=True)
class OverloadDoor:
    """A door: who makes its questions, and the `deadline` of its answers, in seconds.

    `at_once` questions under way are enough to find its capacity. One that `keeps` its answers is proved by the state.
    """

    name: str
    questioner: Callable[[Cast], Questioner]
    on_socket: bool = False
    keeps: bool = False
    at_once: int = 128
    deadline: float = DEADLINE


DOORS: Mapping[str, OverloadDoor] = {
    door.name: door
    for door in (
        OverloadDoor("sign-up", NewPlayers, keeps=True),
        OverloadDoor("sign-in", _sign_ins),
        OverloadDoor("act-http", lambda cast: Acts(cast, on_socket=False), keeps=True),
        OverloadDoor("act-socket", lambda cast: Acts(cast, on_socket=True), on_socket=True, keeps=True, at_once=512),
        OverloadDoor("read", lambda cast: _own_reads(cast, "/v1/players/me")),
        OverloadDoor("ledger", lambda cast: _own_reads(cast, "/v1/players/me/ledger")),
        OverloadDoor("top", _top),
    )
}
