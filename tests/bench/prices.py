"""`make bench-prices`: the processor time that each kind of attack takes from the servers, as a share of one core.

Processor time holds still where latencies don't, so this says on a busy machine, too, what one hostile address or
account costs everybody: its rate within the limits that are given by default, times what an answer costs. A first spell
spends the bursts, the second one is measured; a spell without any attack before it says what the servers do anyhow. The
account has acted as fast as it may before, for an account without a past is cheap to read, and got most of it refused.
"""

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from tests.bench.attacker import KINDS
from tests.bench.attacks import bystander, letters
from tests.bench.greedy import acts
from tests.bench.hostile import default_limits
from tests.bench.processor import seconds_of
from tests.bench.stack import Stack, running
from tests.bench.worker import Worker, worker
from tests.support.client import Api
from tests.support.haproxy import haproxy

CONFIG = Path(os.environ.get("CONFIG", "config/one.toml"))
SECONDS = float(os.environ.get("SECONDS", "6"))
PLAYERS = int(os.environ.get("PLAYERS", "2000"))
"""On the boards."""
STRANGERS = 100
DEAR = 0.05
"""Of a core, on any kind of server."""
SERVERS = ("node", "postgres", "redis")
console = Console(width=170)


async def main(kinds: list[str]) -> None:
    default_limits()
    async with (
        running(CONFIG, players=PLAYERS) as stack,
        haproxy(stack.folder, stack.settings, stack.ports) as proxy,
        Api(proxy.url) as api,
    ):
        strangers = await stack.some_players(STRANGERS)
        victim = await api.sign_up(device=os.urandom(24).hex(), password="the owner's own password 7")
        await asyncio.sleep(SECONDS)  # boards are built, and what the load left is done
        table = Table("kind", "answers a second", "cores: node, postgres, redis", "\u00b5s an answer", "")
        for number, kind in enumerate(kinds):
            hostile = await api.sign_up("mage", device=os.urandom(24).hex())
            known = {
                "token": hostile.token,
                "device": hostile.device,
                "victim": victim.name,
                "strangers": strangers,
            }
            where = (proxy.url, f"127.0.1.{number + 1}", str(SECONDS))
            async with worker("attacker", proxy.url, f"127.0.2.{number + 1}", str(SECONDS)) as past:
                past.tell(known)
                for played in (acts, letters):
                    await spell(stack, past, played.__name__)
            async with worker("attacker", *where, "eager") as attacker:
                attacker.tell(known)
                table.add_row(kind, *await price(stack, attacker, kind))
        console.print(table)


async def price(stack: Stack, attacker: Worker, kind: str) -> tuple[str, ...]:
    """A row of the table."""
    idle, _, _ = await spell(stack, attacker, bystander.__name__)
    burst, _, _ = await spell(stack, attacker, kind)
    spent, answers, seconds = await spell(stack, attacker, kind)
    cores = {name: max(0.0, spent[name] - idle[name]) for name in SERVERS}
    total = max(1, sum(answers.values()))
    rates = ", ".join(f"{name} {number / seconds:,.0f}" for name, number in sorted(answers.items()))
    share = ", ".join(f"{cores[name]:.3f}" for name in SERVERS)
    each = ", ".join(f"{cores[name] * seconds / total * 1e6:,.0f}" for name in SERVERS)
    first = ", ".join(f"{max(0.0, burst[name] - idle[name]):.2f}" for name in SERVERS)
    dear = [name for name in SERVERS if cores[name] > DEAR]
    return rates, share, each, f"with the burst: {first}" + (f"; dear: {', '.join(dear)}" if dear else "")


async def spell(stack: Stack, attacker: Worker, kind: str) -> tuple[Mapping[str, float], Counter[str], float]:
    """Shares of one core by kind of server, what the attacker was answered, and how long it took."""
    before, began = seconds_of(stack.pids()), time.perf_counter()
    attacker.tell(kind)
    answers = Counter[str](await asyncio.wait_for(attacker.hear(), SECONDS + 60))
    seconds, after = time.perf_counter() - began, seconds_of(stack.pids())
    return {name: (after[name] - before[name]) / seconds for name in after}, answers, seconds


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:] or [kind for kind in KINDS if kind != bystander.__name__]))
