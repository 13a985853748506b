"""A client's connection: how long it may take to say what it wants, and what answers what isn't HTTP.

Law: a request that aiohttp refuses before any handler sees it gets the same form of error as all others. A connection
that hasn't sent the whole head of a request HEAD_SECONDS after its first byte, or after it was opened, is closed;
bodies have a deadline of their own (`inputs`). A client that leaves much unread for UNREAD_SECONDS is cut. One that
shuts its sending side is answered all that it has asked. What isn't HTTP counts as a request of its address, in the
limits and in its turns. Nothing that it holds is logged, for that may be a token: a client whose socket was
refused may say hello nevertheless. A connection beyond what its address may have is answered 429 and closed before
anything is read or made for it.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import structlog
from aiohttp import hdrs, web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import LineTooLong

from gameserver import telemetry
from gameserver.rules.errors import GameError, RateLimited
from gameserver.transport.callers.sources import Sources
from gameserver.transport.http import marks
from gameserver.transport.http.json_answer import JsonAnswer
from gameserver.transport.http.middleware import problem_response
from gameserver.transport.wire import BadRequest, ExpectationFailed, HeadersTooLarge, UriTooLong

HEAD_SECONDS = 10.0
ANSWER_SECONDS = 10.0
"""How long a WebSocket is answered whose client has shut its sending side."""
UNREAD_SECONDS = 30.0
"""How long a client may leave more than 64 KiB unread."""
LONGEST_LINE, LONGEST_HEADER = 8190, 8189
"""Bytes; they differ so that aiohttp's error tells which one it was."""
log = structlog.get_logger()


