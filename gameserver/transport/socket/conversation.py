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
from gameserver.commands import accounts, boards, live, play
from gameserver.commands.backend import Backend
from gameserver.commands.results import Seen, Session
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
from gameserver.transport.keys import ORIGINS, READINESS
from gameserver.transport.socket import pacing
from gameserver.transport.socket.pacing import FramePacing
from gameserver.transport.socket.socket import Socket
from gameserver.transport.socket.sockets import SOCKETS, Sockets
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
            await _converse(callers.backend(request), request.app[SOCKETS], own, pacing.frames(request))
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


async def _converse(backend: Backend, sockets: Sockets, own: Socket, pacing: FramePacing) -> None:
    if not await _greet(backend, sockets, own, pacing):
        return
    tasks = own.requests
    try:
        while (message := await _next(own, pacing)) is not None:
            frame = _object_of(own, message)
            if frame is None:
                break
            if not await _still(backend, own):
                break
            task = asyncio.create_task(_serve(backend, sockets, own, frame))
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


async def _still(backend: Backend, own: Socket) -> bool:
    """Looks at the session as it is now, mostly in the node's memory; ends the socket when it has ended."""
    try:
        own.session = await accounts.authenticate(backend, own.token)
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


async def _greet(backend: Backend, sockets: Sockets, own: Socket, pacing: FramePacing) -> bool:
    """Answers hello; ends the socket when there is none in time, or it isn't one."""
    frame: dict[str, Any] | None = None
    try:
        async with asyncio.timeout(HELLO_SECONDS):
            message = await _next(own, pacing)
        frame = None if message is None else _object_of(own, message)
        if frame is None:
            return False
        await _hello(backend, sockets, own, frame)
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


async def _hello(backend: Backend, sockets: Sockets, own: Socket, frame: dict[str, Any]) -> None:
    if frame.get("op") != "hello":
        raise NotAuthenticated("The first frame must be hello.")
    hello = wire.parse(wire.HelloFrame, frame)
    session = await accounts.authenticate(backend, hello.token)
    own.token = hello.token
    sockets.admit(own, session)  # before the next await, or what comes then for the player would miss this socket
    seen = Seen() if hello.resume is None else Seen(hello.resume.stream, hello.resume.seq)
    opened = await live.enter(backend, session.player_id, seen)
    me = await play.read(backend, session.player_id)
    told = {
        "player": answers.player_now(me, backend.rulebook.game),
        "stream": opened.stream,
        "seq": opened.seq - len(opened.missed),
        "heartbeat_seconds": wire.HEARTBEAT_SECONDS,
        "server_time": rfc3339(backend.now()),
        "resumed": opened.resumed,
    }
    own.greet({"id": hello.id, "ok": told}, me.version, opened)


def _id_of(frame: dict[str, Any] | None) -> str | int | None:
    given = frame.get("id") if frame is not None else None
    return given if isinstance(given, str | int) and len(str(given)) <= 64 else None


async def _serve(backend: Backend, sockets: Sockets, own: Socket, frame: dict[str, Any]) -> None:
    """Answers one request under its id."""
    op = frame.get("op")
    try:
        if not isinstance(op, str) or op not in OPS:
            raise BadInput("There is no such op.", errors=[FieldProblem("op", f"must be one of: {', '.join(OPS)}")])
        own.put({"id": frame.get("id"), "ok": await OPS[op](backend, sockets, own, frame)})
        telemetry.frame_answered(op, "ok").inc()
    except GameError as error:
        own.put({"id": _id_of(frame), "error": answers.frame_error(error)})
        telemetry.frame_answered(op if isinstance(op, str) and op in OPS else "none", error.code).inc()
    except Exception:
        log.exception("a frame failed", op=op)
        own.put({"id": _id_of(frame), "error": answers.frame_error(Internal())})


async def _act(backend: Backend, _: Sockets, own: Socket, frame: dict[str, Any]) -> object:
    asked = wire.parse(wire.ActFrame, frame)
    command_id = play.command_id_or_new(backend, asked.command_id, "command_id")
    receipt = await play.act(backend, _session(own), asked.action, asked.args, command_id)
    own.has_told(receipt.player.version)
    return answers.act(receipt)


async def _read(backend: Backend, _: Sockets, own: Socket, frame: dict[str, Any]) -> object:
    wire.parse(wire.ReadFrame, frame)
    me = await play.read(backend, _session(own).player_id)
    own.has_told(me.version)
    return {"player": answers.player_now(me, backend.rulebook.game)}


async def _items(backend: Backend, _: Sockets, own: Socket, frame: dict[str, Any]) -> object:
    wire.parse(wire.ItemsFrame, frame)
    return answers.items(await play.items(backend, _session(own)), backend.rulebook.game)


async def _board(backend: Backend, sockets: Sockets, _: Socket, frame: dict[str, Any]) -> object:
    asked = wire.parse(wire.BoardFrame, frame)

    async def ask() -> answers.BoardAnswer:
        return answers.board(await boards.top(backend, asked.board, asked.season, asked.limit, asked.cursor))

    if asked.cursor is not None:
        return await ask()
    return answers.encoded((await sockets.pages.read((asked.board, asked.season, asked.limit), ask)).body)


async def _around(backend: Backend, _: Sockets, own: Socket, frame: dict[str, Any]) -> object:
    asked = wire.parse(wire.AroundFrame, frame)
    me = _session(own).player_id
    return answers.board(await boards.around(backend, asked.board, asked.season, me, asked.radius))


async def _subscribe(backend: Backend, sockets: Sockets, own: Socket, frame: dict[str, Any]) -> object:
    topics = frozenset(wire.parse(wire.SubscribeFrame, frame).topics)
    known = wire.TOPICS | {wire.RANK_TOPIC + board for board in backend.rulebook.game.boards}
    if strange := topics - known:
        problem = FieldProblem("topics", f"{', '.join(sorted(strange))}: must be of {', '.join(sorted(known))}")
        raise BadInput("There are no such topics.", errors=[problem])
    sockets.subscribe(own, topics)
    return {"topics": sorted(topics)}


async def _ping(backend: Backend, _: Sockets, __: Socket, frame: dict[str, Any]) -> object:
    wire.parse(wire.PingFrame, frame)
    return {"server_time": rfc3339(backend.now())}


def _session(own: Socket) -> Session:
    """That of a socket which has said hello."""
    if own.session is None:
        raise NotAuthenticated("The first frame must be hello.")
    return own.session


Op = Callable[[Backend, Sockets, Socket, dict[str, Any]], Awaitable[object]]
OPS: dict[str, Op] = {
    "act": _act,
    "read": _read,
    "items": _items,
    "board": _board,
    "around": _around,
    "subscribe": _subscribe,
    "ping": _ping,
}
"""`hello` isn't among them: it comes once, first."""
