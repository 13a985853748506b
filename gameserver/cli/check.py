"""`gameserver check`: judges the game before a node starts."""

import sys
from typing import Annotated

import orjson
import typer

from gameserver import app as application
from gameserver.app import Finding
from gameserver.cli.config_file import DEFAULT, Config, settings_of
from gameserver.cli.running import carry_out, faults

Offline = Annotated[bool, typer.Option("--offline", help="Judge game.toml and the rules alone: no database is asked.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON: ok, and the findings with `about`, `problem` and `level`.")
]


def check(config: Config = DEFAULT, offline: Offline = False, as_json: Json = False) -> None:  # noqa: FBT002
    """Judge game.toml, its rules, and what players hold, before a node starts; ends with 1 if there is a fault."""
    findings: list[Finding] = []

    async def work() -> None:
        findings.extend(await application.check(settings_of(config), offline=offline))

    with faults():
        carry_out(work())
    errors = [finding for finding in findings if finding.level == "error"]
    if as_json:
        report = {"ok": not errors, "findings": [finding._asdict() for finding in findings]}
        sys.stdout.buffer.write(orjson.dumps(report, option=orjson.OPT_INDENT_2) + b"\n")
    else:
        for finding in findings:
            typer.echo(finding.problem, err=True)
        typer.echo("The game can't be served." if errors else "The game can be served.", err=bool(errors))
    sys.exit(1 if errors else 0)