class Connection(web.RequestHandler):
    """One per connection; of aiohttp's it overrides only public methods and asyncio's callbacks."""

    __slots__ = (
        "_app",
        "_deadline",
        "_guard",
        "_guarded",
        "_half_closed",
        "_origin",
        "_refused",
        "_sources",
        "_unread",
        "counts_addresses",
        "for_operators",
        "source",
    )

    def __init__(
        self, server: web.Server, app: web.Application, *, sources: Sources | None, for_operators: bool, **options: Any
    ) -> None:
        """Without `sources` nothing is counted by address."""
        super().__init__(server, max_line_size=LONGEST_LINE, max_field_size=LONGEST_HEADER, **options)
        self._app = app
        self._origin: str | None = None
        """The page's that has sent what isn't HTTP, as far as that can be told."""
        self.source: str | None = None
        """What the connection and its requests are counted by; None if they aren't."""
        self.for_operators = for_operators
        """Whether operators' paths are answered here."""
        self.counts_addresses = sources is not None
        self._sources, self._refused = sources, False
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._half_closed = False
        self._guard: Callable[[Any], Any] | None = None
        self._guarded: Any = None
        """The guard of a WebSocket."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._sources is not None:
            peer = transport.get_extra_info("peername")
            try:
                self.source = self._sources.connect(peer[0] if peer else None)
            except RateLimited as error:
                self._refused = True
                self._refuse_connection(cast("asyncio.WriteTransport", transport), error)
                return
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_waiting()
        self._stop_waiting_for_reader()
        if self._sources is not None and self.source is not None:
            self._sources.disconnect(self.source)
            self.source = None
        if not self._refused:
            super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Much waits until the client reads: it has UNREAD_SECONDS for that."""
        if self._refused:
            return
        super().pause_writing()
        self._unread = asyncio.get_running_loop().call_later(UNREAD_SECONDS, self._end_slow_reader)

    def resume_writing(self) -> None:
        if self._refused:
            return
        self._stop_waiting_for_reader()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        if self._payload_parser is not None:
            return
        if self._messages and not isinstance(self._messages[-1][0], RawRequestMessage):
            self._origin = marks.origin_in(data)
        if self._is_idle():
            if self._deadline is None:
                self._expect_head()
        elif self._deadline is not None:
            self._stop_waiting()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Says whether the connection stays open for what is still to be written."""
        if self._payload_parser is not None:
            return self._half_close_socket()
        if self._refused or self._is_idle():
            return False
        self._half_closed = True
        if self._deadline is None:
            self._expect_head()
        return True

    @property
    def is_reading_paused(self) -> bool:
        return self._reading_paused

    def guard_frames(self, guard: Callable[[Any], Any]) -> None:
        """What wraps the reader of the WebSocket that this connection is about to become."""
        self._guard = guard

    def set_parser(self, parser: Any, data_received_cb: Any = None) -> None:
        """A WebSocket begins: from here on `parser` is given all bytes."""
        self._stop_waiting()
        self._guarded = None if self._guard is None else self._guard(parser)
        super().set_parser(parser if self._guarded is None else self._guarded, data_received_cb)
        if self._half_closed and not self._half_close_socket():
            self.force_close()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 - as aiohttp has it
        """What a WebSocket's guard holds comes before what the kernel does."""
        if self._guarded is None or not self._guarded.is_holding():
            super().resume_reading(resume_parser)

    def _half_close_socket(self) -> bool:
        """Has a WebSocket answer what its client has asked, for ANSWER_SECONDS; returns whether there is anything."""
        if self._guarded is None or not self._guarded.half_close():
            return False
        self._deadline = asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._end_slow_reader)
        return True

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if type(resp) is JsonAnswer:  # almost all are
            pass
        elif isinstance(resp, _Unreadable):
            resp = await self._answer_unreadable(request, resp)
        elif isinstance(resp, web.HTTPExpectationFailed):
            marks.begin(request.headers)
            error = ExpectationFailed("Only `Expect: 100-continue` can be met.")
            resp = await self._answer_unheard(error, request.headers.get(hdrs.ORIGIN))
        if self._half_closed and not self._messages and not resp.prepared:
            resp.force_close()
        return await super().finish_response(request, resp, start_time)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Has what isn't HTTP answered without a traceback: anybody can send as much of it as its limits allow."""
        if status != web.HTTPBadRequest.status_code or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        return _Unreadable(exc)

    async def _answer_unreadable(self, request: web.BaseRequest, unreadable: "_Unreadable") -> web.Response:
        marks.begin({})
        response = await self._answer_unheard(_error_of(unreadable.fault), self._origin)
        if response.status != web.HTTPTooManyRequests.status_code:
            log.warning("malformed request", remote=request.remote, kind=type(unreadable.fault).__name__)
        return response

    async def _answer_unheard(self, error: GameError, origin: str | None) -> web.Response:
        """The refusal of what no handler sees takes its turn and counts as every request of the address does."""
        try:
            await self._take_turn()
        except RateLimited as too_many:
            error = too_many
        response = self._refusal(error, origin)
        telemetry.request_answered("none", "any", response.status).inc()
        return response

    def _refuse_connection(self, transport: asyncio.WriteTransport, error: RateLimited) -> None:
        """Answers a connection that isn't served, whatever it would have asked."""
        marks.begin({})
        response = self._refusal(error, None)
        body = response.body if isinstance(response.body, bytes) else b""
        fields = {**response.headers, "Content-Length": str(len(body)), "Connection": "close"}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        telemetry.request_answered("none", "any", response.status).inc()
        transport.write(f"HTTP/1.1 {response.status} {response.reason}\r\n{head}\r\n".encode() + body)
        transport.close()

    def _refusal(self, error: GameError, origin: str | None) -> web.Response:
        response = problem_response(error)
        marks.mark(self._app, response, origin)
        response.force_close()
        return response

    async def _take_turn(self) -> None:
        """Raises RateLimited if the address has had its requests."""
        if self._sources is None or self.source is None:
            return
        if (turn := self._sources.admit_unreadable(self.source)) is not None:
            await turn

    def _is_idle(self) -> bool:
        """Whether no request has fully arrived that isn't answered yet."""
        return not self._messages and not self._request_in_progress and self._waiter is not None

    def _expect_head(self) -> None:
        self._deadline = asyncio.get_running_loop().call_later(HEAD_SECONDS, self._end_slow_head)

    def _end_slow_head(self) -> None:
        self._deadline = None
        if self._is_idle() or not self._request_count:
            self.force_close()

    def _end_slow_reader(self) -> None:
        self._unread = None
        if self.transport is not None:
            self.transport.abort()

    def _stop_waiting_for_reader(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _Unreadable(web.Response):
    """Stands for the answer to what isn't HTTP until its turn comes; it is never sent."""

    def __init__(self, fault: BaseException | None) -> None:
        super().__init__()
        self.fault = fault


def _error_of(fault: BaseException | None) -> GameError:
    """The wire's error for a fault of aiohttp's parser."""
    if isinstance(fault, LineTooLong):
        if fault.args[1] == LONGEST_LINE:
            return UriTooLong(f"The path and query may have at most {LONGEST_LINE} bytes.")
        return HeadersTooLarge(f"A header may have at most {LONGEST_HEADER} bytes.")
    if "Too many headers" in str(fault):
        return HeadersTooLarge("The request has too many headers.")
    return BadRequest()
