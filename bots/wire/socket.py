"""A WebSocket of the game: one task reads, and hands answers to those who wait and pushes to a listener.

When the connection ends, whatever the reason, every waiting request ends in LostError; none is left hanging.
"""

import asyncio
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

import aiohttp
import orjson

from bots.wire import wire
from bots.wire.client import CONNECT_SECONDS

HEARTBEAT_SECONDS = 10.0
CLOSE_SECONDS = 2.0

PushListener = Callable[["Socket", Mapping[str, Any]], None]
EndListener = Callable[["Socket"], None]


class Socket:
    """One open socket; requests may be pipelined. `on_end` hears of an end that we didn't bring about.

    `leave_after` is how many seconds after its announcement the server wants to be left, None if it doesn't.
    """

    def __init__(
        self, ws: aiohttp.ClientWebSocketResponse, url: str, on_push: PushListener, on_end: EndListener
    ) -> None:
        self.url = url
        self._ws = ws
        self._on_push = on_push
        self._on_end = on_end
        self._ids = count(1)
        self._waiting: dict[int, asyncio.Future[wire.Answer]] = {}
        self._reader = asyncio.create_task(self._read())
        self.ended = False
        self.leave_after: float | None = None

    @classmethod
    async def connect(
        cls, session: aiohttp.ClientSession, url: str, on_push: PushListener, on_end: EndListener
    ) -> "Socket":
        """Open a socket to the node at `url`; raises LostError when that fails."""
        address = f"ws{url.removeprefix('http')}/v1/socket"
        timeout = aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                ws = await session.ws_connect(
                    address, protocols=(wire.SUBPROTOCOL,), timeout=timeout, heartbeat=HEARTBEAT_SECONDS
                )
        except aiohttp.WSServerHandshakeError as error:
            raise wire.lost(f"handshake_{error.status}", arrived=False) from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise wire.lost("cannot_connect", arrived=False) from error
        return cls(ws, url, on_push, on_end)

    async def ask(self, op: str, fields: Mapping[str, Any], seconds: float) -> wire.Answer:
        """Send one request and wait for its answer; raises LostError if none came in time."""
        if self.ended:
            raise wire.lost("disconnected", arrived=False)
        number = next(self._ids)
        waiting: asyncio.Future[wire.Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        try:
            async with asyncio.timeout(seconds):
                frame = orjson.dumps({"id": number, "op": op, **fields})
                await self._ws.send_frame(frame, aiohttp.WSMsgType.TEXT)
                return await waiting
        except TimeoutError as error:
            raise wire.lost("timeout", arrived=True) from error
        except (aiohttp.ClientError, OSError) as error:
            raise wire.lost("disconnected", arrived=True) from error
        finally:
            self._waiting.pop(number, None)

    async def until_ended(self, seconds: float) -> None:
        """Wait until the connection has ended, for so long at the most."""
        await asyncio.wait({self._reader}, timeout=seconds)

    async def quiet(self) -> None:
        """Wait until every request has been answered or given up."""
        while waiting := [each for each in self._waiting.values() if not each.done()]:
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
        except (orjson.JSONDecodeError, wire.BadAnswerError):
            code = "bad_answer"
        finally:
            self._end(wire.CLOSE_CODES.get(self._ws.close_code or 0, code))

    def _take(self, frame: Any) -> None:
        if not isinstance(frame, dict):
            raise wire.BadAnswerError(f"expected a frame, got {frame!r:.80}")
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
                waiting.set_exception(wire.lost(code, arrived=True))
        self._waiting.clear()
        if unexpected:
            self._on_end(self)


def read_answer(frame: Mapping[str, Any]) -> wire.Answer:
    """Read the answer in a frame: `ok` or `error`."""
    if "ok" in frame:
        return wire.Answer(wire.Kind.OK, body=frame["ok"] or {})
    error = frame.get("error") or {}
    return wire.refusal(error, None, error.get("retry_after"))
