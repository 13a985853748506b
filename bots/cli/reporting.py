"""`bots report` and `bots compare`: what the documents of runs say."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bots.cli.ending import NOT_OK, give_up, write
from bots.cli.options import Csv, Html, Json
from bots.count.document import BadDocumentError
from bots.report import compared, comparison, documents

Document = Annotated[Path, typer.Argument(metavar="FILE", help="What `bots run --json FILE` wrote.")]


def report_command(
    file: Document,
    html: Html = None,
    csv: Csv = None,
) -> None:
    """Make reports of a run from its document."""
    if html is None and csv is None:
        give_up("say what to make of it: --html FILE, --csv FILE, or both")
    try:
        document = documents.read(file)
        if html is not None:
            documents.write_page(document, html)
        if csv is not None:
            documents.write_sheet(document, csv)
    except BadDocumentError as error:
        give_up(str(error))
    except OSError as error:
        give_up(f"the report can't be written: {error}")


def compare_command(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE…", help="Documents of runs that took turns (A B A B …), or a folder for each side."
        ),
    ],
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.999, metavar="SHARE", help="How sure an interval is.")
    ] = comparison.CONFIDENCE,
    json: Json = None,
    *,
    fail_if_worse: Annotated[bool, typer.Option(help="Exit code 1 if the second is worse beyond noise.")] = False,
) -> None:
    """Compare two ways of running the same thing, each run at least five times: what differs beyond noise."""
    try:
        found = comparison.compare(*documents.sides(files), confidence)
    except BadDocumentError as error:
        give_up(str(error))
    compared.show(Console(stderr=json == "-"), found)
    write(json, found.as_json())
    worse = any(figure.verdict == "worse" for figure in found.figures)
    raise typer.Exit(NOT_OK if fail_if_worse and worse else 0)
