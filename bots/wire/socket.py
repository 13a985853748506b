"""A WebSocket of the game: one task reads, and passes answers to the waiting requests and pushes to a listener.

The law: when the connection ends, for whatever reason, every waiting request ends in LostError; none is left hanging.
"""

import asyncio
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

import aiohttp
import orjson

from bots.wire import answers
from bots.wire.answers import CLOSE_CODES, Answer, AnswerKind
from bots.wire.errors import BadAnswerError
from bots.wire.http import CONNECT_SECONDS
from bots.wire.requests import SUBPROTOCOL

HEARTBEAT_SECONDS = 10.0
CLOSE_SECONDS = 2.0

PushListener = Callable[["GameSocket", Mapping[str, Any]], None]
EndListener = Callable[["GameSocket"], None]


class GameSocket:
    """One open socket; requests may be pipelined. `on_end` is called for an end that `close` didn't cause.

    `leave_after` is the delay, in seconds, that the server announced with `going_away`; None without one.
    """

    def __init__(
        self, ws: aiohttp.ClientWebSocketResponse, url: str, on_push: PushListener, on_end: EndListener
    ) -> None:
        self.url = url
        self._ws = ws
        self._on_push = on_push
        self._on_end = on_end
        self._ids = count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._reader = asyncio.create_task(self._read())
        self.ended = False
        self.leave_after: float | None = None

    @classmethod
    async def connect(
        cls, session: aiohttp.ClientSession, url: str, on_push: PushListener, on_end: EndListener
    ) -> "GameSocket":
        """Open a socket to the node at `url`; raises LostError when that fails."""
        address = f"ws{url.removeprefix('http')}/v1/socket"
        timeout = aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                ws = await session.ws_connect(
                    address, protocols=(SUBPROTOCOL,), timeout=timeout, heartbeat=HEARTBEAT_SECONDS
                )
        except aiohttp.WSServerHandshakeError as error:
            raise answers.lost(f"handshake_{error.status}", arrived=False) from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise answers.lost("cannot_connect", arrived=False) from error
        return cls(ws, url, on_push, on_end)

    async def send(self, op: str, fields: Mapping[str, Any], seconds: float) -> Answer:
        """Send one request and wait for its answer; raises LostError if none arrives in time."""
        if self.ended:
            raise answers.lost("disconnected", arrived=False)
        number = next(self._ids)
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        try:
            async with asyncio.timeout(seconds):
                frame = orjson.dumps({"id": number, "op": op, **fields})
                await self._ws.send_frame(frame, aiohttp.WSMsgType.TEXT)
                return await waiting
        except TimeoutError as error:
            raise answers.lost("timeout", arrived=True) from error
        except (aiohttp.ClientError, OSError) as error:
            raise answers.lost("disconnected", arrived=True) from error
        finally:
            self._waiting.pop(number, None)

    async def until_ended(self, seconds: float) -> None:
        """Wait until the connection has ended, for at most `seconds`."""
        await asyncio.wait({self._reader}, timeout=seconds)

    async def quiet(self) -> None:
        """Wait until every request has been answered or given up."""
        while waiting := [answer for answer in self._waiting.values() if not answer.done()]:
            await asyncio.wait(waiting)

    async def close(self) -> None:
        """Close the socket and wait for its reader, for no longer than CLOSE_SECONDS each."""
        self.ended = True
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._ws.close()
        except (TimeoutError, aiohttp.ClientError, OSError):
            self._reader.cancel()
        await asyncio.wait({self._reader}, timeout=CLOSE_SECONDS)

    async def _read(self) -> None:
        code = "disconnected"
        try:
            async for message in self._ws:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take(orjson.loads(message.data))
        except (aiohttp.ClientError, OSError):
            code = "disconnected"
        except (orjson.JSONDecodeError, BadAnswerError):
            code = "bad_answer"
        finally:
            self._end(CLOSE_CODES.get(self._ws.close_code or 0, code))

    def _take(self, frame: Any) -> None:
        if not isinstance(frame, dict):
            raise BadAnswerError(f"expected a frame, got {frame!r:.80}")
        if "push" in frame:
            self._on_push(self, frame)
            return
        waiting = self._waiting.pop(frame.get("id", 0), None)
        if waiting is not None and not waiting.done():
            waiting.set_result(read_answer(frame))

    def _end(self, code: str) -> None:
        unexpected, self.ended = not self.ended, True
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(answers.lost(code, arrived=True))
        self._waiting.clear()
        if unexpected:
            self._on_end(self)


def read_answer(frame: Mapping[str, Any]) -> Answer:
    """Read the answer in a frame: `ok` or `error`."""
    if "ok" in frame:
        return Answer(AnswerKind.OK, body=frame["ok"] or {})
    error = frame.get("error") or {}
    return answers.refusal(error, None, error.get("retry_after"))
