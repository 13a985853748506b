"""The WebSocket door: hello first, then pipelined requests, answered as they finish.

Law: only the handler receives. The commands of one player are queued in the order in
which their frames came, since a command is queued before its task first waits. A frame that isn't a JSON object ends
the socket; an object with wrong fields gets an error under its id.
"""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import structlog
from aiohttp import WSMessage, WSMsgType, web

from gameserver import telemetry
from gameserver.commands import live, play, sessions
from gameserver.commands.results import Seen
from gameserver.rules.errors import (
    BadInput,
    FieldProblem,
    Forbidden,
    GameError,
    Internal,
    NotAuthenticated,
    Unavailable,
)
from gameserver.times import rfc3339
from gameserver.transport import answers, wire
from gameserver.transport.callers import callers
from gameserver.transport.keys import CLOCK, COMMANDS, ORIGINS, READINESS, RULEBOOK
from gameserver.transport.socket import pacing
from gameserver.transport.socket.operations import OPERATIONS, Peer
from gameserver.transport.socket.pacing import FramePacing
from gameserver.transport.socket.socket import Socket
from gameserver.transport.socket.sockets import SOCKETS
from gameserver.transport.wire import Close

log = structlog.get_logger()

HELLO_SECONDS = 5.0
ENDS = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)
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
            await _converse(_peer(request, own), pacing.frames(request))
    finally:
        telemetry.SOCKETS.dec()
        await own.ended()
    return own.connection


def _peer(request: web.Request, own: Socket) -> Peer:
    app = request.app
    return Peer(own, app[SOCKETS], app[COMMANDS], app[RULEBOOK], app[CLOCK], callers.action_pacing(request))


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


async def _converse(peer: Peer, frames: FramePacing) -> None:
    own = peer.socket
    if not await _greet(peer, frames):
        return
    tasks = own.requests
    try:
        while (message := await _next(own, frames)) is not None:
            frame = _object_of(own, message)
            if frame is None:
                break
            if not await _still(peer):
                break
            task = asyncio.create_task(_serve(peer, frame))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            if len(tasks) >= IN_FLIGHT:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if tasks:
            await asyncio.wait(tasks)


async def _next(own: Socket, pacing: FramePacing) -> WSMessage | None:
    """The next message; pings are answered here, since they count as frames, too. None at the end."""
    while True:
        message = await own.connection.receive()
        if message.type in ENDS or not pacing.admits(own):
            return None
        if message.type is WSMsgType.PING:
            await own.connection.pong(message.data)
        elif message.type is not WSMsgType.PONG:
            return message


async def _still(peer: Peer) -> bool:
    """Looks at the session as it is now, mostly in the node's memory; ends the socket when it has ended."""
    own = peer.socket
    try:
        own.session = await sessions.authenticate(peer.commands.accounts, own.token)
    except NotAuthenticated as error:
        own.put({"id": None, "error": answers.frame_error(error)})
        own.end(Close.SESSION_REVOKED, error.code)
    except Unavailable as error:
        own.put({"id": None, "error": answers.frame_error(error)})
        own.end(wire.close_code_of(type(error)), error.code)
    return not own.closing


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


async def _greet(peer: Peer, frames: FramePacing) -> bool:
    """Answers hello; ends the socket when there is none in time, or it isn't one."""
    own = peer.socket
    frame: dict[str, Any] | None = None
    try:
        async with asyncio.timeout(HELLO_SECONDS):
            message = await _next(own, frames)
        frame = None if message is None else _object_of(own, message)
        if frame is None:
            return False
        await _hello(peer, frame)
        return True
    except TimeoutError:
        fault: GameError = NotAuthenticated("No hello came in time.")
    except GameError as error:
        fault = error
    except Exception:
        log.exception("a hello failed")
        fault = Internal()
    own.put({"id": _id_of(frame), "error": answers.frame_error(fault)})
    own.end(wire.close_code_of(type(fault)), fault.code)
    return False


async def _hello(peer: Peer, frame: dict[str, Any]) -> None:
    own, commands = peer.socket, peer.commands
    if frame.get("op") != "hello":
        raise NotAuthenticated("The first frame must be hello.")
    hello = wire.parse(wire.HelloFrame, frame)
    session = await sessions.authenticate(commands.accounts, hello.token)
    own.token = hello.token
    peer.sockets.admit(own, session)  # before the next await, or what comes then for the player would miss this socket
    seen = Seen() if hello.resume is None else Seen(hello.resume.stream, hello.resume.seq)
    opened = await live.enter(commands.live, session.player_id, seen)
    player = await play.read(commands.play, session.player_id)
    state = {
        "player": answers.player_now(player, peer.rulebook.game),
        "stream": opened.stream,
        "seq": opened.seq - len(opened.missed),
        "heartbeat_seconds": wire.HEARTBEAT_SECONDS,
        "server_time": rfc3339(peer.now()),
        "resumed": opened.resumed,
    }
    own.greet({"id": hello.id, "ok": state}, player.version, opened)


def _id_of(frame: dict[str, Any] | None) -> str | int | None:
    given = frame.get("id") if frame is not None else None
    return given if isinstance(given, str | int) and len(str(given)) <= 64 else None


async def _serve(peer: Peer, frame: dict[str, Any]) -> None:
    """Answers one request under its id."""
    own, op = peer.socket, frame.get("op")
    try:
        if not isinstance(op, str) or op not in OPERATIONS:
            raise BadInput(
                "There is no such op.", errors=[FieldProblem("op", f"must be one of: {', '.join(OPERATIONS)}")]
            )
        own.put({"id": frame.get("id"), "ok": await OPERATIONS[op](peer, frame)})
        telemetry.frame_answered(op, "ok").inc()
    except GameError as error:
        own.put({"id": _id_of(frame), "error": answers.frame_error(error)})
        telemetry.frame_answered(op if isinstance(op, str) and op in OPERATIONS else "none", error.code).inc()
    except Exception:
        log.exception("a frame failed", op=op)
        own.put({"id": _id_of(frame), "error": answers.frame_error(Internal())})
