"""The options that several commands share."""

from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

import typer

from bots.cli.ending import give_up
from bots.play.identities import LONGEST_PREFIX
from bots.play.plan import SwarmPlan
from bots.play.plan_file import LONGEST

DEFAULT_URL = "http://127.0.0.1:8080"
DEFAULTS = SwarmPlan(players=200, seconds=30.0, sockets=0.5, rate=5.0, seed=1, name_prefix="bot")
"""What `bots run` does without a plan."""


def _urls(values: list[str]) -> list[str]:
    return [_url(value) for value in values]


def _url(value: str) -> str:
    try:
        url = urlsplit(value)
        is_whole = url.scheme in ("http", "https") and url.hostname and url.port != 0 and not url.query + url.fragment
    except ValueError:
        is_whole = False
    if "@" in value:
        raise typer.BadParameter("an address has no user and no password: they would be in the documents of runs")
    if not is_whole:
        raise typer.BadParameter(f"{value!r} isn't an address such as {DEFAULT_URL}")
    return value.rstrip("/")


def url_or_none(value: str | None) -> str | None:
    return None if value is None else _url(value)


def urls_or_none(values: list[str] | None) -> list[str] | None:
    return None if values is None else _urls(values)


def _prefix(value: str) -> str:
    if not (value.isascii() and value.isalnum() and len(value) <= LONGEST_PREFIX):
        raise typer.BadParameter(f"at most {LONGEST_PREFIX} letters and digits")
    return value


def _of_environment(context: typer.Context, value: str | None) -> str | None:
    """End the command if a key is on its line, where every account of the machine can read it."""
    source = context.get_parameter_source("admin_key")
    if source is not None and source.name == "COMMANDLINE":
        give_up("--admin-key is read by all accounts: give it in a file (--admin-key-file FILE) or in BOTS_ADMIN_KEY")
    return value


Given = TypeVar("Given", str, Path)


def writable(value: Given | None) -> Given | None:
    """End the command if a file can't be written, before anything was done for it; what is there stays as it is."""
    if value is None or str(value) == "-":
        return value
    file = Path(value)
    existed = file.exists()
    try:
        with file.open("ab"):
            pass
    except OSError as error:
        give_up(f"{value} can't be written: {error.strerror}")
    if not existed:
        file.unlink()
    return value


def written(what: str, *names: str) -> Any:
    """Return the option of a file that a command writes at its end."""
    return typer.Option(*names, callback=writable, metavar="FILE", help=what)


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
UrlsOrNone = Annotated[
    list[str] | None,
    typer.Option(
        "--url",
        callback=urls_or_none,
        metavar="URL",
        help=f"A node or proxy; repeat for several. Else the stack that runs here, or {DEFAULT_URL}.",
    ),
]
Seed = Annotated[int, typer.Option(metavar="N", help="Seed of the bots' choices.")]
Patience = Annotated[float, typer.Option(min=1, max=LONGEST, metavar="SECONDS", help="How long a request is retried.")]
AdminKey = Annotated[str | None, typer.Option(envvar="BOTS_ADMIN_KEY", callback=_of_environment, hidden=True)]
AdminKeyFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A file that holds an admin key, to prove the boards; else BOTS_ADMIN_KEY does."),
]
AdminUrl = Annotated[
    str | None,
    typer.Option(callback=url_or_none, metavar="URL", help="Where the admin key is valid, if not at --url."),
]
Prefix = Annotated[
    str, typer.Option("--name-prefix", callback=_prefix, metavar="TEXT", help="First letters of the players' names.")
]
Seconds = Annotated[float, typer.Option(min=0.1, max=LONGEST, metavar="SECONDS", help="How long to go on.")]
Json = Annotated[str | None, written("Write the report as JSON to a file; - for stdout.", "--json")]
Html = Annotated[Path | None, written("Write the report as one HTML file.")]
Csv = Annotated[Path | None, written("Write every second as CSV.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show nothing while it runs, and no report.")]
Processes = Annotated[
    int, typer.Option(min=1, max=64, metavar="N", help="Generators that share the players and the rates; 1 a core.")
]
Slo = Annotated[
    list[str] | None,
    typer.Option("--slo", metavar="OBJECTIVE", help="Such as 'act p99 < 50ms'; exit code 4 if missed. Repeatable."),
]
FailOnError = Annotated[bool, typer.Option(help="Exit code 3 if any attempt met an error, even if a retry succeeded.")]
