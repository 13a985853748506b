"""What handlers read from a request: the caller's session, the body, the query, ids, the command id."""

import asyncio
import re
from typing import TypeVar

from aiohttp import HttpVersion11, hdrs, web
from multidict import istr
from pydantic import BaseModel

from gameserver.commands import command_ids, sessions
from gameserver.commands.results import Session
from gameserver.rules.arguments import LARGEST_ID
from gameserver.rules.checking import MAX_PATH, MAX_PROBLEMS
from gameserver.rules.errors import BadInput, FieldProblem, NotAuthenticated, NotFound
from gameserver.transport import wire
from gameserver.transport.callers import callers
from gameserver.transport.callers.headers import single_header
from gameserver.transport.keys import CLOCK, COMMANDS

Model = TypeVar("Model", bound=BaseModel)
LONGEST_TOKEN = 256
JSON = "application/json"
CONTINUE = "100-continue"
IDEMPOTENCY_KEY = istr("Idempotency-Key")
_JSON_TYPE = re.compile(
    r'application/json[ \t]*+(?:;[ \t]*+(?:charset[ \t]*+=[ \t]*+"?utf-?8"?[ \t]*+)?)*+', re.IGNORECASE
)
_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
BROWSER_HEADERS = ("Origin", "Sec-Fetch-Site")
"""Browsers send at least one of them with every body."""
BODY_SECONDS = 10.0
"""How long a body may take to arrive."""


def bearer(request: web.Request) -> str:
    """The token of the request. Raises NotAuthenticated, BadRequest."""
    scheme, _, token = (single_header(request, hdrs.AUTHORIZATION) or "").partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > LONGEST_TOKEN or not token.isascii():
        raise NotAuthenticated("An `Authorization: Bearer <token>` header is needed.")
    return token.strip()


async def session(request: web.Request) -> Session:
    """The caller's session. Raises NotAuthenticated, SessionsUnavailable."""
    return await sessions.authenticate(request.app[COMMANDS].accounts, bearer(request))


async def body(request: web.Request, model: type[Model], largest: int = wire.LARGEST_BODY) -> Model:
    """The decoded body, of `largest` bytes at the most.

    Only a handler that is called once the key was checked may allow more than LARGEST_BODY. Raises BadJson, BadInput,
    UnsupportedMediaType, TooLarge, TooSlow.
    """
    require_json(request)
    return wire.parse(model, wire.parse_json(await _read_body(request, largest)))


async def refuse_fields(request: web.Request) -> None:
    """Checks the body of an operation that takes none: nothing or an empty object. Raises what `body` raises."""
    if raw := await _read_body(request, wire.LARGEST_BODY):
        require_json(request)
        wire.parse(wire.NoBody, wire.parse_json(raw))


async def expect(request: web.Request) -> None:
    """Checks what the request expects; its body is asked for where it is read. Raises HTTPExpectationFailed."""
    if request.version >= HttpVersion11 and request.headers[hdrs.EXPECT].lower() != CONTINUE:
        raise web.HTTPExpectationFailed


def require_json(request: web.Request) -> None:
    """Raises UnsupportedMediaType unless the body is uncompressed JSON; BadRequest for two types.

    A page of a foreign origin can send anything but JSON without asking its browser's leave (docs/decisions/0028).
    """
    given = single_header(request, hdrs.CONTENT_TYPE)
    if given is None:
        if any(name in request.headers for name in BROWSER_HEADERS):
            raise wire.UnsupportedMediaType("A browser must send `Content-Type: application/json` with a body.")
    elif given != JSON and not _JSON_TYPE.fullmatch(given):
        raise wire.UnsupportedMediaType("A body must be JSON, and be sent with `Content-Type: application/json`.")
    if (coding := request.headers.get(hdrs.CONTENT_ENCODING)) is not None and coding.lower() != "identity":
        raise wire.UnsupportedMediaType("A body may not be compressed.")


async def _read_body(request: web.Request, largest: int) -> bytes:
    """Raises TooLarge, TooSlow."""
    if not request.content.is_eof():
        return await _read_slow_body(request, largest)
    raw = request.content.read_nowait()
    _require_size(len(raw), largest)
    callers.charge_body(request, len(raw))
    return raw


