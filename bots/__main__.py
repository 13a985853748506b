"""The command line of the bots: `run` plays and proves, `bench` measures, `idle` holds sockets open.

`misbehave` shows that clients who keep to no rule disturb nobody.
"""

import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Never, TypeVar

import orjson
import typer
import uvloop
from rich.console import Console

from bots.load.bench import MODES, Load, bench
from bots.load.idle import Idle, idle
from bots.mischief.kinds import KINDS
from bots.mischief.misbehave import as_json, misbehave
from bots.play.identities import LONGEST_PREFIX
from bots.play.swarm import Plan
from bots.report import figures, report
from bots.run import Target, run
from bots.wire.unreachable import UnreachableError
from bots.wire.wire import BadAnswerError

DEFAULT_URL = "http://127.0.0.1:8080"
SAW_ERRORS = 3

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
Made = TypeVar("Made")


def _urls(values: list[str]) -> list[str]:
    for value in values:
        if not value.startswith(("http://", "https://")):
            raise typer.BadParameter(f"{value!r} isn't an address such as {DEFAULT_URL}")
    return [value.rstrip("/") for value in values]


def _prefix(value: str) -> str:
    if not (value.isascii() and value.isalnum() and len(value) <= LONGEST_PREFIX):
        raise typer.BadParameter(f"at most {LONGEST_PREFIX} letters and digits")
    return value


def _mode(value: str) -> str:
    if value not in MODES:
        raise typer.BadParameter(f"one of {', '.join(MODES)}")
    return value


def _kinds(values: list[str]) -> list[str]:
    for value in values:
        if value not in KINDS:
            raise typer.BadParameter(f"one or more of {', '.join(KINDS)}")
    return values or [*KINDS]


Urls = Annotated[
    list[str],
    typer.Option(
        "--url",
        callback=_urls,
        default_factory=lambda: [DEFAULT_URL],
        show_default=DEFAULT_URL,
        help="A node or proxy; repeat for more.",
    ),
]
Prefix = Annotated[str, typer.Option("--name-prefix", callback=_prefix, help="How the players' names begin.")]
Seconds = Annotated[float, typer.Option(min=0.1, help="How long.")]
Json = Annotated[str | None, typer.Option("--json", help="Write the report as JSON to this file; - is stdout.")]


@app.command("run")
def run_command(  # noqa: PLR0913 (an option each)
    url: Urls,
    players: Annotated[int, typer.Option(min=1)] = 200,
    seconds: Seconds = 30.0,
    sockets: Annotated[float, typer.Option(min=0, max=1, help="Share of players on a WebSocket.")] = 0.5,
    rate: Annotated[float, typer.Option(min=0, help="Actions/s of each player; 0: no pauses.")] = 5.0,
    seed: Annotated[int, typer.Option(help="What the bots choose to do.")] = 1,
    patience: Annotated[float, typer.Option(min=1, help="Seconds to retry a command before giving up.")] = 60.0,
    admin_key: Annotated[str | None, typer.Option(envvar="BOTS_ADMIN_KEY", help="To prove the boards.")] = None,
    admin_key_file: Annotated[Path | None, typer.Option(help="A file with the admin key.")] = None,
    admin_url: Annotated[str | None, typer.Option(help="Where the admin key is good, if not at --url.")] = None,
    name_prefix: Prefix = "bot",
    json: Json = None,
    *,
    fail_on_error: Annotated[bool, typer.Option(help="Exit code 3 if a request saw any error, healed or not.")] = False,
) -> None:
    """Play, then prove: 0 lost, 0 doubled, boards equal to the database, pushes in order. Exit code 1 if not."""
    key = _read_key(admin_key_file) if admin_key_file else admin_key
    plan = Plan(players, seconds, sockets, rate, seed, name_prefix)
    console = Console(stderr=json == "-")
    outcome = _carry_out(
        run(plan, Target(tuple(url), key, (admin_url,) if admin_url else tuple(url), patience), console)
    )
    report.show(console, outcome)
    _write(json, report.as_json(outcome))
    if outcome.ok and fail_on_error and (seen := outcome.swarm.tally.errors_seen()):
        print(f"bots: proved, but {seen} errors were seen on the way", file=sys.stderr)
        raise typer.Exit(SAW_ERRORS)
    raise typer.Exit(0 if outcome.ok else 1)


@app.command("bench")
def bench_command(  # noqa: PLR0913 (an option each)
    url: Urls,
    sockets: Annotated[int, typer.Option(min=1, help="Connections of either kind.")] = 64,
    in_flight: Annotated[int, typer.Option(min=1, help="Requests in flight on each socket.")] = 8,
    seconds: Seconds = 10.0,
    mode: Annotated[str, typer.Option(callback=_mode, help=f"One of {', '.join(MODES)}.")] = "all",
    name_prefix: Prefix = "bench",
    json: Json = None,
) -> None:
    """Measure acknowledged actions/s and reads/s in a closed loop."""
    results = _carry_out(bench(tuple(url), mode, Load(sockets, in_flight, seconds), name_prefix))
    figures.show_bench(Console(stderr=json == "-"), results)
    _write(json, [result.as_json() for result in results])
    raise typer.Exit(0 if all(result.count for result in results) else 1)


@app.command("idle")
def idle_command(
    url: Urls,
    sockets: Annotated[int, typer.Option(min=1)] = 5000,
    players: Annotated[int, typer.Option(min=1, help="Who share the sockets, a few each.")] = 1250,
    seconds: Seconds = 20.0,
    json: Json = None,
) -> None:
    """Open sockets, say hello on each, and hold them."""
    console = Console(stderr=json == "-")

    def show(state: Idle) -> None:
        console.print(f"{state.up:,} of {state.wanted:,} sockets are up", highlight=False)

    state = _carry_out(idle(tuple(url), sockets, players, seconds, show))
    figures.show_idle(console, state)
    _write(json, state.as_json())
    raise typer.Exit(0 if state.up == state.wanted else 1)


@app.command("misbehave")
def misbehave_command(
    kinds: Annotated[
        list[str],
        typer.Argument(
            callback=_kinds, default_factory=list, show_default=False, help=f"Of {', '.join(KINDS)}; all if none."
        ),
    ],
    url: Urls,
    seconds: Annotated[float, typer.Option(min=1, help="The longest that each kind may take.")] = 20.0,
    json: Json = None,
) -> None:
    """Misbehave in every way, beside an honest player. Exit code 0 if he noticed nothing."""
    console = Console(stderr=json == "-")
    incidents = _carry_out(
        misbehave(tuple(url), kinds, seconds, lambda incident: figures.show_incident(console, incident))
    )
    _write(json, as_json(incidents))
    raise typer.Exit(0 if all(each.harmless for each in incidents) else 1)


def _read_key(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        _give_up(f"can't read the admin key: {error} (the first `make run` makes it)")


def _carry_out(doing: Coroutine[Any, Any, Made]) -> Made:
    try:
        return uvloop.run(doing)
    except (UnreachableError, BadAnswerError, OSError) as error:
        _give_up(str(error) or type(error).__name__)
    except KeyboardInterrupt:
        _give_up("interrupted")


def _give_up(why: str) -> Never:
    print(f"bots: {why}", file=sys.stderr)
    raise typer.Exit(2)


def _write(path: str | None, value: Any) -> None:
    if path == "-":
        print(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
    elif path is not None:
        Path(path).write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
