"""One player's link to the servers: his session, his socket, and the patience to ask until answered.

The law: a request that got no answer, or one that says "try again", is asked again under the same key, over
any door and any node, until a final answer or the limit of time. Whoever gives up says so, and says whether
the request may have taken effect.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from bots.count.tally import Tally
from bots.wire import client, wire
from bots.wire.backoff import Backoff
from bots.wire.connection import Connection
from bots.wire.door import Door
from bots.wire.interruptions import LOST
from bots.wire.network import Network

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0


@dataclass(frozen=True, slots=True)
class Reply:
    """How a request ended: its final answer, or None, and the answers to the attempts before that failed."""

    answer: wire.Answer | None
    met: Sequence[wire.Answer] = ()

    @property
    def uncertain(self) -> bool:
        """Whether the fate of an attempt is open, whatever the final answer says."""
        return any(each.uncertain for each in self.met)

    @property
    def last_code(self) -> str:
        """The code of the last attempt that failed."""
        return self.met[-1].code if self.met else ""


class Link:
    """Asks on behalf of one player; safe for several requests at a time."""

    def __init__(self, network: Network, tally: Tally, random: Random, device: str | None) -> None:
        self._network = network
        self._tally = tally
        self._random = random
        self._device = device
        self._connection = Connection(network, tally, random, lambda: self.token)
        self.pushes = self._connection.pushes
        self.token: str | None = None
        self.consistency: str | None = None

    async def ask(self, request: wire.Request, door: Door) -> Reply:
        """Ask until there is a final answer or patience ends."""
        reply = await self._ask(request, door)
        if request.op == "act":
            self._count_action(reply)
        return reply

    async def _ask(self, request: wire.Request, door: Door) -> Reply:
        now = asyncio.get_running_loop().time
        deadline = now() + self._network.patience_seconds
        backoff, met = Backoff(self._random, FIRST_PAUSE, LONGEST_PAUSE), list[wire.Answer]()
        while True:
            answer = await self._attempt(request, door, deadline - now())
            if answer.kind is wire.Kind.LOGIN:
                answer = await self._renew(answer, deadline - now())
            if answer.kind is not wire.Kind.RETRY:
                return Reply(answer, met=met)
            met.append(answer)
            pause = _pause(backoff.next(), answer.retry_after, self._random)
            if now() + pause >= deadline:
                return Reply(None, met=met)
            await asyncio.sleep(pause)
            door = self._other_way(request, door)

    def _count_action(self, reply: Reply) -> None:
        """Count what an action met before its final answer, and the end of an interruption."""
        if reply.answer is None:
            self._tally.hurt["given up"] += 1
        elif any(each.lost for each in reply.met):
            self._tally.hurt["retried after a lost connection"] += 1
        elif reply.met:
            self._tally.hurt["retried after an error"] += 1
        if reply.answer is not None and reply.answer.kind is wire.Kind.OK:
            self._connection.interruption.acknowledged()

    async def log_in(self) -> Reply:
        """Open a new session with the device; a failed attempt is retried like any request."""
        request = wire.Request("log_in", "POST", "/v1/sessions", body={"device": self._device})
        reply = await self.ask(request, Door.HTTP)
        if reply.answer is not None and reply.answer.kind is wire.Kind.OK:
            self._tally.happened["logins"] += 1
            self.open_session(reply.answer.body)
        return reply

    def open_session(self, body: Mapping[str, Any]) -> None:
        """Take the token from the answer to a sign-up or log-in."""
        session = body.get("session")
        token = session.get("token") if isinstance(session, Mapping) else None
        if not isinstance(token, str):
            raise wire.BadAnswerError(f"no session.token in {body!r:.120}")
        self.token = token

    async def close(self) -> None:
        """Close the socket, if there is one."""
        await self._connection.close()

    async def _attempt(self, request: wire.Request, door: Door, seconds: float) -> wire.Answer:
        seconds = max(0.1, min(seconds, self._network.attempt_seconds))
        try:
            if door is Door.SOCKET and request.op:
                answer = await self._connection.ask(request.op, request.fields, seconds)
            else:
                url = self._random.choice(self._network.urls)
                answer = await client.send(self._network.session, url, request, self._headers(), seconds)
        except wire.LostError as error:
            answer = error.answer
            if answer.kind is wire.Kind.RETRY:
                self._connection.interruption.begin(LOST)
            if door is Door.SOCKET and answer.code == "timeout":
                await self.close()
        if answer.kind is wire.Kind.RETRY:
            self._tally.errors[answer.code] += 1
            self._tally.happened["retries"] += 1
        return answer

    def _headers(self) -> dict[str, str]:
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        if self.consistency is not None:
            headers["Consistency-Token"] = self.consistency
        return headers

    def _other_way(self, request: wire.Request, door: Door) -> Door:
        if not request.op or not self._connection.had_socket:
            return door
        return self._random.choice((Door.HTTP, Door.SOCKET))

    async def _renew(self, denied: wire.Answer, seconds: float) -> wire.Answer:
        """Log in again after a denial; what comes back tells to retry, or is the log-in's failure."""
        self._tally.errors[denied.code] += 1
        if self._device is None:
            return replace(denied, kind=wire.Kind.FAILED)
        request = wire.Request("log_in", "POST", "/v1/sessions", body={"device": self._device})
        answer = await self._attempt(request, Door.HTTP, seconds)
        if answer.kind is not wire.Kind.OK:
            kind = wire.Kind.FAILED if answer.kind is wire.Kind.LOGIN else answer.kind
            return replace(answer, kind=kind, uncertain=denied.uncertain)
        self._tally.happened["logins"] += 1
        self.open_session(answer.body)
        await self.close()
        return wire.Answer(wire.Kind.RETRY, denied.code, uncertain=denied.uncertain)


def _pause(backoff: float, retry_after: float | None, random: Random) -> float:
    """Return the seconds to wait: the backoff, but never less than what the server asked for."""
    return max(backoff, (retry_after or 0.0) * random.uniform(1.0, 1.25))
