"""The table that tells on the terminal what runs where."""

from collections.abc import Iterable

from rich import box
from rich.table import Table

from gameserver.stack.child import Child


def overview(children: Iterable[Child]) -> Table:
    """One row for each server: name, what it is, address, pid and log; for a rich Console to print."""
    table = Table("name", "what", "address", "pid", "log", box=box.SIMPLE)
    for child in children:
        process = child.process
        table.add_row(child.name, child.what, child.address, str(process.pid or "not running"), str(process.log))
    return table
