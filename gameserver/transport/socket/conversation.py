"""The WebSocket door: hello first, then pipelined requests, answered as they finish.

Law: only the handler receives. A player's commands are queued in the order in which their frames arrived, since each
is queued before its task first waits. A frame that isn't a JSON object ends the socket; an object with wrong fields is
answered with an error under its id.
"""

import asyncio
from typing import Any

import structlog
from aiohttp import WSMessage, WSMsgType, web

from gameserver import telemetry
from gameserver.code_labels import CODES
from gameserver.commands import live, play, sessions
from gameserver.commands.results import Seen
from gameserver.garbage import without_frames
from gameserver.rules.errors import (
    BadInput,
    FieldProblem,
    GameError,
    Internal,
    NotAuthenticated,
    RateLimited,
    Unavailable,
)
from gameserver.times import rfc3339
from gameserver.transport import answers, wire
from gameserver.transport.callers import callers, counting
from gameserver.transport.keys import CLOCK, COMMANDS, READINESS, RULES, TRACER
from gameserver.transport.socket.channel import SocketChannel
from gameserver.transport.socket.following import follow
from gameserver.transport.socket.guard import FrameGuard, Guarded
from gameserver.transport.socket.operations import OPERATIONS, Conversation
from gameserver.transport.socket.pacing import FramePacing, frame_pacing
from gameserver.transport.socket.player_socket import PlayerSocket
from gameserver.transport.socket.sockets import SOCKETS
from gameserver.transport.socket.upgrade import check_origin, check_upgrade
from gameserver.transport.wire import LARGEST_BODY, Close

log = structlog.get_logger()

HELLO_SECONDS = 5.0
IN_FLIGHT = 128
"""How many requests of one socket are answered at a time; the next frame waits in the client's connection."""
IN_FLIGHT_BYTES = 1 << 18
"""Of how many bytes these may be."""
REFUSED_SECONDS = 0.002
"""What a socket costs a node whose hello is refused."""
FEW = IN_FLIGHT_BYTES // LARGEST_BODY
"""So many can't be of more bytes."""


async def socket(request: web.Request) -> web.StreamResponse:
    """One connection, from its upgrade to its end."""
    check_origin(request)
    sockets = request.app[SOCKETS]
    with sockets.places.take(callers.address(request)) as place:
        return await _hold(request, PlayerSocket(place, sockets.memory))


async def _hold(request: web.Request, player_socket: PlayerSocket) -> web.StreamResponse:
    channel = player_socket.channel
    check_upgrade(request, channel.websocket)
    pacing = frame_pacing(request, player_socket.address, lambda: player_socket.player_id)
    if isinstance(request.protocol, Guarded):
        request.protocol.guard_frames(lambda reader: FrameGuard(reader, channel, pacing))
    await channel.open(request)
    telemetry.SOCKETS.inc()
    try:
        with request.app[SOCKETS].registered(player_socket):
            if not request.app[READINESS].ready:
                channel.end(Close.GOING_AWAY, "going away")
            await _converse(_conversation(request, player_socket), pacing)
            if channel.half_closed:
                channel.end(Close.NORMAL, "")
    finally:
        telemetry.SOCKETS.dec()
        await channel.wait_closed()
    return channel.websocket


def _conversation(request: web.Request, player_socket: PlayerSocket) -> Conversation:
    app = request.app
    paces = counting.action_pacing(request), counting.hello_pacing(request)
    doors = app[SOCKETS], app[COMMANDS], app[RULES], app[CLOCK]
    counted = (*paces, counting.read_counter(request), counting.entry_counter(request))
    return Conversation(player_socket, *doors, *counted, app[TRACER], app[READINESS].node.name)


async def _converse(conversation: Conversation, pacing: FramePacing) -> None:
    if not await _greet(conversation, pacing):
        return
    channel, requests = conversation.socket.channel, conversation.socket.requests
    try:
        while (message := await _next(channel, pacing)) is not None:
            # Decode the frame, and see that the session still holds.
            frame = _object_of(channel, message)
            if frame is None or not await _check_session(conversation):
                break
            # Answer it in a task of its own: its command is queued before the task first waits.
            serving = _serve(conversation, frame)
            tracer = conversation.tracer
            task = asyncio.create_task(serving if tracer is None else follow(tracer, frame, serving))
            requests[task] = len(message.data)
            task.add_done_callback(requests.pop)
            # Read no further while too many requests are being answered.
            if len(requests) >= FEW:
                await _wait_for_room(conversation.socket)
    finally:
        if requests:
            await asyncio.wait(requests)


async def _wait_for_room(socket: PlayerSocket) -> None:
    """Waits until the socket may have one more request in flight."""
    requests = socket.requests
    socket.note_held()
    while len(requests) >= IN_FLIGHT or sum(requests.values()) >= IN_FLIGHT_BYTES:
        await asyncio.wait(requests, return_when=asyncio.FIRST_COMPLETED)


async def _next(
    channel: SocketChannel, pacing: FramePacing, patience: asyncio.Timeout | None = None
) -> WSMessage | None:
    """The next message; None at the end. Pings are answered here, because they count as frames, too.

    `patience` is for its coming; once it has come, it has as long again to wait for others of its address.
    """
    while True:
        message = await channel.websocket.receive()
        if channel.is_end(message) or not pacing.admits(channel):
            return None
        is_control = message.type in (WSMsgType.PING, WSMsgType.PONG)
        if patience is not None and not is_control:
            patience.reschedule(asyncio.get_running_loop().time() + HELLO_SECONDS)
        await pacing.wait(is_first=patience is not None and not is_control)
        if message.type is WSMsgType.PING:
            await channel.websocket.pong(message.data)
        elif message.type is not WSMsgType.PONG:
            return message


