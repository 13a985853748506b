"""Decides which requests are traced, and notes their spans.

Law: a request is traced as a whole or not at all, as decided at its door: the share of `sample_ratio` by dice, and
beyond it a bounded number a second of those that their callers trace. A commit and a board's write serve many requests,
so each is a trace of its own, with a link to every traced action; an action has a link to its commit.
"""

import random
import time
from collections.abc import Awaitable, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import TypeVar

from gameserver.rules.pacing import SECOND_NS, Pace
from gameserver.telemetry import request_id
from gameserver.tracing.contexts import SpanContext, parse
from gameserver.tracing.spans import Attributes, EndedSpan, SpanQueue

LINKS = 1_000
"""Links of one span, at the most: a board's write has more spans then; a commit leaves them out."""
ENDS = ("done", "replayed")
"""How an action ends that took effect."""

_current: ContextVar[SpanContext | None] = ContextVar("span", default=None)
Answer = TypeVar("Answer")


class Tracer:
    """One per node, if its settings say `[tracing] enabled`."""

    def __init__(self, queue: SpanQueue, sample_ratio: float, callers_per_second: int) -> None:
        self._queue = queue
        self._ratio = sample_ratio
        self._pace = Pace(SECOND_NS // callers_per_second, callers_per_second) if callers_per_second else None
        self._rest = 0

    def request(self, traceparent: object) -> "DoorSpan | None":
        """Begins the span of a request, with what its caller sent as `traceparent`; None if it isn't traced."""
        caller = parse(traceparent) if traceparent is not None else None
        wished = caller is not None and caller.sampled and self._may_follow()
        if not wished and random.random() >= self._ratio:  # noqa: S311
            return None
        parent = None if caller is None else caller.context
        context = SpanContext.root() if parent is None else parent.child()
        return DoorSpan(self._queue, context, parent, _current.set(context), time.time_ns())

    def command(self, action: str, command_id: str) -> "CommandSpan | None":
        """Begins the span of a player's action; None if its request isn't traced."""
        parent = _current.get()
        if parent is None:
            return None
        now = time.time_ns()
        return CommandSpan(self._queue, parent.child(), parent, action, command_id, now, now)

    async def commit(
        self, database: str, traced: Sequence["CommandSpan"], size: int, work: Awaitable[Answer]
    ) -> Answer:
        """Awaits the group commit of `size` commands, of which these are traced: their wait in the queue ends."""
        context, began = SpanContext.root(), time.time_ns()
        for span in traced:
            span.leave_queue(context, began, database)
        failed = ""
        try:
            return await work
        except BaseException as error:
            failed = type(error).__name__
            raise
        finally:
            ended = time.time_ns()
            for span in traced:
                span.waits_since = ended
            attributes: Attributes = {
                "gameserver.database": database,
                "gameserver.commands": size,
                "gameserver.traced": len(traced),
            }
            links = [span.context for span in traced[:LINKS]]
            self._queue.put(EndedSpan("commit", context, began, ended, attributes, links=links, failed=failed))

    def board_write(self, database: str, times: tuple[int, int], players: int, actions: Sequence[SpanContext]) -> None:
        """Notes what brought `actions` to the boards, among the changes of `players`; `times` in Unix nanoseconds."""
        attributes: Attributes = {"gameserver.database": database, "gameserver.players": players}
        for first in range(0, len(actions), LINKS):
            links = actions[first : first + LINKS]
            self._queue.put(EndedSpan("board write", SpanContext.root(), *times, attributes, links=links))

    def _may_follow(self) -> bool:
        """Whether one more request is traced because its caller says so."""
        now = time.monotonic_ns()
        if self._pace is None or self._pace.wait(self._rest, now) > 0:
            return False
        self._rest = self._pace.spent(self._rest, now)
        return True


@dataclass(slots=True)
class DoorSpan:
    """A request that is being answered; what its handler does belongs to it until `end`."""

    queue: SpanQueue
    context: SpanContext
    parent: SpanContext | None
    token: "Token[SpanContext | None]"
    began: int

    def end(self, name: str, attributes: dict[str, str | int], failed: str = "") -> None:
        """`name` and `attributes` come from the server's own tables; `failed` is the code of the error, if any."""
        _current.reset(self.token)
        attributes["gameserver.request_id"] = request_id.get()
        self.queue.put(
            EndedSpan(name, self.context, self.began, time.time_ns(), attributes, self.parent, (), True, failed)  # noqa: FBT003
        )


@dataclass(slots=True)
class CommandSpan:
    """An action on its way; `waits_since` is when it was put into a group commit's queue last."""

    queue: SpanQueue
    context: SpanContext
    parent: SpanContext
    action: str
    command_id: str
    began: int
    waits_since: int
    commits: list[SpanContext] = field(default_factory=list)

    def leave_queue(self, commit: SpanContext, now: int, database: str) -> None:
        """A commit has taken the command."""
        self.commits.append(commit)
        waited = {"gameserver.database": database}
        self.queue.put(EndedSpan("queue", self.context.child(), self.waits_since, now, waited, self.context))

    def end(self, code: str) -> None:
        """`code` is of ENDS, or the error's."""
        attributes: Attributes = {
            "gameserver.action": self.action,
            "gameserver.command_id": self.command_id,
            "gameserver.request_id": request_id.get(),
            "gameserver.end": code,
        }
        failed = "" if code in ENDS else code
        self.queue.put(
            EndedSpan("command", self.context, self.began, time.time_ns(), attributes, self.parent, self.commits,
                      failed=failed)
        )  # fmt: skip
