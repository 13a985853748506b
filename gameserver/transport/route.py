"""One HTTP operation: its path, the key that it needs, what it takes and what it answers.

Law: the key is checked here, before the handler is called. A handler can't forget to check it, and is given what the
key stands for: a session, or the name of an admin key.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel

from gameserver.commands.results import Session
from gameserver.rules import errors
from gameserver.rules.roles import Role
from gameserver.transport import wire
from gameserver.transport.http import inputs, operators

Response = Awaitable[web.StreamResponse]
Handler = Callable[[web.Request], Response]
SessionHandler = Callable[[web.Request, Session], Response]
KeyHandler = Callable[[web.Request, str], Response]
"""Is given the bearer token, or the name of the admin key."""
Error = type[errors.GameError]
Method = Literal["GET", "POST", "PUT", "DELETE"]
CHECKED_PATHS = ("/v1/", "/admin/")
"""Beginnings of the paths whose operations refuse queries and bodies that they don't take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an operation takes, what it answers, and the errors it has besides the common ones."""

    body: type[BaseModel] | None = None
    query: type[BaseModel] = wire.NoQuery
    answer: Any = None
    status: int = 200
    errors: Sequence[Error] = ()
    takes_command_id: bool = False
    takes_token: bool = False
    """Whether a request may carry a Consistency-Token."""
    gives_token: bool = False
    for_support: Collection[str] = ()
    """Parameters of the query that need the role support, whatever the operation itself needs."""


@dataclass(frozen=True, slots=True)
class Route:
    """One operation; made by `public`, `player`, `bearer` or `admin`, which say what key a request must carry.

    `handler` is what the application serves: it checks the key and then calls the operation's own function.
    """

    method: Method
    path: str
    name: str
    """The operation's id in the OpenAPI document."""
    handler: Handler
    summary: str
    key: Literal["none", "session", "admin"]
    terms: Terms
    role: Role | None = None
    """The least role that an admin key must have."""

    @property
    def reads_body(self) -> bool:
        """Whether a body may be at fault, also where none is needed."""
        return self.path.startswith(CHECKED_PATHS)


def public(method: Method, path: str, handler: Handler, summary: str, **terms: Any) -> Route:
    """An operation that needs no key."""
    checked = Terms(**terms)
    if not path.startswith(CHECKED_PATHS):
        return Route(method, path, handler.__name__, handler, summary, "none", checked)

    async def handle(request: web.Request) -> web.StreamResponse:
        _refuse_query(request, checked)
        await _refuse_body(request, checked)
        return await handler(request)

    return Route(method, path, handler.__name__, handle, summary, "none", checked)


def player(method: Method, path: str, handler: SessionHandler, summary: str, **terms: Any) -> Route:
    """An operation for a player: its handler is given the session."""
    checked = Terms(**terms)

    async def handle(request: web.Request) -> web.StreamResponse:
        _refuse_query(request, checked)
        session = await inputs.session(request)
        await _refuse_body(request, checked)
        return await handler(request, session)

    return Route(method, path, handler.__name__, handle, summary, "session", checked)


def bearer(method: Method, path: str, handler: KeyHandler, summary: str, **terms: Any) -> Route:
    """An operation for a player that may be sent again after it has ended the session: its handler checks the token."""
    checked = Terms(**terms)

    async def handle(request: web.Request) -> web.StreamResponse:
        _refuse_query(request, checked)
        token = inputs.bearer(request)
        await _refuse_body(request, checked)
        return await handler(request, token)

    return Route(method, path, handler.__name__, handle, summary, "session", checked)


def admin(role: Role, method: Method, path: str, handler: KeyHandler, summary: str, **terms: Any) -> Route:
    """An operation for operators whose key has at least this role: its handler is given the name of the key."""
    checked = Terms(**terms)

    async def handle(request: web.Request) -> web.StreamResponse:
        admitted = await operators.admit(request, role)
        name = admitted.name
        _refuse_query(request, checked)
        _refuse_narrow_query(request, admitted.role, checked)
        await _refuse_body(request, checked)
        if checked.takes_command_id:
            inputs.command_id(request)  # a preview has no use for it, and refuses what its order would refuse
        return await handler(request, name)

    return Route(method, path, handler.__name__, handle, summary, "admin", checked, role)


def _refuse_query(request: web.Request, terms: Terms) -> None:
    """Raises BadInput for a query of an operation that takes none."""
    if request.query_string and terms.query is wire.NoQuery:
        inputs.query(request, wire.NoQuery)


def _refuse_narrow_query(request: web.Request, role: Role, terms: Terms) -> None:
    """Raises Forbidden for parameters that the role may not use."""
    if role.may(Role.SUPPORT):
        return
    if used := [name for name in terms.for_support if name in request.query]:
        problems = [
            errors.FieldProblem(name, f"needs the role {Role.SUPPORT}, and the key has {role}") for name in used
        ]
        raise errors.Forbidden(f"Finding single players needs the role {Role.SUPPORT}.", errors=problems)


async def _refuse_body(request: web.Request, terms: Terms) -> None:
    """Raises BadInput for fields of an operation that takes none, and what is raised for any body that can't be read.

    Clients' libraries send an empty object where there is nothing to say.
    """
    if terms.body is None and request.body_exists:
        await inputs.refuse_fields(request)
