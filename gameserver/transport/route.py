"""One operation of HTTP: its path, the key it asks for, what it takes and what it answers.

The key is checked here, before the operation's own function is called: a handler can't forget it, and is given what the
key stands for (a session, or the name of an admin key).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel

from gameserver.commands.results import Session
from gameserver.rules import errors
from gameserver.transport import wire
from gameserver.transport.http import asking

Response = Awaitable[web.StreamResponse]
Handler = Callable[[web.Request], Response]
SessionHandler = Callable[[web.Request, Session], Response]
KeyHandler = Callable[[web.Request, str], Response]
Error = type[errors.GameError]
Method = Literal["GET", "POST", "PUT", "DELETE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an operation takes, what it answers, and the errors it has besides the common ones."""

    body: type[BaseModel] | None = None
    query: type[BaseModel] = wire.NoQuery
    answer: Any = None
    status: int = 200
    errors: Sequence[Error] = ()
    takes_command_id: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One operation; made by `public`, `player`, `bearer` or `admin`, which say what key the request must carry.

    `handler` is what is served: the key is checked before the operation's own function is called.
    """

    method: Method
    path: str
    name: str
    """The operation's id in the OpenAPI document."""
    handler: Handler
    summary: str
    key: Literal["none", "session", "admin"]
    terms: Terms


def public(method: Method, path: str, handler: Handler, summary: str, **terms: Any) -> Route:
    """An operation that needs no key."""
    checked = Terms(**terms)
    if checked.query is not wire.NoQuery or not path.startswith(("/v1/", "/admin/")):
        return Route(method, path, handler.__name__, handler, summary, "none", checked)

    async def handle(request: web.Request) -> web.StreamResponse:
        _refuse_query(request, checked)
        return await handler(request)

    return Route(method, path, handler.__name__, handle, summary, "none", checked)


def player(method: Method, path: str, handler: SessionHandler, summary: str, **terms: Any) -> Route:
    """An operation for a player: its handler is given the session."""
    checked = Terms(**terms)

    async def handle(request: web.Request) -> web.StreamResponse:
        _refuse_query(request, checked)
        return await handler(request, await asking.session(request))

    return Route(method, path, handler.__name__, handle, summary, "session", checked)


def bearer(method: Method, path: str, handler: KeyHandler, summary: str, **terms: Any) -> Route:
    """An operation for a player whose session may have ended by a first sending of it: its handler judges the token."""
    checked = Terms(**terms)

    async def handle(request: web.Request) -> web.StreamResponse:
        _refuse_query(request, checked)
        return await handler(request, asking.bearer(request))

    return Route(method, path, handler.__name__, handle, summary, "session", checked)


def admin(method: Method, path: str, handler: KeyHandler, summary: str, **terms: Any) -> Route:
    """An operation for operators: its handler is given the name of the admin key."""
    checked = Terms(**terms)

    async def handle(request: web.Request) -> web.StreamResponse:
        _refuse_query(request, checked)
        return await handler(request, asking.admin(request))

    return Route(method, path, handler.__name__, handle, summary, "admin", checked)


def _refuse_query(request: web.Request, terms: Terms) -> None:
    """Raises BadInput for any query of an operation that takes none."""
    if request.query_string and terms.query is wire.NoQuery:
        asking.query(request, wire.NoQuery)
