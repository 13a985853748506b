"""The WebSocket door: hello first, then pipelined requests, answered as they finish.

Law: only the handler receives. The commands of one player are queued in the order in
which their frames came, since a command is queued before its task first waits. A frame that isn't a JSON object ends
the socket; an object with wrong fields gets an error under its id.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import structlog
from aiohttp import WSMessage, WSMsgType, web

from gameserver import telemetry
from gameserver.commands import accounts, boards, play
from gameserver.commands.backend import Backend
from gameserver.commands.results import Session
from gameserver.rules.errors import (
    BadInput,
    FieldProblem,
    Forbidden,
    GameError,
    Internal,
    NotAuthenticated,
    Unavailable,
)
from gameserver.transport import answers, callers, wire
from gameserver.transport.keys import ORIGINS, READINESS, SOCKETS
from gameserver.transport.pacing import FramePacing
from gameserver.transport.sockets import Socket
from gameserver.transport.wire import Close

log = structlog.get_logger()

HELLO_SECONDS = 5.0
IN_FLIGHT = 128
"""Requests of one socket being answered, at the most; the next frame waits in the peer's connection."""


async def socket(request: web.Request) -> web.StreamResponse:
    """One connection, from its upgrade to its end."""
    _check_origin(request)
    own = Socket()
    if not own.connection.can_prepare(request):
        raise BadInput("This path speaks WebSocket.", errors=[FieldProblem("Upgrade", "must be websocket")])
    await own.open(request)
    telemetry.SOCKETS.inc()
    try:
        with request.app[SOCKETS].keeping(own):
            if not request.app[READINESS].ready:
                own.end(Close.GOING_AWAY, "going away")
            await _converse(callers.backend(request), own, callers.frames(request))
    finally:
        telemetry.SOCKETS.dec()
        await own.ended()
    return own.connection


def _check_origin(request: web.Request) -> None:
    origin = request.headers.get("Origin")
    if origin is None or origin in request.app[ORIGINS] or _host_of(origin) == request.host:
        return
    raise Forbidden("This origin may not open a socket.")


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


async def _converse(backend: Backend, own: Socket, pacing: FramePacing) -> None:
    session = await _greet(backend, own)
    if session is None:
        return
    tasks = own.requests
    try:
        async for message in own.connection:
            frame = _object_of(own, message) if pacing.admits(own) else None
            if frame is None:
                break
            session = await _still(backend, own)
            if session is None:
                break
            task = asyncio.create_task(_serve(backend, session, own, frame))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            if len(tasks) >= IN_FLIGHT:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if tasks:
            await asyncio.wait(tasks)


async def _still(backend: Backend, own: Socket) -> Session | None:
    """The session as it is now, mostly from the node's memory; ends the socket when it has expired or was revoked."""
    try:
        return await accounts.authenticate(backend, own.token)
    except NotAuthenticated as error:
        own.put({"id": None, "error": answers.frame_error(error)})
        own.end(Close.SESSION_REVOKED, error.code)
    except Unavailable as error:
        own.put({"id": None, "error": answers.frame_error(error)})
        own.end(wire.close_code_of(type(error)), error.code)
    return None


def _object_of(own: Socket, message: WSMessage) -> dict[str, Any] | None:
    """The frame's object; ends the socket when it is none."""
    try:
        if message.type is not WSMsgType.TEXT:
            raise wire.BadJson("Only text frames are understood.")
        return wire.parse_json(message.data)
    except wire.BadJson as error:
        own.put({"id": None, "error": answers.frame_error(error)})
        own.end(Close.BAD_FRAME, "bad frame")
        return None


async def _greet(backend: Backend, own: Socket) -> Session | None:
    """Answers hello; ends the socket when there is none in time, or it isn't one."""
    frame: dict[str, Any] | None = None
    try:
        async with asyncio.timeout(HELLO_SECONDS):
            frame = _object_of(own, await own.connection.receive())
        return None if frame is None else await _hello(backend, own, frame)
    except TimeoutError:
        fault: GameError = NotAuthenticated("No hello came in time.")
    except GameError as error:
        fault = error
    except Exception:
        log.exception("a hello failed")
        fault = Internal()
    own.put({"id": _id_of(frame), "error": answers.frame_error(fault)})
    own.end(wire.close_code_of(type(fault)), fault.code)
    return None


async def _hello(backend: Backend, own: Socket, frame: dict[str, Any]) -> Session:
    if frame.get("op") != "hello":
        raise NotAuthenticated("The first frame must be hello.")
    hello = wire.parse(wire.HelloFrame, frame)
    session = await accounts.authenticate(backend, hello.token)
    own.token = hello.token
    own.session_name = session.name  # before the next await, or a revocation that comes then would miss this socket
    me = await play.read(backend, session.player_id)
    told = {
        "player": answers.player_now(me, backend.rulebook.game),
        "stream": telemetry.new_request_id(),
        "seq": own.pushed,
        "heartbeat_seconds": wire.HEARTBEAT_SECONDS,
        "server_time": answers.time(backend.now()),
        "resumed": False,
    }
    own.put({"id": hello.id, "ok": told})
    return session


def _id_of(frame: dict[str, Any] | None) -> str | int | None:
    given = frame.get("id") if frame is not None else None
    return given if isinstance(given, str | int) and len(str(given)) <= 64 else None


async def _serve(backend: Backend, session: Session, own: Socket, frame: dict[str, Any]) -> None:
    """Answers one request under its id."""
    op = frame.get("op")
    try:
        if not isinstance(op, str) or op not in OPS:
            raise BadInput("There is no such op.", errors=[FieldProblem("op", f"must be one of: {', '.join(OPS)}")])
        own.put({"id": frame.get("id"), "ok": await OPS[op](backend, session, frame)})
        telemetry.frame_answered(op, "ok").inc()
    except GameError as error:
        own.put({"id": _id_of(frame), "error": answers.frame_error(error)})
        telemetry.frame_answered(op if isinstance(op, str) and op in OPS else "none", error.code).inc()
    except Exception:
        log.exception("a frame failed", op=op)
        own.put({"id": _id_of(frame), "error": answers.frame_error(Internal())})


async def _act(backend: Backend, session: Session, frame: dict[str, Any]) -> object:
    asked = wire.parse(wire.ActFrame, frame)
    command_id = play.command_id_or_new(backend, asked.command_id, "command_id")
    return answers.act(await play.act(backend, session, asked.action, asked.args, command_id))


async def _read(backend: Backend, session: Session, frame: dict[str, Any]) -> object:
    wire.parse(wire.ReadFrame, frame)
    return {"player": answers.player_now(await play.read(backend, session.player_id), backend.rulebook.game)}


async def _board(backend: Backend, _: Session, frame: dict[str, Any]) -> object:
    asked = wire.parse(wire.BoardFrame, frame)
    return answers.board(await boards.top(backend, asked.board, asked.limit, asked.cursor))


async def _around(backend: Backend, session: Session, frame: dict[str, Any]) -> object:
    asked = wire.parse(wire.AroundFrame, frame)
    return answers.board(await boards.around(backend, asked.board, session.player_id, asked.radius))


async def _ping(backend: Backend, _: Session, frame: dict[str, Any]) -> object:
    wire.parse(wire.PingFrame, frame)
    return {"server_time": answers.time(backend.now())}


Op = Callable[[Backend, Session, dict[str, Any]], Awaitable[object]]
OPS: dict[str, Op] = {"act": _act, "read": _read, "board": _board, "around": _around, "ping": _ping}
"""`hello` isn't among them: it comes once, first."""
