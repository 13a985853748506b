"""Runs closed loops for one measurement: opens their connections, sends the first requests, waits for the end."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bots.load.closed_loop import SocketLoad, hello
from bots.load.measure import Measure
from bots.wire.connecting import Endpoint, connect_http, connect_socket
from bots.wire.rawhttp import HttpConnection
from bots.wire.rawsocket import SocketConnection

DRAIN_SECONDS = 5.0


class HttpLoop(Protocol):
    """What one HTTP connection sends, with one request in flight."""

    def in_flight(self) -> int:
        """How many requests wait for an answer."""

    def request(self, now: float) -> bytes:
        """Make the next request, sent at `now`."""

    def on_answer(self, status: int, body: bytes) -> bytes | None:
        """Count an answer and return the next request, or None at the end."""

    def on_end(self, reason: str) -> None:
        """Count what was in flight when the connection ended."""


@dataclass(frozen=True, slots=True)
class SocketUse:
    """One socket: where it is opened, whose it is, and its loop."""

    endpoint: Endpoint
    token: str
    load: SocketLoad


async def run_http(measure: Measure, loops: Sequence[tuple[Endpoint, HttpLoop]]) -> None:
    """Run these loops until the measurement is over. Raises ConnectionError or TimeoutError."""
    opened: list[HttpConnection] = []
    try:
        for endpoint, loop in loops:
            opened.append(await connect_http(endpoint, loop.on_answer, loop.on_end))
        measure.start()
        for connection, (_, loop) in zip(opened, loops, strict=True):
            connection.send(loop.request(time.monotonic()))
        await _finish(measure, lambda: sum(loop.in_flight() for _, loop in loops))
    finally:
        for connection in opened:
            connection.close()


async def run_sockets(measure: Measure, uses: Sequence[SocketUse], in_flight: int) -> None:
    """Say hello on each socket, and run their loops with so many requests in flight on each.

    Raises ConnectionError or TimeoutError.
    """
    opened: list[SocketConnection] = []
    try:
        for use in uses:
            connection = await connect_socket(use.endpoint, use.load.on_text, use.load.on_end)
            opened.append(connection)
            connection.send(hello(use.token))
            async with asyncio.timeout(DRAIN_SECONDS):
                await use.load.greeting.done
        measure.start()
        for connection, use in zip(opened, uses, strict=True):
            connection.send(b"".join(use.load.request(time.monotonic()) for _ in range(in_flight)))
        await _finish(measure, lambda: sum(use.load.in_flight() for use in uses))
    finally:
        for connection in opened:
            connection.close()


async def _finish(measure: Measure, in_flight: Callable[[], int]) -> None:
    """Wait for the end of the window, then for the answers in flight; those that don't come count as errors."""
    await asyncio.sleep(measure.ends - time.monotonic())
    measure.end()
    deadline = time.monotonic() + DRAIN_SECONDS
    while in_flight() and time.monotonic() < deadline:  # noqa: ASYNC110 (an event would cost the hot path)
        await asyncio.sleep(0.01)
    if in_flight():
        measure.errors["unanswered"] += in_flight()
