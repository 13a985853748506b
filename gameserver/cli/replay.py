"""`gameserver replay`: what would have happened under other rules."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gameserver import app as application
from gameserver.app.looking_back import periods_of
from gameserver.cli import replay_report
from gameserver.cli.config_file import DEFAULT, Config
from gameserver.cli.running import Json, console, faults, with_core
from gameserver.commands import what_if
from gameserver.commands.moments import moment_of
from gameserver.commands.what_if import Supposition
from gameserver.config.files import read_toml
from gameserver.config.game_modules import let_import
from gameserver.rules.arguments import MAX_INTEGER
from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.ledger.periods import Period
from gameserver.terminal import show, show_json


def replay(  # noqa: PLR0913 (one for each option)
    game: Annotated[Path, typer.Option(help="The game.toml whose rules are to be supposed.")],
    since: Annotated[str, typer.Option(help="From this moment on, such as 2026-01-31T12:00:00Z.")],
    config: Config = DEFAULT,
    until: Annotated[str | None, typer.Option(help="Up to this moment; without it, up to now.")] = None,
    players: Annotated[
        int | None, typer.Option(min=1, max=MAX_INTEGER, help="Only so many players, drawn by --seed.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_INTEGER, help="Draws those players.")] = 0,
    html: Annotated[Path | None, typer.Option(help="Also write the report into this file, as a page.")] = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Run the ledger of a period again under other rules, and show what would differ. Changes nothing."""

    async def work(core: application.Core) -> None:
        periods = periods_of(core)
        supposed = Supposition(rulebook, period, players, seed)
        tally = await what_if.suppose(periods, supposed, lambda _: None)
        report = replay_report.document(tally, period, sorted(periods.sources))
        if html is not None:
            html.write_text(replay_report.page(report), "utf-8")
        if as_json:
            show_json(report)
        else:
            for table in replay_report.tables(report):
                show(console, table)
                console.print()

    with faults():
        let_import(config, game)
        period = _period(since, until)
        rulebook = Rulebook.parse(read_toml(game))
    with_core(config, work)


def _period(since: str, until: str | None) -> Period:
    """Raises BadInput, naming the option."""
    first = moment_of(since, "since")
    last = datetime.now(UTC) if until is None else moment_of(until, "until")
    if first >= last:
        raise BadInput(errors=[FieldProblem("since", "must be before the end of the period")])
    return Period(first, last)
