"""Typed keys of what the application and its requests carry."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web
from pydantic import SecretStr

from gameserver.commands.backend import Backend


@dataclass(slots=True)
class Readiness:
    """Whether new work is welcome; off while draining."""

    ready: bool = False
    in_flight: int = field(default=0)
    """HTTP requests being answered."""


BACKEND = web.AppKey("backend", Backend)
READINESS = web.AppKey("readiness", Readiness)
ADMIN_KEYS = web.AppKey("admin_keys", Mapping[str, SecretStr])
ORIGINS = web.AppKey("origins", frozenset[str])
REQUEST_ID = web.RequestKey("request_id", str)
