"""What play notices of an operator's export: the time of actions at a fixed rate, with and without exports beside them.

    make run CONFIG=config/sharded.toml
    .venv/bin/gameserver demo --config config/sharded.toml --players 1000000
    CONFIG=config/sharded.toml .venv/bin/python -m tests.bench.beside

Quiet and busy turns alternate, so that what else the machine does falls on both alike.
"""

import asyncio
import os
import time
from pathlib import Path

import aiohttp
import uvloop
from rich.console import Console
from rich.table import Table

from bots.count.latencies import Latencies
from gameserver.config.settings import Settings, load
from gameserver.waiting import cancel_and_wait

PLAYERS, RATE = 50, 100
"""How many act, and how many actions a second all of them send."""
TURNS, SECONDS = 6, 15
"""Turns of each kind, and how long one is."""


async def main() -> None:
    settings = load(Path(os.environ.get("CONFIG", "config/sharded.toml")))
    url = f"http://{settings.node.host}:{settings.node_port(1)}"
    times = {False: Latencies(), True: Latencies()}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        tokens = [await sign_in(session, url, number) for number in range(1, PLAYERS + 1)]
        await play(session, url, tokens, Latencies())
        for turn in range(2 * TURNS):
            is_busy = turn % 2 == 1
            exporting = [asyncio.create_task(export_for_ever(session, settings))] if is_busy else []
            await play(session, url, tokens, times[is_busy])
            assert not any(task.done() for task in exporting)
            await cancel_and_wait(exporting)
    table = Table("beside play", "actions", "median ms", "p99 ms", "longest ms")
    for is_busy, latencies in times.items():
        figures = (latencies.at(50), latencies.at(99), latencies.longest())
        row = ("an export" if is_busy else "nothing", str(latencies.count), *(f"{1000 * each:.1f}" for each in figures))
        table.add_row(*row)
    Console().print(table)
    Console().print(f"load average {os.getloadavg()[0]:.1f}")


async def sign_in(session: aiohttp.ClientSession, url: str, number: int) -> str:
    """The token of a player of `gameserver demo`."""
    async with session.post(f"{url}/v1/sessions", json={"device": f"demo-device-{number:07}"}) as response:
        body = await response.json()
        assert response.status == 201, body
        return str(body["session"]["token"])


async def play(session: aiohttp.ClientSession, url: str, tokens: list[str], times: Latencies) -> None:
    """One turn: actions begin when they are due, however long those before them take."""
    began, acts = time.perf_counter(), list[asyncio.Task[None]]()
    for number in range(RATE * SECONDS):
        await asyncio.sleep(began + number / RATE - time.perf_counter())
        acts.append(asyncio.create_task(act(session, url, tokens[number % PLAYERS], times)))
    await asyncio.gather(*acts)


async def act(session: aiohttp.ClientSession, url: str, token: str, times: Latencies) -> None:
    began, headers = time.perf_counter(), {"Authorization": f"Bearer {token}"}
    body = {"action": "rest", "args": {}}
    async with session.post(f"{url}/v1/players/me/actions", json=body, headers=headers) as response:
        assert response.status in (200, 409), await response.text()
        await response.read()
    times.record(time.perf_counter() - began)


async def export_for_ever(session: aiohttp.ClientSession, settings: Settings) -> None:
    """One export after the other, each read to its end."""
    key = settings.admin_keys()["operator"].get_secret_value()
    url = f"http://{settings.node.host}:{settings.node_port(1)}/admin/v1/rankings/export"
    while True:
        async with session.get(url, headers={"Authorization": f"Bearer {key}"}) as response:
            assert response.status == 200, await response.text()
            async for _ in response.content.iter_any():
                pass


if __name__ == "__main__":
    uvloop.run(main())
