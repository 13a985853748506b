"""`bots bench` and `bots idle`: load without a proof."""

from typing import Annotated

import typer
from rich.console import Console

from bots.cli import preflight
from bots.cli.ending import NOT_OK, carry_out, write
from bots.cli.options import Json, Prefix, Seconds, Urls
from bots.load.bench import MODES, LoadPlan, bench
from bots.load.idle import IdleSockets, idle
from bots.report import figures


def _mode(value: str) -> str:
    if value not in MODES:
        raise typer.BadParameter(f"one of {', '.join(MODES)}")
    return value


def bench_command(  # noqa: PLR0913 (an option each)
    url: Urls,
    sockets: Annotated[int, typer.Option(min=1, metavar="N", help="Connections, of either kind.")] = 64,
    in_flight: Annotated[int, typer.Option(min=1, metavar="N", help="Requests in flight on each socket.")] = 8,
    seconds: Seconds = 10.0,
    mode: Annotated[str, typer.Option(callback=_mode, metavar="MODE", help=f"One of {', '.join(MODES)}.")] = "all",
    name_prefix: Prefix = "bench",
    json: Json = None,
) -> None:
    """Measure acknowledged actions and reads per second in a closed loop."""
    preflight.require_servers(url)
    results = carry_out(bench(tuple(url), mode, LoadPlan(sockets, in_flight, seconds), name_prefix))
    figures.show_bench(Console(stderr=json == "-"), results)
    write(json, [result.as_json() for result in results])
    raise typer.Exit(0 if all(result.latencies.count for result in results) else NOT_OK)


def idle_command(
    url: Urls,
    sockets: Annotated[int, typer.Option(min=1, metavar="N", help="How many sockets to open.")] = 5000,
    players: Annotated[int, typer.Option(min=1, metavar="N", help="How many players share the sockets.")] = 1250,
    seconds: Seconds = 20.0,
    json: Json = None,
) -> None:
    """Open sockets, say hello on each, and hold them open."""
    preflight.require_servers(url)
    console = Console(stderr=json == "-")

    def show(state: IdleSockets) -> None:
        console.print(f"{state.up:,} of {state.wanted:,} sockets are up", highlight=False)

    state = carry_out(idle(tuple(url), sockets, players, seconds, show))
    figures.show_idle(console, state)
    write(json, state.as_json())
    raise typer.Exit(0 if state.up == state.wanted else NOT_OK)
