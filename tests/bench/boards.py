"""`make bench-boards`: reads of a large board over HTTP, on a running deployment that has its players already.

BOARD names the board, URL the deployment. Each question is asked over 32 open connections for some seconds, in three
rounds; the medians of the rounds are printed. `classes`, which reads no database and no board, is the cost of HTTP
itself on this machine at this moment: trust the ratios to it. The players of `around` and `rank` are drawn at random
from the whole board.
"""

import asyncio
import os
import random
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from bots.count.latencies import Latencies
from bots.wire.connecting import Endpoint, connect_http
from bots.wire.rawhttp import HttpConnection

SECONDS, ROUNDS, CONNECTIONS, PLAYERS = 4.0, 3, 32, 2_000
DRAIN_SECONDS = 0.5
URL = os.environ.get("URL", "http://127.0.0.1:8080")
BOARD = os.environ.get("BOARD", "exp")
ENDPOINT = Endpoint.parse(URL)
Path = Callable[[], str]


class Figures(NamedTuple):
    """What one round of a question measured; times in ms."""

    per_second: float
    median: float
    p99: float


def request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {ENDPOINT.authority}\r\n\r\n".encode()


async def read(path: str) -> dict[str, Any]:
    """One answer, decoded."""
    answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    connection = await connect_http(ENDPOINT, lambda _, body: answer.set_result(body), lambda _: None)
    connection.send(request(path))
    body: dict[str, Any] = orjson.loads(await answer)
    connection.close()
    return body


async def measure(path: Path) -> Figures:
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    connections = [await asking(path, times, end) for _ in range(CONNECTIONS)]
    started = time.perf_counter()
    await asyncio.sleep(SECONDS + DRAIN_SECONDS)
    for connection in connections:
        connection.close()
    rate = len(times) / (time.perf_counter() - started - DRAIN_SECONDS)
    latencies = Latencies()
    for seconds in times:
        latencies.record(seconds)
    return Figures(rate, 1000 * latencies.at(50), 1000 * latencies.at(99))


async def asking(path: Path, times: list[float], end: float) -> HttpConnection:
    """A connection that sends one request after another until `end`, and adds the time of each answer to `times`."""
    sent = [0.0]

    def take(status: int, _: bytes) -> bytes | None:
        now = time.perf_counter()
        if status == 200:
            times.append(now - sent[0])
        sent[0] = now
        return request(path()) if now < end else None

    connection = await connect_http(ENDPOINT, take, lambda _: None)
    sent[0] = time.perf_counter()
    connection.send(request(path()))
    return connection


async def some_players() -> tuple[list[str], int]:
    """Ids from all over the board, and how many players it has; pages are read at falling scores, far apart."""
    page = await read(f"/v1/boards/{BOARD}?limit=200")
    total = int(page["total"])
    players = {entry["player"]["id"] for entry in page["entries"]}
    cursor = page["next_cursor"]
    while cursor and len(players) < min(total, PLAYERS):
        name, season, score, member = str(cursor).split("~")
        lower = int(score) - max(1, int(score) // 12)
        page = await read(f"/v1/boards/{BOARD}?limit=200&cursor={name}~{season}~{max(lower, 0)}~{member}")
        players |= {entry["player"]["id"] for entry in page["entries"]}
        cursor = page["next_cursor"] if lower > 0 else None
    return sorted(players), total


async def main() -> None:
    players, total = await some_players()
    questions: dict[str, Path] = {
        "classes": lambda: "/v1/classes",
        "top 100": lambda: f"/v1/boards/{BOARD}?limit=100",
        "around, 5 on either side": lambda: f"/v1/boards/{BOARD}/around/{random.choice(players)}?radius=5",
        "rank of one": lambda: f"/v1/boards/{BOARD}/ranks/{random.choice(players)}",
    }
    table = Table("question", "answers/s", "of classes", "median ms", "p99 ms", title=f"{BOARD}: {total:,} players")
    rounds = [{name: await measure(path) for name, path in questions.items()} for _ in range(ROUNDS)]
    for name in questions:
        rate, median, p99 = (statistics.median(figures[name][part] for figures in rounds) for part in range(3))
        ratio = statistics.median(figures[name].per_second / figures["classes"].per_second for figures in rounds)
        table.add_row(name, f"{rate:,.0f}", f"{ratio:.2f}", f"{median:.1f}", f"{p99:.1f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    uvloop.run(main())
