"""Tables for the terminal: what runs where."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table

from gameserver.stack.processes.child import Child
from gameserver.terminal import grid


def overview(children: Iterable[Child]) -> tuple[Table, Table]:
    """What each server is, its address and pid; and where each has its log."""
    servers, logs = grid("name", "what", "address", "pid"), grid("name", "log")
    for child in children:
        process = child.process
        servers.add_row(child.name, child.what, child.address, str(process.pid or "not running"))
        logs.add_row(child.name, min(str(process.log), os.path.relpath(process.log), key=len))
    return servers, logs


def described(children: Iterable[Child]) -> list[dict[str, object]]:
    """The same for programs."""
    return [
        {
            "name": child.name,
            "what": child.what,
            "address": child.address,
            "pid": child.process.pid,
            "log": str(child.process.log),
        }
        for child in children
    ]


def fleet(answer: Mapping[str, Any]) -> Table:
    """One row for each node behind HAProxy, from the answer of the running `up` to a `nodes` command."""
    headings = ("name", "address", "over HTTP", "for sockets", "sessions", "pid", "note")
    table = grid(*headings, right=("sessions",), folded=("note",))
    for node in answer["nodes"]:
        states = node["states"]
        cells = (node["name"], node["address"], states["play"], states["sockets"], node["sessions"], node["pid"] or "-")
        table.add_row(*map(str, cells), node["note"])
    table.caption = f"free places: {answer['free_places']}"
    return table
