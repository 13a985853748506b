"""The table that tells on the terminal what runs where."""

import os
from collections.abc import Iterable

from rich import box
from rich.table import Table

from gameserver.stack.child import Child


def overview(children: Iterable[Child]) -> Table:
    """One row for each server: name, what it is, address, pid and log; for a rich Console to print."""
    table = Table(box=box.SIMPLE)
    for heading in ("name", "what", "address", "pid"):
        table.add_column(heading, no_wrap=True)
    table.add_column("log", overflow="fold")
    for child in children:
        process = child.process
        log = min(str(process.log), os.path.relpath(process.log), key=len)
        table.add_row(child.name, child.what, child.address, str(process.pid or "not running"), log)
    return table
