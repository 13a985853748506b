"""Sends bad requests over many connections, and sees that each is refused: never 5xx, never success of a change."""

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from urllib.parse import urlsplit

from gameserver.transport.route import Route
from tests.fuzz.callers import BadRequest, Callers
from tests.fuzz.hostile import bad_request

CONNECTIONS = 32
IN_A_ROW = 16
"""Requests that are sent before their answers are read."""
SECONDS = 30.0
"""Longest wait for an answer, or for the end of a connection."""
KEPT_OUT = (401, 403)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Volley:
    """Bad requests from a seed to one node; `statuses` counts the answers."""

    def __init__(self, url: str, callers: Callers, seed: int, routes: Sequence[Route]) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname, address.port
        self._callers, self._seed, self._routes = callers, seed, routes
        self.statuses: Counter[int] = Counter()
        self.sent = 0
        self.reached: set[str] = set()
        """The operations that were refused for more than the caller's key."""
        self.accepted: list[bytes] = []
        """Requests, without their answers, that weren't refused as they should have been."""

    async def send(self, count: int) -> None:
        """Sends this many, over CONNECTIONS at a time."""
        numbers = iter(range(count))
        async with asyncio.TaskGroup() as tasks:
            for _ in range(CONNECTIONS):
                tasks.create_task(self._send_some(numbers))

    async def _send_some(self, numbers: Iterator[int]) -> None:
        while batch := list(itertools.islice(numbers, IN_A_ROW)):
            requests = [self._make(number) for number in batch]
            self.sent += len(requests)
            # A connection ends with what isn't HTTP: what comes behind it goes over the next one.
            while requests:
                answered = await self._exchange(requests)
                requests = requests[max(answered, 1) :]

    def _make(self, number: int) -> BadRequest:
        """The request of this number: each operation has its turn."""
        return bad_request(Random(f"{self._seed} {number}"), self._routes[number % len(self._routes)], self._callers)

    async def _exchange(self, requests: list[BadRequest]) -> int:
        """Sends these over one connection; returns how many of them were answered before its end."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        answers: list[int] = []
        try:
            async with asyncio.timeout(SECONDS):
                writer.write(b"".join(request.raw for request in requests))
                writer.write_eof()
                answers = _statuses(await reader.read())
        except TimeoutError:
            raise
        except OSError:  # the server has cut the connection already
            pass
        finally:
            writer.close()
        for request, status in zip(requests, answers, strict=False):
            self.statuses[status] += 1
            if request.operation is not None and status not in KEPT_OUT:
                self.reached.add(request.operation)
            if status >= 500 or (status < 400 and (request.operation or not request.raw.startswith(b"GET"))):
                self.accepted.append(request.raw[:2000] + b" -> %d" % status)
        return len(answers)


def _statuses(data: bytes) -> list[int]:
    """The status of each answer."""
    statuses, position = [], 0
    while data.startswith(b"HTTP/1.", position):
        head_end = data.find(b"\r\n\r\n", position)
        length = _LENGTH.search(data, position, head_end)
        statuses.append(int(data[position + 9 : position + 12]))
        position = head_end + 4 + (0 if length is None else int(length[1]))
    return statuses
