"""What handlers need of a request: its session, its body, its query, its command id."""

import asyncio
import hmac
import re
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel

from gameserver.commands import command_ids, sessions
from gameserver.commands.results import Session
from gameserver.rules.errors import BadInput, FieldProblem, Forbidden, NotAuthenticated
from gameserver.transport import wire
from gameserver.transport.keys import ADMIN_KEYS, CLOCK, COMMANDS

Model = TypeVar("Model", bound=BaseModel)
LONGEST_TOKEN = 256
BODY_SECONDS = 10.0


def bearer(request: web.Request) -> str:
    """The token of the request. Raises NotAuthenticated."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > LONGEST_TOKEN or not token.isascii():
        raise NotAuthenticated("An `Authorization: Bearer <token>` header is needed.")
    return token.strip()


async def session(request: web.Request) -> Session:
    """The caller's session. Raises NotAuthenticated, SessionsUnavailable."""
    return await sessions.authenticate(request.app[COMMANDS].accounts, bearer(request))


def admin(request: web.Request) -> str:
    """The name of the admin whose key the request carries. Raises NotAuthenticated, Forbidden."""
    key = bearer(request).encode()
    names = [
        name
        for name, own in request.app[ADMIN_KEYS].items()
        if hmac.compare_digest(own.get_secret_value().encode(), key)
    ]
    if not names:
        raise Forbidden("This isn't an admin key.")
    return names[0]


async def body(request: web.Request, model: type[Model]) -> Model:
    """The decoded body. Raises BadJson, BadInput, TooLarge, TooSlow."""
    raw = await request.read() if request.content.is_eof() else await _awaited(request)
    return wire.parse(model, wire.parse_json(raw))


async def _awaited(request: web.Request) -> bytes:
    """A body that hasn't come whole yet."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise wire.TooSlow(f"The body didn't come within {BODY_SECONDS:g} s.") from None


def query(request: web.Request, model: type[Model]) -> Model:
    """The decoded query. Raises BadInput, also for a name that is given twice."""
    given = request.query
    twice = {name for name in given if len(given.getall(name)) > 1}
    if twice:
        raise BadInput("The query can't be used.", errors=[FieldProblem(name, "is given twice") for name in twice])
    return wire.parse(model, dict(given))


def command_id(request: web.Request) -> str:
    """The Idempotency-Key, or a new id. Raises BadInput."""
    now = request.app[CLOCK]()
    return command_ids.checked_or_new(request.headers.get("Idempotency-Key"), now, "Idempotency-Key")


def player_id(text: str, field: str = "id") -> int:
    """A player id of a path. Raises BadInput."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 19) or int(text) >= 1 << 63:
        raise BadInput("This isn't a player id.", errors=[FieldProblem(field, "must be a player id")])
    return int(text)


def session_id(text: str) -> str:
    """A session's id of a path. Raises BadInput."""
    if not re.fullmatch(r"[0-9a-f]{16}", text):
        raise BadInput(
            "This isn't a session's id.", errors=[FieldProblem("id", "must be an id of the list of sessions")]
        )
    return text
