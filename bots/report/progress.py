"""Live progress of a run: one line that is updated in place on a terminal, plain lines elsewhere."""

import asyncio
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.text import Text

from bots.play.swarm import Swarm

PLAIN_SECONDS = 5


async def show(console: Console, swarm: Swarm) -> None:
    """Show a line a second on a terminal, one every 5 s elsewhere, until cancelled."""
    if not console.is_terminal:
        await _follow(swarm, lambda line: console.print(line, highlight=False), PLAIN_SECONDS)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        await _follow(swarm, lambda line: live.update(Text(line), refresh=True), 1)


async def _follow(swarm: Swarm, show_line: Callable[[str], object], seconds: int) -> None:
    before = 0
    while True:
        await asyncio.sleep(seconds)
        tally = swarm.tally
        total = tally.acknowledged.total()
        show_line(
            f"{swarm.phase}: {len(swarm.signed_up)} players, {(total - before) / seconds:,.0f} actions/s, "
            f"p99 {tally.recent_p99() * 1000:,.1f} ms, errors {tally.errors.total():,}, "
            f"reconnects {tally.happened['reconnects']:,}"
        )
        before = total
