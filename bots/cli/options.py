"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from bots.play.identities import LONGEST_PREFIX

DEFAULT_URL = "http://127.0.0.1:8080"


def _urls(values: list[str]) -> list[str]:
    for value in values:
        if not value.startswith(("http://", "https://")):
            raise typer.BadParameter(f"{value!r} isn't an address such as {DEFAULT_URL}")
    return [value.rstrip("/") for value in values]


def urls_or_none(values: list[str] | None) -> list[str] | None:
    return None if values is None else _urls(values)


def _prefix(value: str) -> str:
    if not (value.isascii() and value.isalnum() and len(value) <= LONGEST_PREFIX):
        raise typer.BadParameter(f"at most {LONGEST_PREFIX} letters and digits")
    return value


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
