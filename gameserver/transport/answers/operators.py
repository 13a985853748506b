"""What operators are shown: players over all databases, where data lies, who is connected, and checks of boards."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from typing_extensions import TypedDict

from gameserver.commands.boards import season_name
from gameserver.commands.results import (
    CheckReport,
    Contest,
    Count,
    GroupUsage,
    Holding,
    LiveNode,
    Ranking,
    SlotRange,
)
from gameserver.rules.game import Game
from gameserver.times import rfc3339
from gameserver.transport.answers.players import PlayerAnswer, player_now


class RankedPlayerAnswer(PlayerAnswer):
    """A player as operators see it: whether it is banned, the hour in which it was last seen, and what the game's rules
    remember of it."""

    banned: bool
    seen_at: str
    data: dict[str, int | str | bool]


class RankingAnswer(TypedDict):
    """Nothing that was acknowledged before `as_of` is missing. A replica may have answered, and it may show what came
    after that in another order than the primary did."""

    entries: list[dict[str, RankedPlayerAnswer]]
    as_of: str
    next_cursor: str | None


class CountAnswer(TypedDict):
    """Nothing that was acknowledged before `as_of` is missing. A replica may have answered, and it may show what came
    after that in another order than the primary did."""

    players: int
    by_class: dict[str, int]
    by_level: dict[str, int]
    by_database: dict[str, int]
    as_of: str


class NodeAnswer(TypedDict):
    """A running node; `players` is how many have a socket there."""

    name: str
    address: str
    started_at: str
    sockets: int
    players: int


class OnlineAnswer(TypedDict):
    """A player, and the nodes that it is connected to."""

    id: str
    nodes: list[str]


class NodesAnswer(TypedDict):
    """`sockets` and `players` over all nodes; a player on two nodes counts on each."""

    nodes: list[NodeAnswer]
    sockets: int
    players: int
    online: list[OnlineAnswer]


class DifferenceAnswer(TypedDict):
    """A player whose score on the board isn't the database's; null where it has none."""

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
    """The generation that is being built; the present one is served until it is complete."""

    generation: str


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
    """A database's part of a group: slots it owns, bytes of the tables, rows written since its statistics began."""

    group: str
    slots: int
    bytes: int
    writes: int


class DatabaseAnswer(TypedDict):
    """A database; the figures are null for one that is `away`. `bytes` and `writes` are sums over its groups."""

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


def ranking(ranked: Ranking, game: Game, cursor: str | None) -> RankingAnswer:
    entries: list[dict[str, RankedPlayerAnswer]] = [
        {
            "player": {
                **player_now(player, game),
                "banned": player.id in ranked.banned,
                "seen_at": rfc3339(ranked.seen[player.id]),
                "data": dict(player.data),
            }
        }
        for player in ranked.players
    ]
    return {"entries": entries, "as_of": rfc3339(ranked.as_of), "next_cursor": cursor}


def counts(groups: Sequence[Count], as_of: datetime) -> CountAnswer:
    answer: CountAnswer = {
        "players": sum(group.players for group in groups),
        "by_class": {},
        "by_level": {},
        "by_database": {},
        "as_of": rfc3339(as_of),
    }
    for group in sorted(groups, key=lambda group: group.level):
        for sums, key in (
            (answer["by_class"], group.class_name),
            (answer["by_level"], str(group.level)),
            (answer["by_database"], group.database),
        ):
            sums[key] = sums.get(key, 0) + group.players
    return answer


def slots(ranges: Sequence[SlotRange]) -> SlotsAnswer:
    groups: dict[str, SlotGroup] = {}
    for part in ranges:
        group = groups.setdefault(part.group, {"group": part.group, "slots": 0, "ranges": []})
        group["slots"] += part.last - part.first + 1
        group["ranges"].append({"first": part.first, "last": part.last, "database": part.database, "epoch": part.epoch})
    return {"groups": list(groups.values())}


def databases(holdings: Sequence[Holding], as_of: datetime) -> DatabasesAnswer:
    return {"databases": [_database(holding) for holding in holdings], "as_of": rfc3339(as_of)}


def _database(holding: Holding) -> DatabaseAnswer:
    away = holding.role == "away"
    return {
        "name": holding.database,
        "role": holding.role,
        "players": None if away else holding.players,
        "bytes": None if away else sum(share.bytes for share in holding.shares),
        "writes": None if away else sum(share.writes for share in holding.shares),
        "groups": [_share(share) for share in holding.shares],
    }


def _share(share: GroupUsage) -> ShareAnswer:
    return {"group": share.group, "slots": share.slots, "bytes": share.bytes, "writes": share.writes}


def nodes(running: Sequence[LiveNode], player_ids: Sequence[int]) -> NodesAnswer:
    """The nodes, and for each of the players those that it is connected to."""
    return {
        "nodes": [_node(node) for node in running],
        "sockets": sum(node.sockets for node in running),
        "players": sum(node.players for node in running),
        "online": [
            {"id": str(player_id), "nodes": [node.name for node in running if player_id in node.here]}
            for player_id in player_ids
        ],
    }


def _node(node: LiveNode) -> NodeAnswer:
    return {
        "name": node.name,
        "address": node.address,
        "started_at": node.started_at,
        "sockets": node.sockets,
        "players": node.players,
    }


def verdict(contest: Contest, result: CheckReport) -> VerdictAnswer:
    return {
        "board": contest.board.name,
        "season": season_name(contest),
        "compared": result.compared,
        "differing": result.found,
        "differences": [
            {"player": str(entry.player_id), "board": entry.board, "database": entry.database}
            for entry in result.differences
        ],
    }
