"""A client's connection: how long it may take to say what it wants, and what answers what isn't HTTP.

Law: a request that aiohttp refuses before any handler sees it gets the same form of error as all others. A connection
that hasn't sent the whole head of a request HEAD_SECONDS after its first byte, or after it was opened, is closed;
bodies have a deadline of their own (`inputs`). A client that shuts its sending side is answered all that it has asked.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from gameserver import telemetry
from gameserver.rules.errors import GameError
from gameserver.transport.http.middleware import problem_response
from gameserver.transport.wire import BadRequest, ExpectationFailed, HeadersTooLarge, UriTooLong

HEAD_SECONDS = 10.0
LONGEST_LINE, LONGEST_HEADER = 8190, 8189
"""Bytes; they differ so that aiohttp's error tells which one it was."""
LONGEST_TEXT = 300
"""Characters of the parser's error in the log."""
log = structlog.get_logger()


class Connection(web.RequestHandler):
    """One per connection; of aiohttp's it overrides only public methods and asyncio's callbacks."""

    __slots__ = ("_deadline", "_guard", "_half_closed")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, max_line_size=LONGEST_LINE, max_field_size=LONGEST_HEADER, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self._half_closed = False
        self._guard: Callable[[Any], Any] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._payload_parser is not None:
            return
        if self._is_idle():
            if self._deadline is None:
                self._expect_head()
        elif self._deadline is not None:
            self._stop_waiting()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Says whether the connection stays open for what is still to be written."""
        if self._payload_parser is not None or self._is_idle():
            return False
        self._half_closed = True
        if self._deadline is None:
            self._expect_head()
        return True

    def guard_frames(self, guard: Callable[[Any], Any]) -> None:
        """What wraps the reader of the WebSocket that this connection is about to become."""
        self._guard = guard

    def set_parser(self, parser: Any, data_received_cb: Any = None) -> None:
        """A WebSocket begins: from here on `parser` is given all bytes."""
        self._stop_waiting()
        super().set_parser(parser if self._guard is None else self._guard(parser), data_received_cb)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if isinstance(resp, web.HTTPExpectationFailed):
            resp = _refusal(ExpectationFailed("Only `Expect: 100-continue` can be met."))
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
        """Answers what isn't HTTP, without a traceback: anybody can send as much of it as it likes."""
        if status != web.HTTPBadRequest.status_code or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        telemetry.request_answered("none", "any", status).inc()
        log.warning("malformed request", remote=request.remote, error=" ".join(f"{exc}".split())[:LONGEST_TEXT])
        return _refusal(_error_of(exc))

    def _is_idle(self) -> bool:
        """Whether no request has fully arrived that isn't answered yet."""
        return not self._messages and not self._request_in_progress and self._waiter is not None

    def _expect_head(self) -> None:
        self._deadline = asyncio.get_running_loop().call_later(HEAD_SECONDS, self._end_slow_head)

    def _end_slow_head(self) -> None:
        self._deadline = None
        if self._is_idle() or not self._request_count:
            self.force_close()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _refusal(error: GameError) -> web.Response:
    telemetry.request_id.set(telemetry.new_request_id())
    response = problem_response(error)
    response.headers["X-Request-Id"] = telemetry.request_id.get()
    response.force_close()
    return response


def _error_of(fault: BaseException | None) -> GameError:
    """The wire's error for a fault of aiohttp's parser."""
    if isinstance(fault, LineTooLong):
        if fault.args[1] == LONGEST_LINE:
            return UriTooLong(f"The path and query may have at most {LONGEST_LINE} bytes.")
        return HeadersTooLarge(f"A header may have at most {LONGEST_HEADER} bytes.")
    if "Too many headers" in str(fault):
        return HeadersTooLarge("The request has too many headers.")
    return BadRequest()


class Site(web.TCPSite):
    """Listens on a port, with connections of this kind."""

    async def start(self) -> None:
        await web.BaseSite.start(self)
        server = self._runner.server
        if not isinstance(server, web.Server):
            raise TypeError("the runner isn't set up")
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(server, loop=loop, **server._kwargs),
            self._host,
            self._port,
            backlog=self._backlog,
            reuse_port=self._reuse_port,
        )
