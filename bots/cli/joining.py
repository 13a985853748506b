"""`bots merge`: the documents of several generators of one run become one."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.text import Text

from bots.cli.ending import give_up, write
from bots.cli.objectives import end, judged, read_objectives
from bots.cli.options import Json, Slo
from bots.count.document import BadDocumentError, RunDocument
from bots.count.merging import merge
from bots.count.slo import ObjectiveVerdict
from bots.report import proved
from bots.screen import summary

SUMMED = ("players", "signed_up", "acknowledged", "per_second", "unsent", "errors_seen")
COUNTERS = ("refused", "errors", "happened")
ALIKE = "Some of these parts have the same seed: their players did the same at the same moments. Give each its --seed."
Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="What `bots run --json` wrote on each machine.")]


def merge_command(files: Files, json: Json = None, objectives: Slo = None) -> None:
    """Join the results of several generators of one run into one, as if a single one had run it.

    Exit codes as of `bots run`.
    """
    wanted = read_objectives(objectives or [])
    parts = [_read(file) for file in files]
    made, joined = join(parts)
    verdicts = judged(made, wanted)
    console = Console(stderr=json == "-")
    show(console, made, joined, verdicts)
    if len({part["setup"]["seed"] for part in parts}) < len(parts):
        console.print(ALIKE, style="yellow", markup=False, highlight=False)
    write(json, joined)
    end(made, verdicts, ok=is_ok(joined, made), errors=0)


def join(parts: Sequence[Any]) -> tuple[RunDocument, dict[str, Any]]:
    """Return the document of the whole run, and its JSON; ends the command if these aren't parts of one run."""
    try:
        made = merge([RunDocument.from_json(part) for part in parts])
        sums = {name: sum(part.get(name, 0) for part in parts) for name in SUMMED}
        counters = {name: dict(sum((Counter(part.get(name, {})) for part in parts), Counter())) for name in COUNTERS}
    except BadDocumentError as error:
        give_up(str(error))
    except (TypeError, ValueError) as error:
        give_up(f"what these documents counted can't be added up: {error}")
    ok = all(part.get("ok", False) for part in parts)
    return made, {"ok": ok, **sums, **counters, **made.as_json()}


def is_ok(joined: Any, made: RunDocument) -> bool:
    """Whether every part was proved, and nothing is missing that the whole run was to see."""
    return bool(joined["ok"]) and not any(seen.expected and not seen.seen for seen in made.sometimes)


def show(console: Console, made: RunDocument, joined: Any, verdicts: Sequence[ObjectiveVerdict]) -> None:
    """Print the figures of the whole run, and the verdicts of its proof."""
    summary.show(console, made, verdicts)
    proved.show(console, made.proof, made.sometimes)
    proven = is_ok(joined, made)
    console.print(Text("PROVED", style="bold green") if proven else Text("FAILED", style="bold red"))


def _read(file: Path) -> Any:
    try:
        return orjson.loads(file.read_bytes())
    except OSError as error:
        give_up(f"{file} can't be read: {error.strerror}")
    except ValueError as error:
        give_up(f"{file} isn't JSON: {error}")
