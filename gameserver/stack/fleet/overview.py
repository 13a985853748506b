"""The table that tells on the terminal what runs where."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.table import Table

from gameserver.stack.processes.child import Child


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


def members(told: Mapping[str, Any]) -> Table:
    """One row for each node behind HAProxy, as `nodes list` gets them of the running `up`."""
    table = Table("name", "address", "over HTTP", "for sockets", "sessions", "pid", "", box=box.SIMPLE)
    for each in told["nodes"]:
        states = each["states"]
        cells = (each["name"], each["address"], states["play"], states["sockets"], each["sessions"], each["pid"] or "-")
        table.add_row(*map(str, cells), each["note"])
    table.caption = f"free places: {told['free_places']}"
    return table
