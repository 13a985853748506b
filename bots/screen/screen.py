"""Shows a run until cancelled: on a terminal one screen that is drawn anew every half second, elsewhere plain lines."""

import asyncio
from collections.abc import Callable

from rich.console import Console
from rich.live import Live

from bots.screen import panels
from bots.screen.view import View

DRAWN_SECONDS = 0.5
PLAIN_SECONDS = 5


async def show(console: Console, view: View, refresh: Callable[[], None]) -> None:
    """Show `view`, which `refresh` brings up to date, until cancelled."""
    if not console.is_terminal:
        while True:
            await asyncio.sleep(PLAIN_SECONDS)
            refresh()
            console.print(line(view), highlight=False)
    with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            refresh()
            live.update(panels.draw(view, console), refresh=True)
            await asyncio.sleep(DRAWN_SECONDS)


def line(view: View) -> str:
    """Return the state in one line."""
    rate, p99 = view.recent(PLAIN_SECONDS)
    errors = view.totals.all().errors.total()
    return f"{view.phase}: {view.players:,} players, {rate:,.0f} answers/s, p99 {p99 * 1000:,.1f} ms, errors {errors:,}"
