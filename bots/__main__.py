"""The command line of the bots: a client of the game server that plays, measures, and proves what it was promised."""

import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Never, TypeVar

import orjson
import typer
import uvloop
from rich.console import Console

from bots.load.bench import MODES, LoadPlan, bench
from bots.load.idle import IdleSockets, idle
from bots.mischief.kinds import KINDS
from bots.mischief.misbehave import as_json, misbehave
from bots.overload.doors import DOORS
from bots.overload.overload import OverloadPlan, overload
from bots.play.identities import LONGEST_PREFIX
from bots.play.swarm import SwarmPlan
from bots.proof.result import RunResult
from bots.report import figures, overloaded, report
from bots.run import Target, run
from bots.wire.errors import BadAnswerError, UnreachableError

DEFAULT_URL = "http://127.0.0.1:8080"
NOT_OK, GAVE_UP, SAW_ERRORS = 1, 2, 3
"""Exit codes."""

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
Returned = TypeVar("Returned")


def _urls(values: list[str]) -> list[str]:
    for value in values:
        if not value.startswith(("http://", "https://")):
            raise typer.BadParameter(f"{value!r} isn't an address such as {DEFAULT_URL}")
    return [value.rstrip("/") for value in values]


def _urls_or_none(values: list[str] | None) -> list[str] | None:
    return None if values is None else _urls(values)


def _prefix(value: str) -> str:
    if not (value.isascii() and value.isalnum() and len(value) <= LONGEST_PREFIX):
        raise typer.BadParameter(f"at most {LONGEST_PREFIX} letters and digits")
    return value


def _mode(value: str) -> str:
    if value not in MODES:
        raise typer.BadParameter(f"one of {', '.join(MODES)}")
    return value


def _doors(value: str) -> str:
    unknown = [name for name in value.split(",") if name not in DOORS]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} isn't one of {','.join(DOORS)}")
    return value


def _kinds(values: list[str]) -> list[str]:
    for value in values:
        if value not in KINDS:
            raise typer.BadParameter(f"one or more of {', '.join(KINDS)}")
    return values


Urls = Annotated[
    list[str],
    typer.Option(
        "--url",
        callback=_urls,
        default_factory=lambda: [DEFAULT_URL],
        show_default=False,
        metavar="URL",
        help=f"A node or proxy, by default {DEFAULT_URL}; repeat for several.",
    ),
]
Sockets = Annotated[float, typer.Option(min=0, max=1, metavar="SHARE", help="Share of players on a WebSocket.")]
Rate = Annotated[float, typer.Option(min=0, metavar="N", help="Actions per second and player; 0: no pauses.")]
Seed = Annotated[int, typer.Option(metavar="N", help="Seed of the bots' choices.")]
Patience = Annotated[float, typer.Option(min=1, metavar="SECONDS", help="How long a request is retried.")]
AdminKey = Annotated[
    str | None, typer.Option(envvar="BOTS_ADMIN_KEY", metavar="KEY", help="An admin key, to prove the boards.")
]
AdminKeyFile = Annotated[Path | None, typer.Option(metavar="FILE", help="A file that holds the admin key.")]
AdminUrl = Annotated[str | None, typer.Option(metavar="URL", help="Where the admin key is valid, if not at --url.")]
Prefix = Annotated[
    str, typer.Option("--name-prefix", callback=_prefix, metavar="TEXT", help="First letters of the players' names.")
]
Seconds = Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="How long to go on.")]
Json = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write the report as JSON to a file; - for stdout.")
]
Players = Annotated[int, typer.Option(min=1, metavar="N", help="How many players sign up and play.")]
FailOnError = Annotated[bool, typer.Option(help="Exit code 3 if any attempt met an error, even if a retry succeeded.")]


@app.command("run")
def run_command(  # noqa: PLR0913 (an option each)
    url: Urls,
    players: Players = 200,
    seconds: Seconds = 30.0,
    sockets: Sockets = 0.5,
    rate: Rate = 5.0,
    seed: Seed = 1,
    patience: Patience = 60.0,
    admin_key: AdminKey = None,
    admin_key_file: AdminKeyFile = None,
    admin_url: AdminUrl = None,
    name_prefix: Prefix = "bot",
    json: Json = None,
    *,
    fail_on_error: FailOnError = False,
) -> None:
    """Play, then prove that no action is lost or doubled, boards equal the database, and pushes come in order.

    Exit code 1 if that isn't so.
    """
    key = _read_key(admin_key_file) if admin_key_file else admin_key
    plan = SwarmPlan(players, seconds, sockets, rate, seed, name_prefix)
    target = Target(tuple(url), key, (admin_url,) if admin_url else tuple(url), patience)
    console = Console(stderr=json == "-")
    result = _carry_out(run(plan, target, console))
    report.show(console, result)
    _write(json, report.as_json(result))
    _exit(result, fail_on_error=fail_on_error)


