"""What bots cost: actions per second of processor time over sockets, and what a thousand more of them take.

`python -m tests.bench.bots` starts a server that answers at once, and lets 200 bots act without pauses,
then many bots that act once in ten seconds. Processor time is the bots' own.
"""

import asyncio
import resource
import subprocess
import sys
import time

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
MIX = (MixRow("grinder"),)


async def measure(url: str, players: int, rate: float) -> dict[str, float]:
    """Let bots play, and return the actions, and the processor time that they took."""
    async with http.open_session() as session:
        played = Swarm(SwarmPlan(players, SECONDS, 1.0, rate, 1, "cost", mix=MIX), Tally(), asyncio.Event())
        recruits = await playing.sign_up(played, Network(session, (url,)))
        before, began = time.process_time(), time.monotonic()
        await playing.play(recruits)
        used, took = time.process_time() - before, time.monotonic() - began
        await swarm.close(played.bots)
    problems = [problem for bot in played.bots for problem in bot.record.faults()]
    assert not problems, problems[:3]
    assert not played.tally.errors, played.tally.errors
    totals = played.tally.recorder.seconds
    return {
        "players": players, "answers": sum(second.counts.all().planned.count for second in totals),
        "cpu": used, "seconds": took, "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip


async def main(url: str) -> None:
    allow_files(12_000)
    for players, rate in ((200, 0.0), (1000, 0.1), (10_000, 0.1)):
        figures = await measure(url, players, rate)
        sys.stdout.write(
            f"{players:6,} bots, rate {rate:g}: {figures['answers'] / figures['seconds']:8,.0f} answers/s, "
            f"{figures['cpu'] / figures['seconds']:5.0%} of a core, "
            f"{figures['answers'] / figures['cpu']:8,.0f} answers per second of processor time, "
            f"{figures['rss']:,.0f} MiB at most so far\n"
        )
        sys.stdout.flush()


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
