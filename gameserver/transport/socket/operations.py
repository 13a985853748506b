"""The requests of a socket that has said hello: one operation for each `op`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from gameserver.commands import boards, command_ids, play
from gameserver.commands.commands import Commands
from gameserver.commands.pacing import ActionPacing
from gameserver.commands.results import Session, Wanted
from gameserver.rules.editions import RulesInForce
from gameserver.rules.errors import BadInput, FieldProblem, NotAuthenticated
from gameserver.times import rfc3339
from gameserver.tracing.tracer import Tracer
from gameserver.transport import answers, wire
from gameserver.transport.socket.player_socket import PlayerSocket
from gameserver.transport.socket.sockets import Sockets

FrameType = TypeVar("FrameType", bound=wire.Frame)


@dataclass(frozen=True, slots=True)
class Conversation:
    """One socket, and what its requests need; a back end isn't limited: its `actions` and `hellos` are None."""

    socket: PlayerSocket
    sockets: Sockets
    commands: Commands
    rules: RulesInForce
    now: Callable[[], datetime]
    actions: ActionPacing | None
    hellos: ActionPacing | None
    count_reads: Callable[[int, int], None]
    """Counts so many reads of what is the player's own, by the session's allowance; raises RateLimited."""
    count_entries: Callable[[int], None]
    """Counts what is looked up of boards for the socket's address; raises RateLimited."""
    tracer: Tracer | None
    node: str | None

    def session(self) -> Session:
        """The session as it was last checked. Raises NotAuthenticated before hello."""
        if self.socket.session is None:
            raise NotAuthenticated("The first frame must be hello.")
        return self.socket.session


@dataclass(frozen=True, slots=True)
class Operation(Generic[FrameType]):
    """What a frame of one `op` holds, and the function that answers it."""

    frame: type[FrameType]
    function: Callable[[Conversation, FrameType], Awaitable[object]]

    def answer(self, conversation: Conversation, frame: dict[str, Any]) -> Awaitable[object]:
        """The answer to a decoded frame. Raises BadInput for wrong fields, and what the function raises."""
        return self.function(conversation, wire.parse(self.frame, frame))


async def _act(conversation: Conversation, frame: wire.ActFrame) -> object:
    command_id = command_ids.checked_or_new(frame.command_id, conversation.now, "command_id")
    session = conversation.session()
    if conversation.actions is not None:
        conversation.actions.spend(session.player_id)
    repeatable = frame.command_id is not None
    receipt = await play.act(
        conversation.commands.play, session, frame.action, frame.args, command_id, repeatable=repeatable
    )
    conversation.socket.note_state(receipt.player.version)
    return answers.act(receipt)


async def _read(conversation: Conversation, frame: wire.ReadFrame) -> object:
    player_id = conversation.session().player_id
    # Nor older than what this socket has been sent.
    version = max(frame.at_least or 0, conversation.socket.state_version)
    wanted = Wanted({player_id: version}, frame.at_least is not None, frame.max_staleness)
    player = await play.read(conversation.commands.play, player_id, wanted)
    # A newer one was sent meanwhile: then the primary has it.
    if player.version < conversation.socket.state_version:
        player = await play.read(conversation.commands.play, player_id, wanted if frame.max_staleness == 0 else None)
    conversation.socket.note_state(player.version)
    return {"player": answers.player_now(player, conversation.rules.game)}


async def _items(conversation: Conversation, _: wire.ItemsFrame) -> object:
    session = conversation.session()
    conversation.count_reads(session.allowance, 1)
    stacks = await play.items(conversation.commands.play, session)
    return answers.items(stacks, conversation.rules.game)


async def _board(conversation: Conversation, frame: wire.BoardFrame) -> object:
    leaderboards = conversation.commands.leaderboards

    async def read_page() -> answers.BoardAnswer:
        return answers.board(await boards.top(leaderboards, frame.board, frame.season, frame.limit, frame.cursor))

    key, pages = (frame.board, frame.season, frame.limit), conversation.sockets.pages
    if frame.cursor is not None or not pages.has(key):
        conversation.count_entries(frame.limit)
    if frame.cursor is not None:
        return await read_page()
    return answers.encoded((await pages.read(key, read_page)).body)


async def _around(conversation: Conversation, frame: wire.AroundFrame) -> object:
    leaderboards, player_id = conversation.commands.leaderboards, conversation.session().player_id
    conversation.count_entries(2 * frame.radius + 1)
    return answers.board(await boards.around(leaderboards, frame.board, frame.season, player_id, frame.radius))


async def _subscribe(conversation: Conversation, frame: wire.SubscribeFrame) -> object:
    topics = frozenset(frame.topics)
    known = wire.TOPICS | {wire.RANK_TOPIC + board for board in conversation.rules.game.boards}
    if unknown := topics - known:
        problem = FieldProblem("topics", f"{', '.join(sorted(unknown))}: must be of {', '.join(sorted(known))}")
        raise BadInput("There are no such topics.", errors=[problem])
    conversation.sockets.subscribe(conversation.socket, topics)
    return {"topics": sorted(topics)}


async def _ping(conversation: Conversation, _: wire.PingFrame) -> object:
    return {"server_time": rfc3339(conversation.now())}


OPERATIONS: dict[str, Operation[Any]] = {
    "act": Operation(wire.ActFrame, _act),
    "read": Operation(wire.ReadFrame, _read),
    "items": Operation(wire.ItemsFrame, _items),
    "board": Operation(wire.BoardFrame, _board),
    "around": Operation(wire.AroundFrame, _around),
    "subscribe": Operation(wire.SubscribeFrame, _subscribe),
    "ping": Operation(wire.PingFrame, _ping),
}
"""`hello` isn't one of them: it comes once, first."""
