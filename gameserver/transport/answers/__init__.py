"""What answers look like, on both doors: their types, from which the OpenAPI document is made, and their encoding."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NotRequired

import orjson
from typing_extensions import TypedDict

from gameserver.commands.boards import season_name
from gameserver.commands.mail import shown
from gameserver.commands.results import (
    BanState,
    CheckReport,
    Contest,
    Count,
    HistoryEntry,
    HistoryPage,
    Holding,
    Listed,
    LiveNode,
    MailPage,
    Ranked,
    Ranking,
    Receipt,
    Session,
    SlotRange,
    Stack,
    Standing,
    Welcome,
)
from gameserver.rules.boards import Board, describe
from gameserver.rules.errors import GameError
from gameserver.rules.game import Game
from gameserver.rules.player import Player
from gameserver.rules.seasons import Season
from gameserver.times import rfc3339, rfc3339_of_microseconds, rfc3339_of_seconds
from gameserver.transport.wire import status_of

PlayerAnswer = TypedDict(
    "PlayerAnswer",
    {"id": str, "name": str, "class": str, "level": int, "hp": int, "max_hp": int, "exp": int, "version": int,
     "created_at": str},
)  # fmt: skip
"""A player; `id` is a string because it can pass 2^53."""
StateAnswer = TypedDict(
    "StateAnswer",
    {"name": str, "class": str, "level": int, "hp": int, "max_hp": int, "exp": int, "version": int},
)
"""What an answer of the past said of a player."""
RankedPlayer = TypedDict("RankedPlayer", {"id": str, "name": str, "class": str, "level": int})


class SessionAnswer(TypedDict):
    token: str
    expires_at: str


class WelcomeAnswer(TypedDict):
    player: PlayerAnswer
    session: SessionAnswer


class SignUpAnswer(TypedDict):
    """`replayed`: the sign-up had been made before under this command id; the session is new."""

    player: PlayerAnswer
    session: SessionAnswer
    replayed: bool


class PasswordAnswer(TypedDict):
    """The caller's new session, in the place of all that he had."""

    session: SessionAnswer


class ListedSession(TypedDict):
    """A session of one's own: `label` is what its client called itself, and `address` where it was opened from."""

    id: str
    label: str
    address: str
    opened_at: str
    used_at: str
    expires_at: str
    current: bool


class SessionsAnswer(TypedDict):
    sessions: list[ListedSession]


class RenameAnswer(TypedDict):
    """`replayed`: the player had been renamed before under this command id; this is what he was then."""

    player: PlayerAnswer
    replayed: bool


class PlayersAnswer(TypedDict):
    players: list[PlayerAnswer]


class ActAnswer(TypedDict):
    player: PlayerAnswer
    events: Sequence[dict[str, Any]]
    command_id: str
    replayed: bool


class EntryAnswer(TypedDict):
    command_id: str
    action: str
    args: dict[str, Any]
    events: list[dict[str, Any]]
    player: StateAnswer
    version: int
    at: str


class LedgerAnswer(TypedDict):
    entries: list[EntryAnswer]
    next_cursor: str | None


class FeedEntry(TypedDict):
    """Something that the player did; `version` is his own after it."""

    version: int
    command_id: str
    action: str
    events: list[dict[str, Any]]
    at: str


class StackAnswer(TypedDict):
    """How many of an item; `lost` were granted when the stack was full, that is at `max_stack`."""

    item: str
    title: str
    count: int
    max_stack: int
    lost: int


class ItemsAnswer(TypedDict):
    items: list[StackAnswer]


class MailAnswer(TypedDict):
    """A letter that arrived: what it said (`args`), what came of it (`events`), and when it was sent."""

    mail_id: str
    kind: str
    sender: str
    args: dict[str, Any]
    events: list[dict[str, Any]]
    at: str


class InboxAnswer(TypedDict):
    entries: list[MailAnswer]
    next_cursor: str | None


class FeedAnswer(TypedDict):
    entries: list[FeedEntry]


class FriendsAnswer(TypedDict):
    """By name; `most` is how many there can be."""

    friends: list[PlayerAnswer]
    most: int


class StandingAnswer(TypedDict):
    rank: int
    score: int
    reached_at: str
    player: RankedPlayer


class BoardAnswer(TypedDict):
    """`as_of` is the ledger's time up to which it holds; `stale` where an older page is served as Redis is away."""

    board: str
    season: str
    total: int
    as_of: str | None
    entries: list[StandingAnswer]
    next_cursor: str | None
    stale: NotRequired[bool]


