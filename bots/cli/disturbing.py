"""The options of `bots run` for faults and reports: checked before a run begins, in one sentence."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bots.chaos import stack
from bots.chaos.errors import BadPlanError
from bots.chaos.nemesis import Nemesis
from bots.cli.ending import give_up
from bots.count.document import RunDocument
from bots.report import documents

Chaos = Annotated[Path | None, typer.Option(metavar="FILE", help="A plan of faults in TOML (docs/chaos.md).")]
StackFolder = Annotated[
    Path | None,
    typer.Option("--stack", metavar="FOLDER", help="The data folder of the stack that --chaos harms, if not found."),
]
Report = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report as one HTML file.")]
Csv = Annotated[Path | None, typer.Option(metavar="FILE", help="Write every second as CSV.")]


def nemesis(plan: Path | None, data: Path | None, urls: Sequence[str], seconds: float, seed: int) -> Nemesis | None:
    """What harms the stack while bots play; None without a plan. Ends the command if the plan can't be carried out."""
    if plan is None:
        return None
    try:
        return Nemesis.planned(plan, stack.find(urls, data), seconds, seed)
    except BadPlanError as error:
        give_up(str(error))


def announced(chosen: Nemesis) -> str:
    """What will happen, in a line."""
    missing = sorted({due.wanted for due in chosen.due if not due.target})
    without = f"; there is no {', no '.join(missing)} here" if missing else ""
    return f"{len(chosen.due)} faults are planned (seed {chosen.seed}){without}"


def require_writable(*files: Path | None) -> None:
    """End the command if a report can't be written."""
    for file in files:
        if file is not None:
            try:
                documents.require_writable(file)
            except OSError as error:
                give_up(f"the report {file} can't be written: {error.strerror}")


def write_reports(document: RunDocument, html: Path | None, csv: Path | None) -> None:
    """Write what was asked for."""
    if html is not None:
        documents.write_page(document, html)
    if csv is not None:
        documents.write_sheet(document, csv)
