"""The options of `bots run` for its proof: a history, probes, and what the run must see at least once."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from bots.cli.ending import give_up
from bots.cli.options import written
from bots.history import joining
from bots.history.lines import BadHistoryError
from bots.history.writer import HistoryWriter
from bots.proof import sometimes
from bots.proving import ProofPlan


def _expected(values: list[str]) -> list[str]:
    for value in values:
        if value not in sometimes.NAMES:
            raise typer.BadParameter(f"{value!r} isn't one of: {', '.join(sometimes.NAMES)}")
    return values


History = Annotated[
    Path | None, written("Write everything that is sent and answered, a JSON object a line (docs/histories.md).")
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


def require_seeable(expect: Sequence[str], *, probes: bool, has_key: bool) -> None:
    """End the command if it can't see what it must see."""
    for name in expect:
        if name in sometimes.PROBED and not probes:
            give_up(f"only a run with --probes sees {name}")
        if name in sometimes.BY_OPERATORS and not has_key:
            give_up(f"only a run with an admin key sees {name}")


def proof_plan(history: Path | None, expect: list[str], *, probes: bool, processes: int) -> ProofPlan:
    """Return what is proved; ends the command if the history can't be written.

    Of several processes each writes a history of its own (`shared_history`).
    """
    try:
        writer = None if history is None else HistoryWriter(history)
        if writer is not None and processes > 1:
            writer.close()
            writer = None
        return ProofPlan(probes, writer, tuple(expect))
    except OSError as error:
        give_up(f"can't write the history: {error}")


@contextmanager
def shared_history(history: Path | None, processes: int) -> Iterator[dict[str, Any]]:
    """Give the orders for generators that write one history, and join what they wrote, however they end."""
    if history is None:
        yield {}
        return
    started = datetime.now(UTC).isoformat(timespec="milliseconds")
    try:
        yield {"history": str(history), "history_began": time.monotonic_ns()}
    finally:
        try:
            joining.join(history, processes, started)
        except (BadHistoryError, OSError) as error:
            print(f"bots: the history isn't complete: {error}", file=sys.stderr)


def part_history(orders: Mapping[str, Any]) -> HistoryWriter | None:
    """Begin the history of one generator, if its orders say so; ends the command if it can't be written."""
    if "history" not in orders:
        return None
    try:
        return HistoryWriter(joining.part_of(Path(orders["history"]), orders["part"]), orders["history_began"])
    except OSError as error:
        give_up(f"can't write the history: {error}")


def end_history(proof: ProofPlan) -> None:
    """Close the history, and say if it isn't complete."""
    if proof.history is not None:
        proof.history.close()
        if proof.history.fault:
            print(f"bots: the history isn't complete: {proof.history.fault}", file=sys.stderr)
