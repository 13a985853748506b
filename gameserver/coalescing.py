"""Questions that come while others are under way share the next call.

One round trip costs more of a node's time than most questions do, so whoever asks the same service at about the same
time is answered by one call.

Law: a call takes only questions that were asked before it began, so an answer is never older than its question. At
most `flights` calls are under way, each with at most `together` questions; at most `waiting` questions wait beside
them, each for at most `seconds`. What exceeds these bounds is refused and was never part of a call. How long one call
takes is bounded by the call itself. A question whose caller has left is still asked, and its answer dropped.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from gameserver.waiting import cancel_and_wait

QuestionT = TypeVar("QuestionT")
ReplyT = TypeVar("ReplyT")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Calls under way, questions in a call, questions that wait, and for how long one may wait: each at the most."""

    flights: int
    together: int
    waiting: int
    seconds: float


_Waiting = tuple[QuestionT, asyncio.Future[ReplyT], float]
"""A question, its reply to come, and since when it waits, by the loop's clock."""


class Coalescer(Generic[QuestionT, ReplyT]):
    """Answers through `call`, which gives the replies in the order of the questions; a reply may be an exception.

    `refusal` makes the exception for what the bounds don't admit; `close` ends the calls.
    """

    def __init__(
        self,
        call: Callable[[Sequence[QuestionT]], Awaitable[Sequence[ReplyT | Exception]]],
        bounds: Bounds,
        refusal: Callable[[str], Exception],
    ) -> None:
        self._call, self._bounds, self._refusal = call, bounds, refusal
        self._waiting: list[_Waiting[QuestionT, ReplyT]] = []
        self._flights: set[asyncio.Task[None]] = set()
        self._starting = self._closed = False

    def ask(self, question: QuestionT) -> asyncio.Future[ReplyT]:
        """The reply to come; it raises what the call does. Raises the refusal at once when too many wait."""
        if len(self._waiting) >= self._bounds.waiting or self._closed:
            raise self._refusal("Too many questions are waiting.")
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[ReplyT] = loop.create_future()
        self._waiting.append((question, reply, loop.time()))
        if not self._starting and len(self._flights) < self._bounds.flights:
            self._start()
        return reply

    async def close(self) -> None:
        """Ends the calls, and refuses whatever waits and whatever is asked from now on."""
        self._closed = True
        waiting, self._waiting = self._waiting, []
        self._refuse(waiting, "The node is stopping.")
        await cancel_and_wait(self._flights)

    def _start(self) -> None:
        """Begins another flight, which takes its questions when the loop comes to it."""
        self._starting = True
        self._flights.add(asyncio.create_task(self._fly()))

    async def _fly(self) -> None:
        """Call after call until no question waits; then it has ended at once, for who asks again on hearing a reply."""
        self._starting = False
        try:
            while self._waiting and (taken := self._take()):
                if self._waiting and not self._starting and len(self._flights) < self._bounds.flights:
                    self._start()
                await self._answer(taken)
        finally:
            self._flights.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    def _take(self) -> Sequence[_Waiting[QuestionT, ReplyT]]:
        """The next call's questions; those that have waited for too long are refused."""
        oldest = asyncio.get_running_loop().time() - self._bounds.seconds
        late = 0
        while late < len(self._waiting) and self._waiting[late][2] < oldest:
            late += 1
        self._refuse(self._waiting[:late], "The question has waited for too long.")
        taken = self._waiting[late : late + self._bounds.together]
        del self._waiting[: late + len(taken)]
        return taken

    async def _answer(self, taken: Sequence[_Waiting[QuestionT, ReplyT]]) -> None:
        try:
            replies = await self._call([question for question, _, _ in taken])
        except Exception as error:
            for _, future, _ in taken:
                if not future.done():
                    future.set_exception(copy(error))  # each caller adds to a traceback of its own
            return
        except BaseException:
            self._refuse(taken, "The node is stopping.")
            raise
        for (_, future, _), reply in zip(taken, replies, strict=True):
            if future.done():
                continue
            if isinstance(reply, Exception):
                future.set_exception(copy(reply))
            else:
                future.set_result(reply)

    def _refuse(self, refused: Iterable[_Waiting[QuestionT, ReplyT]], detail: str) -> None:
        for _, future, _ in refused:
            if not future.done():
                future.set_exception(self._refusal(detail))