def _exit(result: RunResult, *, fail_on_error: bool) -> Never:
    errors = result.swarm.tally.errors_seen()
    if result.ok and fail_on_error and errors:
        print(f"bots: proved, but {errors:,} errors occurred on the way", file=sys.stderr)
        raise typer.Exit(SAW_ERRORS)
    raise typer.Exit(0 if result.ok else NOT_OK)


@app.command("bench")
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
    results = _carry_out(bench(tuple(url), mode, LoadPlan(sockets, in_flight, seconds), name_prefix))
    figures.show_bench(Console(stderr=json == "-"), results)
    _write(json, [result.as_json() for result in results])
    raise typer.Exit(0 if all(result.latencies.count for result in results) else NOT_OK)


@app.command("idle")
def idle_command(
    url: Urls,
    sockets: Annotated[int, typer.Option(min=1, metavar="N", help="How many sockets to open.")] = 5000,
    players: Annotated[int, typer.Option(min=1, metavar="N", help="How many players share the sockets.")] = 1250,
    seconds: Seconds = 20.0,
    json: Json = None,
) -> None:
    """Open sockets, say hello on each, and hold them open."""
    console = Console(stderr=json == "-")

    def show(state: IdleSockets) -> None:
        console.print(f"{state.up:,} of {state.wanted:,} sockets are up", highlight=False)

    state = _carry_out(idle(tuple(url), sockets, players, seconds, show))
    figures.show_idle(console, state)
    _write(json, state.as_json())
    raise typer.Exit(0 if state.up == state.wanted else NOT_OK)


@app.command("misbehave")
def misbehave_command(
    kinds: Annotated[
        list[str],
        typer.Argument(
            callback=_kinds,
            metavar="KIND",
            default_factory=lambda: [*KINDS],
            show_default=False,
            help=f"Any of {', '.join(KINDS)}; by default all.",
        ),
    ],
    url: Urls,
    seconds: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="The most that each kind may take.")] = 20.0,
    json: Json = None,
) -> None:
    """Break the rules in every way, beside an honest player. Exit code 1 if that player notices."""
    console = Console(stderr=json == "-")
    incidents = _carry_out(
        misbehave(tuple(url), kinds, seconds, lambda incident: figures.show_incident(console, incident))
    )
    _write(json, as_json(incidents))
    raise typer.Exit(0 if all(incident.harmless for incident in incidents) else NOT_OK)


@app.command("overload")
def overload_command(  # noqa: PLR0913 (an option each)
    url: Urls,
    door: Annotated[str, typer.Option(callback=_doors, metavar="DOOR,…", help=f"Any of {','.join(DOORS)}.")] = ",".join(
        DOORS
    ),
    seconds: Seconds = 10.0,
    seed: Seed = 1,
    players: Annotated[int, typer.Option(min=1, metavar="N", help="How many players act, read and sign in.")] = 256,
    connections: Annotated[int, typer.Option(min=1, metavar="N", help="HTTP connections, at the most.")] = 4096,
    operators_url: Annotated[
        list[str] | None,
        typer.Option(
            callback=_urls_or_none, metavar="URL", help="A node's operators' listener; its memory is watched."
        ),
    ] = None,
    capacity_seconds: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="For how long a door's capacity is measured.")
    ] = 2.0,
    memory: Annotated[int, typer.Option(min=1, metavar="MIB", help="By how much a node's memory may grow.")] = 256,
    json: Json = None,
) -> None:
    """Ask twice of each door what it can take, and prove that it answers in time or says when to come back.

    What it acknowledged must hold. Exit code 1 if that isn't so, 2 if this machine couldn't send enough to tell.
    """
    console = Console(stderr=json == "-")
    plan = OverloadPlan(
        tuple(url), door.split(","), seconds, seed, players, connections, capacity_seconds,
        operators_urls=tuple(operators_url or ()), memory_mib=memory,
    )  # fmt: skip
    result = _carry_out(overload(plan, lambda verdict: overloaded.show_door(console, verdict)))
    overloaded.show(console, result)
    _write(json, overloaded.as_json(result))
    raise typer.Exit(NOT_OK if not result.ok else GAVE_UP if result.void else 0)


def _read_key(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        _give_up(f"can't read the admin key: {error} (the first `make run` creates it)")


def _carry_out(command: Coroutine[Any, Any, Returned]) -> Returned:
    try:
        return uvloop.run(command)
    except UnreachableError as error:
        _give_up(f"{error}; is the server up (`make run`), and is --url right?")
    except (BadAnswerError, OSError) as error:
        _give_up(str(error) or type(error).__name__)
    except KeyboardInterrupt:
        _give_up("interrupted")


def _give_up(reason: str) -> Never:
    print(f"bots: {reason}", file=sys.stderr)
    raise typer.Exit(GAVE_UP)


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
