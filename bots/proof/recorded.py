"""A recorded history, read back into the players that it is about: what each was answered, and what the server showed.

Law: the proof of a history is the proof of a run. Whoever was a bot then is a witness now, and its client answers each
read with what the server answered to the last one like it. What a player was shown after its ledger was read for the
last time is compared with nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bots.history.lines import FAIL, INFO, INVOKE, OK, HistoryLine
from bots.play.record import BotRecord
from bots.proof.audit import LEDGER_PATH
from bots.proof.invariants import Evidence
from bots.proof.precedence import Precedence
from bots.wire.answers import Answer, AnswerKind
from bots.wire.bodies import parse_letters, parse_state, player_id, player_of
from bots.wire.channel import Channel
from bots.wire.errors import BadAnswerError
from bots.wire.player_client import Reply
from bots.wire.pushes import PushHistory, SocketPushes
from bots.wire.requests import Request

ACTIONS = "/v1/players/me/actions"
ADMIN = "/admin/"
GOES = {"ban": 1, "delete": 1, "lift_ban": -1}
"""By how many each of these requests changes the number of players that are gone."""


class RecordedClient:
    """Answers reads from a history; what was never asked then has no answer now."""

    def __init__(self) -> None:
        self.pushes = PushHistory()
        self.replies: dict[str, Reply] = {}
        self._earlier: dict[str, Reply] = {}

    def take(self, path: str, reply: Reply) -> None:
        """Take the next reply to a read."""
        if path in self.replies:
            self._earlier[path] = self.replies[path]
        self.replies[path] = reply

    def before(self) -> "RecordedClient":
        """Return one that answers each read as it was answered before the last time, if it was asked twice."""
        earlier = RecordedClient()
        earlier.replies = {**self.replies, **self._earlier}
        return earlier

    async def send(self, request: Request, _channel: Channel) -> Reply:
        """Return the last reply that the history has to this request."""
        return self.replies.get(request.path, Reply(None))


@dataclass(slots=True)
class RecordedPlayer:
    """One process of a history."""

    client: RecordedClient = field(default_factory=RecordedClient)
    record: BotRecord = field(default_factory=BotRecord)
    sockets: dict[int, SocketPushes] = field(default_factory=dict)
    first_answers: dict[str, Any] = field(default_factory=dict)
    floors: dict[int, int] = field(default_factory=dict)
    """By the number of a read under way: the version that it must not be older than."""
    shown_later: list[Any] | None = None
    """The states that were shown since the last reading of the ledger began, which needn't have them; None before."""

    def show(self, player: Any) -> None:
        """Take the player of a hello or a push."""
        if self.shown_later is None:
            self.record.see_player(player)
        else:
            self.shown_later.append(player)

    def reads_ledger(self) -> None:
        """The ledger is about to be read: it must have what was shown until now."""
        shown, self.shown_later = self.shown_later or [], []
        for player in shown:
            self.record.see_player(player)


@dataclass(slots=True)
class RecordedRun:
    """Every process of a history that signed a player up, and those that asked as operators.

    `gone` players were banned or deleted and stayed so; `holders` are the players that signed up, by name. `order` is
    what the order of the lines shows.
    """

    players: list[RecordedPlayer]
    operators: list[RecordedClient]
    lines: int
    gone: int
    holders: Mapping[str, set[str]]
    order: Evidence


def recorded(lines: Iterable[HistoryLine]) -> RecordedRun:
    """Read a history; answers outside the wire contract become problems of their player."""
    reading = _Reading()
    for line in lines:
        reading.take(line)
    players = [player for player in reading.players.values() if player.record.first is not None]
    for player in players:
        player.record.open -= player.record.acknowledged.keys() | player.record.refused
    operators = list(reading.operators.values())
    return RecordedRun(players, operators, reading.count, reading.gone, reading.holders, reading.precedence.evidence)


