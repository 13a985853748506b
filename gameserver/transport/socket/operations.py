"""The requests of a socket that has said hello, an operation each."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gameserver.commands import boards, command_ids, play
from gameserver.commands.commands import Commands
from gameserver.commands.pacing import ActionPacing
from gameserver.commands.results import Session
from gameserver.rules.errors import BadInput, FieldProblem, NotAuthenticated
from gameserver.rules.rulebook import Rulebook
from gameserver.times import rfc3339
from gameserver.transport import answers, wire
from gameserver.transport.socket.socket import Socket
from gameserver.transport.socket.sockets import Sockets


@dataclass(frozen=True, slots=True)
class Peer:
    """One connection, and what its requests need; `actions` is None for a back end, whose actions aren't limited."""

    socket: Socket
    sockets: Sockets
    commands: Commands
    rulebook: Rulebook
    now: Callable[[], datetime]
    actions: ActionPacing | None

    def session(self) -> Session:
        """The session of the last check. Raises NotAuthenticated before hello."""
        if self.socket.session is None:
            raise NotAuthenticated("The first frame must be hello.")
        return self.socket.session


async def _act(peer: Peer, frame: dict[str, Any]) -> object:
    fields = wire.parse(wire.ActFrame, frame)
    command_id = command_ids.checked_or_new(fields.command_id, peer.now(), "command_id")
    session = peer.session()
    if peer.actions is not None:
        peer.actions.spend(session.player_id)
    receipt = await play.act(peer.commands.play, session, fields.action, fields.args, command_id)
    peer.socket.has_told(receipt.player.version)
    return answers.act(receipt)


async def _read(peer: Peer, frame: dict[str, Any]) -> object:
    wire.parse(wire.ReadFrame, frame)
    me = await play.read(peer.commands.play, peer.session().player_id)
    peer.socket.has_told(me.version)
    return {"player": answers.player_now(me, peer.rulebook.game)}


async def _items(peer: Peer, frame: dict[str, Any]) -> object:
    wire.parse(wire.ItemsFrame, frame)
    return answers.items(await play.items(peer.commands.play, peer.session()), peer.rulebook.game)


async def _board(peer: Peer, frame: dict[str, Any]) -> object:
    fields = wire.parse(wire.BoardFrame, frame)

    async def read_page() -> answers.BoardAnswer:
        return answers.board(
            await boards.top(peer.commands.leaderboards, fields.board, fields.season, fields.limit, fields.cursor)
        )

    if fields.cursor is not None:
        return await read_page()
    return answers.encoded((await peer.sockets.pages.read((fields.board, fields.season, fields.limit), read_page)).body)


async def _around(peer: Peer, frame: dict[str, Any]) -> object:
    fields = wire.parse(wire.AroundFrame, frame)
    me = peer.session().player_id
    return answers.board(
        await boards.around(peer.commands.leaderboards, fields.board, fields.season, me, fields.radius)
    )


async def _subscribe(peer: Peer, frame: dict[str, Any]) -> object:
    topics = frozenset(wire.parse(wire.SubscribeFrame, frame).topics)
    known = wire.TOPICS | {wire.RANK_TOPIC + board for board in peer.rulebook.game.boards}
    if unknown := topics - known:
        problem = FieldProblem("topics", f"{', '.join(sorted(unknown))}: must be of {', '.join(sorted(known))}")
        raise BadInput("There are no such topics.", errors=[problem])
    peer.sockets.subscribe(peer.socket, topics)
    return {"topics": sorted(topics)}


async def _ping(peer: Peer, frame: dict[str, Any]) -> object:
    wire.parse(wire.PingFrame, frame)
    return {"server_time": rfc3339(peer.now())}


Operation = Callable[[Peer, dict[str, Any]], Awaitable[object]]
OPERATIONS: dict[str, Operation] = {
    "act": _act,
    "read": _read,
    "items": _items,
    "board": _board,
    "around": _around,
    "subscribe": _subscribe,
    "ping": _ping,
}
"""`hello` isn't among them: it comes once, first."""
