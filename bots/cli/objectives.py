"""The objectives of a run on the command line, and the exit code that follows from them and from the proof."""

import sys
from collections.abc import Sequence
from typing import Never

import typer

from bots.cli.ending import MISSED, NOT_OK, SAW_ERRORS, VOID, give_up
from bots.count import slo
from bots.count.document import RunDocument
from bots.count.slo import BadObjectiveError, Objective, ObjectiveVerdict


def read_objectives(texts: Sequence[str]) -> list[Objective]:
    """Read the objectives; ends the command if one of them isn't one."""
    try:
        return [slo.parse(text) for text in texts]
    except BadObjectiveError as error:
        give_up(str(error))


def judged(made: RunDocument, objectives: Sequence[Objective]) -> list[ObjectiveVerdict]:
    """Hold the totals against the objectives."""
    totals, seconds = made.totals(), made.measured_seconds()
    return [slo.check(objective, totals, seconds) for objective in objectives]


def end(made: RunDocument, verdicts: Sequence[ObjectiveVerdict], *, ok: bool, errors: int) -> Never:
    """End with the first of these that is so: not proved, void, an objective missed, errors seen."""
    if not ok:
        print(f"bots: not proved: {made.why_not_proved() or 'a part of it was not'}", file=sys.stderr)
        raise typer.Exit(NOT_OK)
    if verdicts and made.void:
        print(f"bots: the objectives can't be judged: {made.void}", file=sys.stderr)
        raise typer.Exit(VOID)
    if missed := [verdict for verdict in verdicts if not verdict.kept]:
        print(f"bots: {missed[0].sentence()}", file=sys.stderr)
        raise typer.Exit(MISSED)
    if errors:
        print(f"bots: proved, but {errors:,} errors occurred on the way", file=sys.stderr)
        raise typer.Exit(SAW_ERRORS)
    raise typer.Exit(0)
