"""Typed keys of what the application and its requests carry."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from gameserver.commands.backend import Backend
from gameserver.rules.pacing import Pace
from gameserver.transport.addresses import Networks
from gameserver.transport.board_pages import BoardPages
from gameserver.transport.sockets import Sockets


@dataclass(slots=True)
class Readiness:
    """Whether new work is welcome; off while draining."""

    ready: bool = False
    in_flight: int = field(default=0)
    """HTTP requests being answered."""


@dataclass(frozen=True, slots=True)
class Callers:
    """How callers are told apart, and which of them aren't limited."""

    proxies: Networks
    """Whose X-Forwarded-For is believed."""
    exempt: Networks
    """Whose sign-ups and sign-ins aren't limited."""
    keys: Mapping[str, str]
    """Of back ends, by name."""
    frames: Pace
    """Of each socket."""


BACKEND = web.AppKey("backend", Backend)
BOARD_PAGES = web.AppKey("board_pages", BoardPages)
READINESS = web.AppKey("readiness", Readiness)
SOCKETS = web.AppKey("sockets", Sockets)
CALLERS = web.AppKey("callers", Callers)
ADMIN_KEYS = web.AppKey("admin_keys", Mapping[str, str])
ORIGINS = web.AppKey("origins", frozenset[str])
REQUEST_ID = web.RequestKey("request_id", str)
