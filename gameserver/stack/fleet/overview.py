"""Tables for the terminal: what runs where."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.table import Table

from gameserver.stack.processes.child import Child


def overview(children: Iterable[Child]) -> Table:
    """One row for each server: name, what it is, address, pid and log."""
    table = Table(box=box.SIMPLE)
    for heading in ("name", "what", "address", "pid"):
        table.add_column(heading, no_wrap=True)
    table.add_column("log", overflow="fold")
    for child in children:
        process = child.process
        log = min(str(process.log), os.path.relpath(process.log), key=len)
        table.add_row(child.name, child.what, child.address, str(process.pid or "not running"), log)
    return table


def fleet(answer: Mapping[str, Any]) -> Table:
    """One row for each node behind HAProxy, from the answer of the running `up` to a `nodes` command."""
    table = Table("name", "address", "over HTTP", "for sockets", "sessions", "pid", "", box=box.SIMPLE)
    for node in answer["nodes"]:
        states = node["states"]
        cells = (node["name"], node["address"], states["play"], states["sockets"], node["sessions"], node["pid"] or "-")
        table.add_row(*map(str, cells), node["note"])
    table.caption = f"free places: {answer['free_places']}"
    return table
