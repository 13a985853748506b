"""Reads and writes documents of runs, and the reports that are made from one."""

from collections.abc import Sequence
from pathlib import Path

import orjson

from bots.count.document import BadDocumentError, RunDocument
from bots.report import sheets
from bots.report.html.page import page


def read(file: Path) -> RunDocument:
    """Raises BadDocumentError, which names the file."""
    try:
        return RunDocument.from_json(orjson.loads(file.read_bytes()))
    except OSError as error:
        raise BadDocumentError(f"{file} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise BadDocumentError(f"{file}: {error}") from None


def sides(files: Sequence[Path]) -> tuple[list[RunDocument], list[RunDocument]]:
    """The two sides of a comparison: two folders, or files that take turns. Raises BadDocumentError."""
    if len(files) == 2 and all(file.is_dir() for file in files):
        first, second = ([read(file) for file in sorted(folder.glob("*.json"))] for folder in files)
        return first, second
    if len(files) % 2:
        raise BadDocumentError("files take turns, one of the first side, one of the second: there is one too many")
    return [read(file) for file in files[::2]], [read(file) for file in files[1::2]]


def write_page(document: RunDocument, file: Path) -> None:
    """Write a run's report as HTML. Raises OSError."""
    file.write_text(page(document), "utf-8")


def write_sheet(document: RunDocument, file: Path) -> None:
    """Write a run's seconds as CSV. Raises OSError."""
    sheets.write(document, file)
