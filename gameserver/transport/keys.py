"""Typed keys of what the application carries for every handler."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from aiohttp import web

from gameserver.commands.commands import Commands
from gameserver.rules.editions import RulesInForce
from gameserver.times import HttpDate
from gameserver.tracing.tracer import Tracer

PRODUCT = "heroledger"
"""How a node calls itself in `Server`, which says nothing of its software."""


@dataclass(frozen=True, slots=True)
class NodeName:
    """The name that operators gave this node, if any, and how HTTP's header `Server` says it."""

    name: str | None = None
    server: str = PRODUCT

    @classmethod
    def of(cls, name: str | None) -> Self:
        return cls() if name is None else cls(name, f"{PRODUCT} ({name})")


@dataclass(slots=True)
class Readiness:
    """Whether the node takes new work, off while it drains; and who it is, since every request looks here."""

    ready: bool = False
    stopping: bool = False
    """Whether the process is about to end, so that no order makes it ready again."""
    node: NodeName = NodeName()
    date: HttpDate = field(default_factory=lambda: HttpDate(time.time))
    """By the clock that the node goes by, which may be another one than its machine's."""
    in_flight: int = 0
    """HTTP requests being answered."""
    problems: Callable[[], Mapping[str, str]] = dict
    """Why databases can't be used at the moment, by name."""
    primaries: Callable[[], Mapping[str, int]] = dict
    """Of the databases with several addresses, by name: which one, from 1, is the primary seen last."""
    deployment: Callable[[], str] = str
    """The id of the deployment; empty while it isn't known."""
    left: Callable[[], Collection[str]] = tuple
    """The databases that no group has any more."""


COMMANDS = web.AppKey("commands", Commands)
RULES = web.AppKey("rules", RulesInForce)
CLOCK: web.AppKey[Callable[[], datetime]] = web.AppKey("clock")
READINESS = web.AppKey("readiness", Readiness)
TRACER: web.AppKey[Tracer | None] = web.AppKey("tracer")
"""None unless requests are traced."""
