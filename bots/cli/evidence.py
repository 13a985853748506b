"""The options of `bots run` for its proof: a history, probes, and what the run must see at least once."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bots.cli.ending import give_up
from bots.history.writer import HistoryWriter
from bots.proof import sometimes
from bots.proving import ProofPlan


def _expected(values: list[str]) -> list[str]:
    for value in values:
        if value not in sometimes.NAMES:
            raise typer.BadParameter(f"{value!r} isn't one of: {', '.join(sometimes.NAMES)}")
    return values


History = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Write everything that is sent and answered, a JSON object a line (docs/histories.md)."
    ),
]
Probing = Annotated[
    bool, typer.Option("--probes", help="Try orders, names, sign-outs and, with a key, bans with players of their own.")
]
Expected = Annotated[
    list[str],
    typer.Option(
        "--expect", callback=_expected, default_factory=list, show_default=False, metavar="WHAT",
        help="Fail unless the run has seen this, such as 'a resume'; repeat for several.",
    ),
]  # fmt: skip


def proof_plan(history: Path | None, expect: list[str], *, probes: bool, processes: int) -> ProofPlan:
    """Return what is proved; ends the command if the history can't be written."""
    if history is not None and processes > 1:
        give_up("a history is written by one process: leave out --history or --processes")
    try:
        return ProofPlan(probes, None if history is None else HistoryWriter(history), tuple(expect))
    except OSError as error:
        give_up(f"can't write the history: {error}")


def end_history(proof: ProofPlan) -> None:
    """Close the history, and say if it isn't complete."""
    if proof.history is not None:
        proof.history.close()
        if proof.history.fault:
            print(f"bots: the history isn't complete: {proof.history.fault}", file=sys.stderr)