def _object_of(channel: SocketChannel, message: WSMessage) -> dict[str, Any] | None:
    """The JSON object of a frame; ends the socket and gives None if it isn't one."""
    try:
        if message.type is not WSMsgType.TEXT:
            raise wire.BadJson("Only text frames are understood.")
        return wire.parse_json(message.data)
    except wire.BadJson as error:
        channel.fail(error, Close.BAD_FRAME, "bad frame")
        return None


async def _check_session(conversation: Conversation) -> bool:
    """Checks the session again, mostly in the node's memory; ends the socket if the session has ended."""
    player_socket = conversation.socket
    try:
        player_socket.session = await sessions.authenticate(conversation.commands.accounts, player_socket.token)
    except NotAuthenticated as error:
        player_socket.channel.fail(error, Close.SESSION_REVOKED)
    except Unavailable as error:
        player_socket.channel.fail(error, wire.close_code_of(type(error)))
    return not player_socket.channel.closing


async def _greet(conversation: Conversation, pacing: FramePacing) -> bool:
    """Answers hello; ends the socket if none arrives in time, or if it is refused."""
    channel = conversation.socket.channel
    frame: dict[str, Any] | None = None
    try:
        message = await _first(channel, pacing)
        frame = None if message is None else _object_of(channel, message)
        if frame is None:
            return False
        await _hello(conversation, frame)
        return True
    except GameError as error:
        fault = without_frames(error)
    except Exception:
        log.exception("a hello failed")
        fault = Internal()
    # A player that says hello too often pays for it alone, not its address, but for what that costs the node.
    pacing.charge(REFUSED_SECONDS)
    channel.turn_away(fault, wire.close_code_of(type(fault)), frame_id=_id_of(frame))
    return False


async def _first(channel: SocketChannel, pacing: FramePacing) -> WSMessage | None:
    """The first message; None at the end, and where others of its address keep it from being heard.

    Raises NotAuthenticated if it doesn't come in time.
    """
    try:
        async with asyncio.timeout(HELLO_SECONDS) as patience:
            return await _next(channel, pacing, patience)
    except TimeoutError:
        if not pacing.held_up:
            raise NotAuthenticated("No hello came in time.") from None
        error = RateLimited("Sockets of this address send too much.", retry_after=pacing.held_up)
        channel.turn_away(error, wire.close_code_of(RateLimited))
        return None


async def _hello(conversation: Conversation, frame: dict[str, Any]) -> None:
    player_socket, commands = conversation.socket, conversation.commands
    if frame.get("op") != "hello":
        raise NotAuthenticated("The first frame must be hello.")
    hello = wire.parse(wire.HelloFrame, frame)
    session = await sessions.authenticate(commands.accounts, hello.token)
    if conversation.hellos is not None:
        conversation.hellos.spend(session.player_id)
    player_socket.token = hello.token
    # Before the next await: pushes that arrive for the player from here on must reach this socket.
    conversation.sockets.admit(player_socket, session)
    seen = Seen() if hello.resume is None else Seen(hello.resume.stream, hello.resume.seq)
    opened = await live.enter(commands.live, session.player_id, seen)
    # Read the player after that: a later change is heard of, an earlier one is in what is read.
    player = await play.read(commands.play, session.player_id)
    state = {
        "player": answers.player_now(player, conversation.rules.game),
        "stream": opened.stream,
        "seq": opened.before_missed,
        "heartbeat_seconds": wire.HEARTBEAT_SECONDS,
        "server_time": rfc3339(conversation.now()),
        "resumed": opened.resumed,
        "mail_skipped": opened.mail_skipped,
        "node": conversation.node,
    }
    player_socket.answer_hello({"id": hello.id, "ok": state}, player.version, opened)


def _id_of(frame: dict[str, Any] | None) -> str | int | None:
    """The frame's id, if it can be repeated in an error."""
    given = frame.get("id") if frame is not None else None
    return given if isinstance(given, str | int) and len(str(given)) <= 64 else None


async def _serve(conversation: Conversation, frame: dict[str, Any]) -> str:
    """Answers one request under its id; `ok`, or the code of the error."""
    channel, op = conversation.socket.channel, frame.get("op")
    operation = OPERATIONS.get(op) if isinstance(op, str) else None
    try:
        if operation is None:
            problem = FieldProblem("op", f"must be one of: {', '.join(OPERATIONS)}")
            raise BadInput("There is no such op.", errors=[problem])
        channel.send({"id": frame.get("id"), "ok": await operation.answer(conversation, frame)})
        telemetry.frame_answered(op, "ok").inc()
        return "ok"
    except GameError as error:
        channel.send({"id": _id_of(frame), "error": answers.frame_error(error, telemetry.request_id.get())})
        telemetry.frame_answered("none" if operation is None else op, CODES.of(error.code)).inc()
        return without_frames(error).code
    except Exception:
        log.exception("a frame failed", op=op)
        channel.send({"id": _id_of(frame), "error": answers.frame_error(Internal(), telemetry.request_id.get())})
        return Internal.code
