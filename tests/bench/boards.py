"""`make bench-boards`: reads of a large board over HTTP, on a deployment that runs and has its players already.

BOARD names it, URL where it runs. Each question is asked over 32 kept connections for some seconds, in three rounds;
medians are told. `classes`, which asks nothing of anybody, is the door's own cost on this machine at this moment: trust
the ratios to it. Of the places around a player and of one rank, players are drawn at random from the whole board.
"""

import asyncio
import os
import random
import statistics
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from bots.load.rawhttp import HttpConnection

SECONDS, ROUNDS, CONNECTIONS, PLAYERS = 4.0, 3, 32, 2_000
URL = os.environ.get("URL", "http://127.0.0.1:8080")
BOARD = os.environ.get("BOARD", "exp")
Path = Callable[[], str]


def request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {urlsplit(URL).netloc}\r\n\r\n".encode()


async def ask(path: str) -> dict[str, object]:
    """One answer, decoded."""
    done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def take(_: int, body: bytes) -> None:
        done.set_result(body)

    connection = await _connected(take)
    connection.send(request(path))
    told: dict[str, object] = orjson.loads(await done)
    connection.close()
    return told


async def _connected(take: Callable[[int, bytes], bytes | None]) -> HttpConnection:
    address = urlsplit(URL)
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(
        lambda: HttpConnection(take, lambda _: None), address.hostname or "127.0.0.1", address.port or 80
    )
    return connection


async def measure(path: Path) -> tuple[float, float, float]:
    """Answers a second, and the median and 99th percentile of their times, in ms."""
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    connections = [await _asking(path, times, end) for _ in range(CONNECTIONS)]
    started = time.perf_counter()
    await asyncio.sleep(SECONDS + 0.5)
    for each in connections:
        each.close()
    times.sort()
    rate = len(times) / (SECONDS + time.perf_counter() - started - SECONDS - 0.5)
    return rate, 1000 * times[len(times) // 2], 1000 * times[int(len(times) * 0.99)]


async def _asking(path: Path, times: list[float], end: float) -> HttpConnection:
    sent = [0.0]

    def take(status: int, _: bytes) -> bytes | None:
        now = time.perf_counter()
        if status == 200:
            times.append(now - sent[0])
        sent[0] = now
        return request(path()) if now < end else None

    connection = await _connected(take)
    sent[0] = time.perf_counter()
    connection.send(request(path()))
    return connection


async def some_players() -> tuple[list[str], object]:
    """Ids from all over the board, by jumping from one to those around another."""
    told = await ask(f"/v1/boards/{BOARD}?limit=200")
    total, first = int(str(told["total"])), told["entries"]
    assert isinstance(first, list)
    found = {each["player"]["id"] for each in first}
    cursor = told["next_cursor"]
    while cursor and len(found) < min(total, PLAYERS):
        name, season, score, member = str(cursor).split("~")
        lower = int(score) - max(1, int(score) // 12)
        told = await ask(f"/v1/boards/{BOARD}?limit=200&cursor={name}~{season}~{max(lower, 0)}~{member}")
        entries = told["entries"]
        assert isinstance(entries, list)
        found |= {each["player"]["id"] for each in entries}
        cursor = told["next_cursor"] if lower > 0 else None
    return sorted(found), total


async def main() -> None:
    players, total = await some_players()
    asked: dict[str, Path] = {
        "classes": lambda: "/v1/classes",
        "top 100": lambda: f"/v1/boards/{BOARD}?limit=100",
        "around, 5 on either side": lambda: f"/v1/boards/{BOARD}/around/{random.choice(players)}?radius=5",
        "rank of one": lambda: f"/v1/boards/{BOARD}/ranks/{random.choice(players)}",
    }
    table = Table("question", "answers/s", "of classes", "median ms", "p99 ms", title=f"{BOARD}: {total:,} players")
    rounds = [{name: await measure(path) for name, path in asked.items()} for _ in range(ROUNDS)]
    for name in asked:
        rate, middle, late = (statistics.median(each[name][part] for each in rounds) for part in range(3))
        ratio = statistics.median(each[name][0] / each["classes"][0] for each in rounds)
        table.add_row(name, f"{rate:,.0f}", f"{ratio:.2f}", f"{middle:.1f}", f"{late:.1f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    uvloop.run(main())