class PlaceAnswer(TypedDict):
    """A standing; `percentile` is how many in a hundred of the board's players have a worse score."""

    rank: int
    score: int
    reached_at: str
    player: RankedPlayer
    percentile: float


class RankAnswer(TypedDict):
    board: str
    season: str
    total: int
    as_of: str | None
    entry: PlaceAnswer


class RanksAnswer(TypedDict):
    """`not_on_board` are those asked for who aren't on the board."""

    board: str
    season: str
    total: int
    as_of: str | None
    entries: list[PlaceAnswer]
    not_on_board: list[str]


class RankingAnswer(TypedDict):
    entries: list[dict[str, PlayerAnswer]]
    as_of: str
    next_cursor: str | None


class CountAnswer(TypedDict):
    players: int
    by_class: dict[str, int]
    by_level: dict[str, int]
    by_database: dict[str, int]
    as_of: str


class NodeAnswer(TypedDict):
    """A node that lives; `players` have a socket there."""

    name: str
    address: str
    started_at: str
    sockets: int
    players: int


class OnlineAnswer(TypedDict):
    """A player, and the nodes to which he is connected."""

    id: str
    nodes: list[str]


class NodesAnswer(TypedDict):
    """`sockets` and `players` over all nodes; a player on two nodes counts on each."""

    nodes: list[NodeAnswer]
    sockets: int
    players: int
    online: list[OnlineAnswer]


class DifferenceAnswer(TypedDict):
    """A player whose score isn't the database's; null where he isn't."""

    player: str
    board: int | None
    database: int | None


class VerdictAnswer(TypedDict):
    board: str
    season: str
    compared: int
    differing: int
    differences: list[DifferenceAnswer]


class RebuildAnswer(TypedDict):
    """The generation that is being built, while the old one is served."""

    generation: str


class BanAnswer(TypedDict):
    """A player who was banned, or whose ban was lifted."""

    player: PlayerAnswer
    banned: bool
    command_id: str
    replayed: bool


class RangeAnswer(TypedDict):
    """Slots `first` to `last`, all owned by the database since the move that gave them this epoch."""

    first: int
    last: int
    database: str
    epoch: int


class SlotGroup(TypedDict):
    """A group of tables and its whole map."""

    group: str
    slots: int
    ranges: list[RangeAnswer]


class SlotsAnswer(TypedDict):
    groups: list[SlotGroup]


class ShareAnswer(TypedDict):
    """What a database has of a group: slots it owns, bytes of the tables, rows written since it began to count."""

    group: str
    slots: int
    bytes: int
    writes: int


class DatabaseAnswer(TypedDict):
    """A database; the figures are null for one that is `away`. `bytes` and `writes` are over its groups."""

    name: str
    role: Literal["primary", "replica", "away"]
    players: int | None
    bytes: int | None
    writes: int | None
    groups: list[ShareAnswer]


class DatabasesAnswer(TypedDict):
    databases: list[DatabaseAnswer]
    as_of: str


class NoticeAnswer(TypedDict):
    number: int


class ActionAnswer(TypedDict):
    """An action; `args` is the JSON schema of its arguments."""

    name: str
    args: dict[str, Any]


class ActionsAnswer(TypedDict):
    actions: list[ActionAnswer]


class ClassAnswer(TypedDict):
    """A class of the game: HP at level 1 and with each further one; the modifiers in per cent."""

    name: str
    title: str
    base_hp: int
    hp_per_level: int
    damage_dealt: int
    damage_taken: int
    exp_gained: int
    heal_power: int


class ClassesAnswer(TypedDict):
    classes: list[ClassAnswer]


class SeasonListed(TypedDict):
    """When a season's board begins anew: a cron expression in a time zone, and the present season."""

    cron: str
    zone: str
    starts_at: str
    ends_at: str


class RewardListed(TypedDict):
    """What the players of these ranks get when a season ends."""

    first: int
    last: int
    exp: int
    text: str


BoardListed = TypedDict(
    "BoardListed",
    {"name": str, "score": str, "class": str | None, "min_level": int | None, "max_level": int | None, "operator": str,
     "order": str, "ties": str, "size": int | None, "season": str | SeasonListed, "rewards": list[RewardListed]},
)  # fmt: skip


class BoardsAnswer(TypedDict):
    boards: list[BoardListed]


class LiveAnswer(TypedDict):
    live: bool


class ReadyAnswer(TypedDict):
    ready: bool


class FieldAnswer(TypedDict):
    field: str
    problem: str


