"""What commands print: tables whose values are never cut or broken, and JSON for programs.

Law: a text is printed as it is: what looks like markup, or the name of an emoji, in what somebody has written means
nothing. A column keeps its values on one line unless it is named as one that may be folded. A table that is wider than
the terminal all the same is printed at its own width: the terminal may wrap the line, but what is copied from it is
whole.
"""

import contextlib
import os
import sys
from collections.abc import Collection, Iterator
from typing import Any, TextIO

import orjson
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

NARROWEST = 8
"""What a column that may be folded gets at least."""
PIPE_COLUMNS = 160
"""Columns where nobody says how many there are: output that goes into a file or a pipe."""


def columns() -> int | None:
    """How wide to print: COLUMNS, or else the terminal (None), or PIPE_COLUMNS."""
    given = os.environ.get("COLUMNS", "")
    if given.isdigit() and int(given):
        return int(given)
    # It is None where whoever started the command has closed it.
    return None if sys.stdout is not None and sys.stdout.isatty() else PIPE_COLUMNS


def open_streams() -> None:
    """Opens the null device for standard streams that whoever started this has closed.

    Otherwise the next socket would have the number of one, and be written to as such.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def grid(*headings: str, right: Collection[str] = (), folded: Collection[str] = ()) -> Table:
    """A table; the columns `right` are aligned to the right, those of `folded` give way where space is short."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, caption_justify="left", header_style="bold underline")
    for heading in headings:
        table.add_column(
            heading,
            no_wrap=heading not in folded,
            overflow="fold",
            justify="right" if heading in right else "left",
        )
    return table


def plain_console(*, stderr: bool = False, quiet: bool = False, soft_wrap: bool = False) -> Console:
    """What commands print on."""
    return _plain(stderr=stderr, quiet=quiet, soft_wrap=soft_wrap, width=columns())


def _plain(**options: Any) -> Console:
    return Console(markup=False, emoji=False, highlight=False, **options)


def show(console: Console, table: Table) -> None:
    """Prints a table of `grid`."""
    _plain(file=console.file, width=max(console.width, _least(table))).print(table)


def show_json(value: object) -> None:
    """Prints one JSON object or array; its keys are stable."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def on_the_way(*, err: bool = False) -> Iterator[None]:
    """What is printed before something is done: if nobody reads it, or there is no room, it is printed to nobody.

    So is the rest on standard output; logs go to standard error, where there may be room again. A console ends the
    process where its reader has left; this doesn't.
    """
    stream = sys.stderr if err else sys.stdout
    try:
        yield
    except (OSError, SystemExit):
        kept = os.dup(stream.fileno())
        to_nobody(stream)
        if err:
            stream.flush()
            os.dup2(kept, stream.fileno())
        os.close(kept)


def to_nobody(stream: TextIO) -> None:
    """Also what is buffered, which is flushed at the end."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def _least(table: Table) -> int:
    """The least width at which no value of a column that isn't folded is cut."""
    width = 0
    for column in table.columns:
        cells = [str(column.header), *(str(cell) for cell in column.cells)]
        widest = max((cell_len(line) for cell in cells for line in cell.splitlines() or [""]), default=0)
        width += (widest if column.no_wrap else min(widest, NARROWEST)) + 2
    return width - 2