async def _read_slow_body(request: web.Request, largest: int) -> bytes:
    """A body that hasn't fully arrived yet. Raises TooLarge, TooSlow."""
    _require_size(request.content_length or 0, largest)
    await _ask_for_body(request)
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while part := await request.content.readany():
                raw += part
                _require_size(len(raw), largest)
        callers.charge_body(request, len(raw))
    except TimeoutError:
        raise wire.TooSlow(f"The body didn't arrive within {BODY_SECONDS:g} s.") from None
    return bytes(raw)


async def _ask_for_body(request: web.Request) -> None:
    """Tells a client that waits for it that its body is wanted."""
    if hdrs.EXPECT in request.headers and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def _require_size(size: int, largest: int) -> None:
    """Raises TooLarge."""
    if size > largest:
        raise wire.TooLarge(f"A body may have at most {largest} bytes.")


def query(request: web.Request, model: type[Model]) -> Model:
    """The decoded query. Raises BadInput, also for a name that is given twice, unless it is that of a list.

    Many clients write a list as its name again and again, also generated ones that are told not to.
    """
    given = request.query
    twice = dict.fromkeys(name for name in given if len(given.getall(name)) > 1)
    if faults := [name for name in twice if name not in wire.lists_of(model)]:
        problems = [FieldProblem(name[:MAX_PATH], "is given twice") for name in faults[:MAX_PROBLEMS]]
        raise BadInput("The query can't be used.", errors=problems)
    return wire.parse(model, {**given, **{name: ",".join(given.getall(name)) for name in twice}})


def command_id(request: web.Request) -> str:
    """The Idempotency-Key, or a new command id. Raises BadInput, BadRequest.

    The key may stand in double quotes, as the IETF's draft of this header writes it.
    """
    given = single_header(request, IDEMPOTENCY_KEY)
    if given is not None and len(given) > 1 and given[0] == given[-1] == '"':
        given = given[1:-1]
    return command_ids.checked_or_new(given, request.app[CLOCK], IDEMPOTENCY_KEY)


def has_command_id(request: web.Request) -> bool:
    """Whether the command id is the client's, so that the same command may come again."""
    return IDEMPOTENCY_KEY in request.headers


def player_id(text: str, field: str = "id") -> int:
    """A player id that was sent as `field`. Raises BadInput."""
    if (number := _number(text)) is None:
        raise BadInput("This isn't a player id.", errors=[FieldProblem(field, "must be a player id")])
    return number


def path_number(request: web.Request, field: str, what: str, largest: int = LARGEST_ID) -> int:
    """What stands in the path by its number, as answers write that. Raises NotFound: nothing has another name."""
    number = _number(request.match_info[field])
    if number is None or number > largest:
        raise NotFound(f"There is no such {what}.")
    return number


def _number(text: str) -> int | None:
    """An id, in the one way it is written."""
    return number if _NUMBER.fullmatch(text) and (number := int(text)) <= LARGEST_ID else None


def path_player(request: web.Request) -> int:
    """The player id in the path. Raises BadInput."""
    return player_id(request.match_info["id"])


async def path_player_or_me(request: web.Request) -> int:
    """The player id in the path, or with `me` the caller's. Raises BadInput, NotAuthenticated, SessionsUnavailable."""
    return (await session(request)).player_id if request.match_info["id"] == "me" else path_player(request)


def path_session(request: web.Request) -> str:
    """The id of a listed session in the path. Raises BadInput."""
    return _listed_id(request, "id", "session")


def path_listed_session(request: web.Request) -> str:
    """The id of a player's listed session in the path. Raises BadInput."""
    return _listed_id(request, "session", "session")


def path_device(request: web.Request) -> str:
    """The id of a listed device in the path. Raises BadInput."""
    return _listed_id(request, "device", "device")


def _listed_id(request: web.Request, field: str, what: str) -> str:
    text = request.match_info[field]
    if not re.fullmatch(r"[0-9a-f]{16}", text):
        problem = FieldProblem(field, f"must be an id of the list of {what}s")
        raise BadInput(f"This isn't a {what} id.", errors=[problem])
    return text