class Problem(TypedDict):
    """application/problem+json (RFC 9457); clients branch on `code`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: NotRequired[list[FieldAnswer]]
    server_time: NotRequired[str]


def player(who: Player, max_hp: int) -> PlayerAnswer:
    return {
        "id": str(who.id),
        "name": who.name,
        "class": who.class_name,
        "level": who.level,
        "hp": who.hp,
        "max_hp": max_hp,
        "exp": who.exp,
        "version": who.version,
        "created_at": rfc3339(who.created_at),
    }


def player_now(who: Player, game: Game) -> PlayerAnswer:
    """A player as the present game has him."""
    return player(who, game.max_hp(who.class_name, who.level))


def session(token: str, opened: Session) -> SessionAnswer:
    return {"token": token, "expires_at": rfc3339(opened.expires_at)}


def welcome(who: Welcome) -> WelcomeAnswer:
    return {"player": player(who.player, who.max_hp), "session": session(who.token, who.session)}


def sessions(listed: Sequence[Listed], current: Session) -> SessionsAnswer:
    return {
        "sessions": [
            {
                "id": each.id,
                "label": each.origin.label,
                "address": each.origin.address,
                "opened_at": rfc3339(each.opened_at),
                "used_at": rfc3339(each.used_at),
                "expires_at": rfc3339(each.expires_at),
                "current": each.name == current.name,
            }
            for each in listed
        ]
    }


def act(receipt: Receipt) -> ActAnswer:
    return {
        "player": player(receipt.player, receipt.max_hp),
        "events": receipt.events,
        "command_id": receipt.command_id,
        "replayed": receipt.replayed,
    }


def rename(receipt: Receipt) -> RenameAnswer:
    return {"player": player(receipt.player, receipt.max_hp), "replayed": receipt.replayed}


def ledger(history: HistoryPage) -> LedgerAnswer:
    return {"entries": [_entry(each) for each in history.entries], "next_cursor": history.cursor}


def _entry(entry: HistoryEntry) -> EntryAnswer:
    told = entry.outcome
    return {
        "command_id": entry.command_id,
        "action": entry.action,
        "args": entry.args,
        "events": told["events"],
        "player": {
            "name": told["name"],
            "class": told["class"],
            "level": told["level"],
            "hp": told["hp"],
            "max_hp": told["max_hp"],
            "exp": told["exp"],
            "version": entry.version,
        },
        "version": entry.version,
        "at": rfc3339(entry.at),
    }


def feed(entries: Sequence[Mapping[str, Any]]) -> FeedAnswer:
    """`at` was a number of seconds."""
    return {"entries": [{**each, "at": rfc3339_of_seconds(each["at"])} for each in entries]}  # type: ignore[typeddict-item]


def items(stacks: Sequence[Stack], game: Game) -> ItemsAnswer:
    """By name; an item that the game has no more goes by its name, and its stack is as large as it may be."""
    return {"items": [_stack(each, game) for each in stacks if each.count or each.lost]}


def _stack(stack: Stack, game: Game) -> StackAnswer:
    known = game.items.get(stack.item)
    title, most = (stack.item, stack.count) if known is None else (known.title, known.max_stack)
    return {"item": stack.item, "title": title, "count": stack.count, "max_stack": most, "lost": stack.lost}


def inbox(page: MailPage) -> dict[str, Any]:
    return {"entries": [shown(each) for each in page.mails], "next_cursor": page.cursor}


def board(ranked: Ranked) -> BoardAnswer:
    page = ranked.page
    return {
        "board": ranked.contest.board.name,
        "season": season_name(ranked.contest),
        "total": page.total,
        "as_of": rfc3339_of_microseconds(page.as_of * 1000) if page.as_of else None,
        "entries": [_standing(each) for each in page.standings],
        "next_cursor": page.after,
    }


def listed_board(which: Board, season: Season | None) -> BoardListed:
    told: BoardListed = describe(which)  # type: ignore[assignment]
    if season is not None and which.schedule is not None:
        told["season"] = {
            "cron": which.schedule.cron,
            "zone": which.schedule.zone,
            "starts_at": rfc3339_of_seconds(season.start),
            "ends_at": rfc3339_of_seconds(season.end),
        }
    return told


def ranks(ranked: Ranked) -> RanksAnswer:
    told = board(ranked)
    return {
        "board": told["board"],
        "season": told["season"],
        "total": told["total"],
        "as_of": told["as_of"],
        "entries": [_place(each, ranked.page.total) for each in ranked.page.standings],
        "not_on_board": [str(each) for each in ranked.missing],
    }


def rank(ranked: Ranked) -> RankAnswer:
    told = ranks(ranked)
    return {
        "board": told["board"],
        "season": told["season"],
        "total": told["total"],
        "as_of": told["as_of"],
        "entry": told["entries"][0],
    }


def _standing(standing: Standing) -> StandingAnswer:
    card = standing.card
    return {
        "rank": standing.rank,
        "score": standing.score,
        "reached_at": rfc3339_of_microseconds(standing.reached_at),
        "player": {"id": str(standing.player_id), "name": card.name, "class": card.class_name, "level": card.level},
    }


def _place(standing: Standing, total: int) -> PlaceAnswer:
    told = _standing(standing)
    return {
        "rank": told["rank"],
        "score": told["score"],
        "reached_at": told["reached_at"],
        "player": told["player"],
        "percentile": round(100 * standing.behind / total, 3),
    }


def ranking(found: Ranking, game: Game, cursor: str | None) -> RankingAnswer:
    entries = [{"player": player_now(each, game)} for each in found.players]
    return {"entries": entries, "as_of": rfc3339(found.as_of), "next_cursor": cursor}


def counts(found: Sequence[Count], as_of: datetime) -> CountAnswer:
    answer: CountAnswer = {
        "players": sum(each.players for each in found),
        "by_class": {},
        "by_level": {},
        "by_database": {},
        "as_of": rfc3339(as_of),
    }
    for each in sorted(found, key=lambda count: count.level):
        for by, key in (
            ("by_class", each.class_name),
            ("by_level", str(each.level)),
            ("by_database", each.database),
        ):
            group: dict[str, int] = answer[by]  # type: ignore[literal-required]
            group[key] = group.get(key, 0) + each.players
    return answer


def slots(found: Sequence[SlotRange]) -> SlotsAnswer:
    groups: dict[str, SlotGroup] = {}
    for each in found:
        told = groups.setdefault(each.group, {"group": each.group, "slots": 0, "ranges": []})
        told["slots"] += each.last - each.first + 1
        told["ranges"].append({"first": each.first, "last": each.last, "database": each.database, "epoch": each.epoch})
    return {"groups": list(groups.values())}


def databases(found: Sequence[Holding], as_of: datetime) -> DatabasesAnswer:
    return {"databases": [_database(each) for each in found], "as_of": rfc3339(as_of)}


def _database(holding: Holding) -> DatabaseAnswer:
    away = holding.role == "away"
    return {
        "name": holding.database,
        "role": holding.role,
        "players": None if away else holding.players,
        "bytes": None if away else sum(each.bytes for each in holding.shares),
        "writes": None if away else sum(each.writes for each in holding.shares),
        "groups": [
            {"group": each.group, "slots": each.slots, "bytes": each.bytes, "writes": each.writes}
            for each in holding.shares
        ],
    }


def nodes(found: Sequence[LiveNode], asked: Sequence[int]) -> NodesAnswer:
    return {
        "nodes": [
            {
                "name": each.name,
                "address": each.address,
                "started_at": each.started_at,
                "sockets": each.sockets,
                "players": each.players,
            }
            for each in found
        ],
        "sockets": sum(each.sockets for each in found),
        "players": sum(each.players for each in found),
        "online": [{"id": str(who), "nodes": [each.name for each in found if who in each.here]} for who in asked],
    }


def verdict(contest: Contest, found: CheckReport) -> VerdictAnswer:
    return {
        "board": contest.board.name,
        "season": season_name(contest),
        "compared": found.compared,
        "differing": found.found,
        "differences": [
            {"player": str(each.player_id), "board": each.board, "database": each.database}
            for each in found.differences
        ],
    }


def ban_state(found: BanState, game: Game, command_id: str) -> BanAnswer:
    return {
        "player": player_now(found.player, game),
        "banned": found.banned,
        "command_id": command_id,
        "replayed": found.replayed,
    }


def problem(error: GameError, request_id: str) -> dict[str, Any]:
    """An error as both doors tell it; the socket leaves out what only HTTP has."""
    told: dict[str, Any] = {
        "type": "about:blank",
        "title": error.code.replace("_", " ").capitalize(),
        "status": status_of(type(error)),
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
        **error.extra,
    }
    if error.errors:
        told["errors"] = [{"field": each.field, "problem": each.problem} for each in error.errors]
    return told


def frame_error(error: GameError) -> dict[str, Any]:
    told: dict[str, Any] = {"code": error.code, "detail": error.detail, **error.extra}
    if error.errors:
        told["errors"] = [{"field": each.field, "problem": each.problem} for each in error.errors]
    if error.retry_after is not None:
        told["retry_after"] = error.retry_after
    return told


def encode(answer: object) -> bytes:
    return orjson.dumps(answer)


def encoded(body: bytes) -> object:
    """A part of an answer that is JSON already."""
    return orjson.Fragment(body)
