"""What bots cost: processor time an answer over sockets, and what a thousand more of them take (`make bench-bots`).

A server that answers at once runs in another process; 200 bots act without pauses, then many bots act once in ten
seconds. Processor time is the bots' own, with recording and the bookkeeping of the proof.
"""

import asyncio
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from statistics import median

import uvloop

from bots.count.tally import Tally
from bots.play import playing, swarm
from bots.play.plan import MixRow, SwarmPlan
from bots.play.swarm import Swarm
from bots.wire import http
from bots.wire.connecting import allow_files
from bots.wire.network import Network
from tests.support.repository import ROOT

SECONDS = 5.0
ROUNDS = 5
MIX = (MixRow("grinder"),)


async def measure(url: str, players: int, rate: float) -> dict[str, float]:
    """Let bots play, and return the actions, and the processor time that they took."""
    async with http.open_session() as session:
        played = Swarm(SwarmPlan(players, SECONDS, 1.0, rate, 1, "cost", mix=MIX), Tally(), asyncio.Event())
        recruits = await playing.sign_up(played, Network(session, (url,)))
        before, began = os.times(), time.monotonic()
        await playing.play(recruits)
        after, took = os.times(), time.monotonic() - began
        await swarm.close(played.bots)
    problems = [problem for bot in played.bots for problem in bot.record.faults()]
    assert not problems, problems[:3]
    assert not played.tally.errors, played.tally.errors
    totals = played.tally.recorder.seconds
    return {
        "players": players,
        "answers": sum(second.counts.all().planned.count for second in totals),
        "cpu": after.user + after.system - before.user - before.system,
        "system": after.system - before.system,
        "seconds": took,
        "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def shown(figures: Mapping[str, float]) -> str:
    """One run on a line."""
    return (
        f"{figures['players']:6,} bots: {figures['answers'] / figures['seconds']:7,.0f} answers/s, "
        f"{figures['cpu'] / figures['answers'] * 1e6:6.1f} µs of processor time an answer "
        f"({figures['system'] / figures['cpu']:.0%} the system's), "
        f"{figures['cpu'] / figures['seconds']:5.1%} of a core, {figures['rss']:,.0f} MiB at most so far\n"
    )


async def main(url: str) -> None:
    """The busiest bots several times, since a busy machine only adds to what they cost; then many that rest."""
    allow_files(12_000)
    costs = []
    for players, rate in (*[(200, 0.0)] * ROUNDS, (1000, 0.1), (10_000, 0.1)):
        figures = await measure(url, players, rate)
        sys.stdout.write(shown(figures))
        sys.stdout.flush()
        if not rate:
            costs.append(figures["cpu"] / figures["answers"])
    sys.stdout.write(
        f"without pauses: {min(costs) * 1e6:.1f} µs an answer at best, {median(costs) * 1e6:.1f} in the middle of "
        f"{ROUNDS} rounds; one core reaches {1 / min(costs):,.0f} and {1 / median(costs):,.0f} answers/s; "
        f"load average {os.getloadavg()[0]:.1f}\n"
    )


if __name__ == "__main__":
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.instant_server"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        uvloop.run(main(f"http://127.0.0.1:{int(server.stdout.readline())}"))
    finally:
        server.terminate()
        server.wait()
