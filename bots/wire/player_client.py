"""One player's client: its session, its socket, and the retries of each request until there is a final answer.

The law: a request that got no answer, or a retryable one, is sent again under the same key, over any channel and to
any node, until a final answer or the time limit. A reply without an answer says whether the request may have taken
effect.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from bots.count.tally import Tally
from bots.history.lines import FAIL, INFO, OK
from bots.history.writer import HistoryWriter
from bots.wire import http, requests
from bots.wire.answers import LOGIN, RETRY, Answer, AnswerKind, LostError
from bots.wire.backoff import Backoff
from bots.wire.channel import SOCKET, Channel
from bots.wire.connection import PlayerConnection
from bots.wire.errors import BadAnswerError
from bots.wire.interruptions import LOST
from bots.wire.network import Network
from bots.wire.requests import Request

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
SHORTEST_ATTEMPT = 0.1


class Reply(NamedTuple):
    """How a request ended: its final answer, or None, and the answers to the failed attempts before it."""

    answer: Answer | None
    failures: Sequence[Answer] = ()

    @property
    def ok(self) -> bool:
        """Whether the final answer is a success."""
        return self.answer is not None and self.answer.ok

    @property
    def body(self) -> Mapping[str, Any]:
        """The body of the final answer; empty without one."""
        return {} if self.answer is None else self.answer.body

    @property
    def uncertain(self) -> bool:
        """Whether an attempt may have taken effect, whatever the final answer says."""
        is_last = self.answer is not None and self.answer.uncertain
        return is_last or (bool(self.failures) and any(attempt.uncertain for attempt in self.failures))

    @property
    def last_code(self) -> str:
        """The code of the last attempt that failed."""
        return self.failures[-1].code if self.failures else ""

    def require(self, what: str, error: type[Exception]) -> Mapping[str, Any]:
        """Return the body of a successful answer; raises `error` with a sentence about `what` otherwise."""
        if self.answer is None:
            raise error(f"no answer to {what} ({self.last_code})")
        if not self.answer.ok:
            raise error(f"{what} was answered with {self.answer.code}: {self.answer.detail}")
        return self.body


class PlayerClient:
    """Sends requests on behalf of one player; several may be under way at a time."""

    def __init__(self, network: Network, tally: Tally, random: Random, device: str | None) -> None:
        self._network = network
        self._tally = tally
        self._random = random
        self._device = device
        self.process = 0 if network.history is None else network.history.new_process()
        self._connection = PlayerConnection(network, tally, random, lambda: self.token, self.process)
        self.pushes = self._connection.pushes
        self.token: str | None = None

    async def send(self, request: Request, channel: Channel) -> Reply:
        """Send a request until there is a final answer or the time limit has passed."""
        operation = 0 if self._network.history is None else self._begin(request, self._network.history)
        reply = await self._send_until_final(request, channel)
        if self._network.history is not None:
            self._network.history.end(self.process, operation, _end(reply), request.name, _told(reply))
        if request.op == "act":
            self._count_action(reply)
        return reply

    def _begin(self, request: Request, history: HistoryWriter) -> int:
        """Write into the history that a request is about to be sent; returns its number there."""
        value = {"method": request.method, "path": request.path, **(request.body or {})}
        if request.key is not None:
            value["command_id"] = request.key
        if request.token is not None:
            value["at_least"] = request.fields.get("at_least")
        return history.invoke(self.process, request.name, value)

    async def _send_until_final(self, request: Request, channel: Channel) -> Reply:
        now = time.monotonic
        deadline = now() + self._network.patience_seconds
        answer = await self._attempt(request, channel, self._network.patience_seconds)
        if answer.kind is LOGIN:
            answer = await self._admitted(request, answer, deadline)
        if answer.kind is not RETRY:
            return Reply(answer)
        backoff, failures = Backoff(self._random, FIRST_PAUSE, LONGEST_PAUSE), [answer]
        while True:
            pause = _pause(backoff.next(), answer.retry_after, self._random)
            if now() + pause >= deadline:
                return Reply(None, failures)
            await asyncio.sleep(pause)
            channel = self._next_channel(request, channel)
            answer = await self._attempt(request, channel, deadline - now())
            if answer.kind is LOGIN:
                answer = await self._admitted(request, answer, deadline)
            if answer.kind is not RETRY:
                return Reply(answer, failures)
            failures.append(answer)

    async def _admitted(self, request: Request, denied: Answer, deadline: float) -> Answer:
        """Open another session after one has ended; returns an answer that says whether to make another attempt."""
        now = time.monotonic()
        self._tally.fail(request.name, denied.code, now)
        return await self._renew(denied, deadline - now)

    def _count_action(self, reply: Reply) -> None:
        """Count what went wrong before an action's final answer, and end an interruption."""
        if reply.answer is None:
            self._tally.hurt["given up"] += 1
        elif reply.failures:
            is_lost = any(attempt.lost for attempt in reply.failures)
            self._tally.hurt["retried after a lost connection" if is_lost else "retried after an error"] += 1
        if reply.ok:
            self._connection.interruption.acknowledged()

    async def log_in(self) -> Reply:
        """Open a new session with the device; a failed attempt is retried as for any request."""
        reply = await self.send(requests.log_in(self._device), Channel.HTTP)
        if reply.ok:
            self._tally.happened["logins"] += 1
            self.open_session(reply.body)
        return reply

    def open_session(self, body: Mapping[str, Any]) -> None:
        """Take the token from the answer to a sign-up or log-in."""
        session = body.get("session")
        token = session.get("token") if isinstance(session, Mapping) else None
        if not isinstance(token, str):
            raise BadAnswerError(f"no session.token in {body!r:.120}")
        self.token = token

    @property
    def connected(self) -> bool:
        """Whether it has an open socket."""
        return self._connection.connected

    async def close(self) -> None:
        """Close the socket, if there is one."""
        await self._connection.close()

    async def _attempt(self, request: Request, channel: Channel, seconds: float) -> Answer:
        longest = self._network.attempt_seconds
        seconds = longest if seconds >= longest else max(SHORTEST_ATTEMPT, seconds)
        try:
            if channel is SOCKET and request.op:
                answer = await self._connection.send(request.op, request.fields, seconds)
                node = self._connection.node
            else:
                url = self._random.choice(self._network.urls)
                answer = await http.send(self._network.session, url, request, self._headers(), seconds)
                node = answer.node or url
            self._tally.recorder.came_from(node, time.monotonic())
        except LostError as error:
            answer = error.answer
            if answer.kind is RETRY:
                self._connection.interruption.begin(LOST)
            if channel is SOCKET and answer.code == "timeout":
                await self.close()
        if answer.kind is RETRY:
            self._tally.fail(request.name, answer.code, time.monotonic())
            self._tally.happened["retries"] += 1
        return answer

    def _headers(self) -> dict[str, str]:
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}

    def _next_channel(self, request: Request, channel: Channel) -> Channel:
        if not request.op or not self._connection.had_socket:
            return channel
        return self._random.choice((Channel.HTTP, Channel.SOCKET))

    async def _renew(self, denied: Answer, seconds: float) -> Answer:
        """Log in again after a denial; returns an answer that says to retry, or the log-in's failure."""
        if self._device is None:
            return denied._replace(kind=AnswerKind.FAILED)
        answer = await self._attempt(requests.log_in(self._device), Channel.HTTP, seconds)
        if not answer.ok:
            kind = AnswerKind.FAILED if answer.kind is AnswerKind.LOGIN else answer.kind
            return answer._replace(kind=kind, uncertain=denied.uncertain)
        self._tally.happened["logins"] += 1
        self.open_session(answer.body)
        await self.close()
        return Answer(AnswerKind.RETRY, denied.code, uncertain=denied.uncertain)


def _end(reply: Reply) -> str:
    """The type of the line that ends a request in the history."""
    if reply.answer is None:
        return INFO
    if reply.ok:
        return OK
    return INFO if reply.uncertain and reply.answer.kind is not AnswerKind.REFUSED else FAIL


def _told(reply: Reply) -> Mapping[str, Any]:
    if reply.ok:
        return reply.body
    code = reply.last_code if reply.answer is None else reply.answer.code
    return {"code": code, "refused": reply.answer is not None and reply.answer.kind is AnswerKind.REFUSED}


def _pause(backoff: float, retry_after: float | None, random: Random) -> float:
    """Return the seconds to wait: the backoff, but never less than the server's Retry-After."""
    return max(backoff, (retry_after or 0.0) * random.uniform(1.0, 1.25))