class _Reading:
    """Takes lines in their order."""

    def __init__(self) -> None:
        self.players: dict[int, RecordedPlayer] = {}
        self.operators: dict[int, RecordedClient] = {}
        self.holders: defaultdict[str, set[str]] = defaultdict(set)
        self.count = self.gone = 0
        self.precedence = Precedence()
        self._asked: dict[int, HistoryLine] = {}

    def take(self, line: HistoryLine) -> None:
        """Take the next line."""
        self.count += 1
        player = self.players.setdefault(line.process, RecordedPlayer())
        try:
            if line.type == INVOKE:
                self._asked[line.index] = line
                _invoked(player, line)
                if line.value.get("path") == ACTIONS:
                    self.precedence.sends(line, player.record.player_id)
            elif line.operation is None:
                _noted(player, line)
            elif (asked := self._asked.pop(line.operation, None)) is not None:
                self._ended(player, asked, line)
        except (BadAnswerError, TypeError, ValueError, AttributeError) as error:
            player.record.problems.append(f"line {line.index}: {error}")

    def _ended(self, player: RecordedPlayer, asked: HistoryLine, line: HistoryLine) -> None:
        method, path = asked.value.get("method"), str(asked.value.get("path"))
        if method == "GET":
            reply = _reply(line)
            client = player.client
            if path.startswith(ADMIN):
                client = self.operators.setdefault(line.process, RecordedClient())
            client.take(path, reply)
        if line.f in GOES and (line.type == OK or (line.type == INFO and GOES[line.f] > 0)):
            self.gone += GOES[line.f]  # an end that wasn't answered may have come about
        self._order(player, path, line)
        if path == ACTIONS:
            _acted(player, str(asked.value.get("command_id")), line)
        elif line.f == "sign_up":
            self._signed_up(player, asked, line)
        elif line.f == "read" and line.type == OK:
            player.record.read_back(parse_state(player_of(line.value)), player.floors.pop(asked.index, 0))

    def _signed_up(self, player: RecordedPlayer, asked: HistoryLine, line: HistoryLine) -> None:
        command_id, record, shown = str(asked.value.get("command_id")), player.record, line.value.get("player")
        is_again = command_id == record.sign_up_id
        if line.type == OK:
            self.holders[str(asked.value.get("name")).casefold()].add(player_id(shown))
            if not is_again:
                record.signed_up(command_id, player_id(shown), parse_state(shown))
                player.client.pushes.on_player = player.show
        if is_again and line.type != INFO:
            record.sign_up_again(f"{player_id(shown)}, {parse_state(shown)}" if line.type == OK else _code(line))

    def _order(self, player: RecordedPlayer, path: str, line: HistoryLine) -> None:
        if path != ACTIONS:
            if line.type == OK:
                self.precedence.carried_out(line, path)
        elif line.type == FAIL:
            self.precedence.refused(line)
        else:
            self.precedence.answered(line, player.record.player_id)


def _invoked(player: RecordedPlayer, line: HistoryLine) -> None:
    command_id = line.value.get("command_id")
    if line.value.get("path") == ACTIONS and command_id not in player.record.acknowledged:
        player.record.send(str(command_id))
    if line.value.get("path") == LEDGER_PATH:
        player.reads_ledger()
    # What may have an age is judged by the run itself, which knows what it knew when.
    if line.f == "read" and player.record.latest is not None and "?max_staleness=" not in str(line.value.get("path")):
        player.floors[line.index] = player.record.latest.version


def _acted(player: RecordedPlayer, command_id: str, line: HistoryLine) -> None:
    record = player.record
    if line.type == OK:
        if command_id in player.first_answers:
            record.compare(command_id, player.first_answers[command_id], line.value)
            return
        player.first_answers[command_id] = line.value
        events = line.value.get("events")
        record.acknowledge(command_id, parse_state(line.value.get("player")), parse_letters(events))
        record.belongings.add(events)
    elif line.type == FAIL and command_id not in record.acknowledged:
        record.refuse(command_id, uncertain=False)


def _noted(player: RecordedPlayer, line: HistoryLine) -> None:
    number = int(line.value.get("socket", 0))
    if number not in player.sockets:
        player.sockets[number] = SocketPushes(player.client.pushes)
    if line.f == "hello":
        player.sockets[number].greeted(line.value)
    elif line.f == "caught_up":
        player.sockets[number].caught_up()
    elif line.f == "push":
        player.sockets[number].take(line.value)


def _reply(line: HistoryLine) -> Reply:
    if line.type == OK:
        return Reply(Answer(AnswerKind.OK, body=line.value))
    if line.type == INFO:
        return Reply(None)
    return Reply(Answer(AnswerKind.FAILED, code=_code(line), body=line.value))


def _code(line: HistoryLine) -> str:
    return str(line.value.get("code"))
