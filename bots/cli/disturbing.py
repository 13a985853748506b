"""The options of `bots run` for faults and reports: checked before a run begins, in one sentence."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bots.chaos import stack
from bots.chaos.errors import BadPlanError
from bots.chaos.nemesis import Nemesis
from bots.cli.ending import give_up, writing
from bots.count.document import RunDocument
from bots.report import documents
from bots.stage import DisturbedStage, Stage

Chaos = Annotated[Path | None, typer.Option(metavar="FILE", help="A plan of faults in TOML (docs/chaos.md).")]
StackFolder = Annotated[
    Path | None,
    typer.Option("--stack", metavar="FOLDER", help="The data folder of the stack that --chaos harms, if not found."),
]


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


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What a run has beside its play: faults, and the reports that are made of it."""

    nemesis: Nemesis | None = None
    html: Path | None = None
    csv: Path | None = None

    def announce(self, console: Console) -> None:
        """Say what will happen."""
        if self.nemesis is not None:
            console.print(announced(self.nemesis), markup=False, highlight=False)

    def over(self, stage: Stage) -> Stage:
        """The stage of the run, with the faults."""
        return stage if self.nemesis is None else DisturbedStage(stage, self.nemesis)

    def record(self, made: RunDocument) -> None:
        """Enter the faults into the document of the run."""
        if self.nemesis is not None:
            made.events = list(self.nemesis.events)
            made.sometimes += self.nemesis.sightings()
            made.setup = replace(made.setup, faults=self.nemesis.as_planned())

    def report(self, made: RunDocument, console: Console) -> None:
        """Say what came of the faults, and write the reports."""
        for event in made.events:
            times = f"{event.at:7.1f} to {event.until:5.1f} s"
            console.print(f"{times}  {event.kind} {event.target}: {event.note}", markup=False, highlight=False)
        write_reports(made, self.html, self.csv)


def write_reports(document: RunDocument, html: Path | None, csv: Path | None) -> None:
    """Write what was asked for; ends the command if that fails."""
    for file, write in ((html, documents.write_page), (csv, documents.write_sheet)):
        if file is not None:
            with writing(file):
                write(document, file)
