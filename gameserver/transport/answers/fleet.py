"""What operators are shown of the fleet: how its nodes are, moves of slots, and seasons."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import TypedDict

from gameserver.commands.results import Member, MoveRecord, NodeCondition, PlannedMove, Preview, SeasonRecord, SlotStep
from gameserver.rules import ranges
from gameserver.times import rfc3339, rfc3339_of_seconds
from gameserver.transport.answers.operators import NodeAnswer


class ConditionAnswer(NodeAnswer):
    """`figures` are counters since the node started, as gameserver.vitals has them; empty while they aren't known."""

    figures: dict[str, Any]


class MemberAnswer(TypedDict):
    group: str
    database: str
    slots: int
    draining: bool


class FleetAnswer(TypedDict):
    """`bounds` are the upper ends, in seconds, of the buckets in which nodes count latencies; one more is above.

    `nodes` is null while Redis, which tells of them, is away.
    """

    nodes: list[ConditionAnswer] | None
    members: list[MemberAnswer]
    bounds: list[float]


class KeptDatabaseAnswer(TypedDict):
    """A database as a member of its groups; `moves` are those under way that take slots away from it, and go on.

    `ordered` says that its drain was taken back.
    """

    members: list[MemberAnswer]
    moves: list[int]
    ordered: bool


class NodeOrderAnswer(TypedDict):
    """A node and who is connected to it now; `ordered` says that it was told, and it hears of it in about a second."""

    name: str
    address: str
    players: int
    sockets: int
    ordered: bool


class PlannedMoveAnswer(TypedDict):
    group: str
    source: str
    target: str
    slots: str
    count: int


class MovePlanAnswer(TypedDict):
    """`ids` are those of the moves that were ordered; empty for a preview. `plan` tells these moves from any others."""

    moves: list[PlannedMoveAnswer]
    ids: list[int]
    plan: str


class MoveAnswer(PlannedMoveAnswer):
    """`moved` and `kept` count slots that are over; `pause_ms` is the longest time that a slot had no owner."""

    id: int
    step: str
    mover: str
    cancelled: bool
    problem: str | None
    ended_at: str | None
    moved: int
    kept: int
    pause_ms: int | None


class MovesAnswer(TypedDict):
    moves: list[MoveAnswer]


class SeasonAnswer(TypedDict):
    """`players` is how many the final standings have; null before they are stored."""

    board: str
    start: str
    end: str
    state: str
    players: int | None


class SeasonsAnswer(TypedDict):
    seasons: list[SeasonAnswer]
    more: bool


class SeasonPlaceAnswer(TypedDict):
    """A place as if the season ended now, and what it would be rewarded with."""

    rank: int
    score: int
    player: str
    name: str
    reward: dict[str, Any] | None


class RewardedAnswer(TypedDict):
    """All who would be rewarded, also behind the places that are shown."""

    players: int
    exp: int


class SeasonPreviewAnswer(TypedDict):
    season: SeasonAnswer
    places: list[SeasonPlaceAnswer]
    rewarded: RewardedAnswer


def fleet(
    conditions: Sequence[NodeCondition] | None, members: Sequence[Member], bounds: Sequence[float]
) -> FleetAnswer:
    return {
        "nodes": None
        if conditions is None
        else [
            {
                "name": each.node.name,
                "address": each.node.address,
                "started_at": each.node.started_at,
                "sockets": each.node.sockets,
                "players": each.node.players,
                "figures": dict(each.figures),
            }
            for each in conditions
        ],
        "members": [_member(each) for each in members],
        "bounds": list(bounds),
    }


def _member(member: Member) -> MemberAnswer:
    return {
        "group": member.group,
        "database": member.database,
        "slots": member.slots,
        "draining": member.draining,
    }


def kept_database(members: Sequence[Member], moves: Sequence[int], *, ordered: bool) -> KeptDatabaseAnswer:
    return {"members": [_member(each) for each in members], "moves": list(moves), "ordered": ordered}


def node_order(found: NodeCondition, *, ordered: bool) -> NodeOrderAnswer:
    return {
        "name": found.node.name,
        "address": found.node.address,
        "players": found.node.players,
        "sockets": found.node.sockets,
        "ordered": ordered,
    }


def move_plan(plans: Sequence[PlannedMove], ids: Sequence[int], code: str) -> MovePlanAnswer:
    planned = [_planned(each.group, each.source, each.target, each.slots) for each in plans]
    return {"moves": planned, "ids": list(ids), "plan": code}


def moves(records: Sequence[MoveRecord]) -> MovesAnswer:
    return {"moves": [move(record) for record in records]}


def move(record: MoveRecord) -> MoveAnswer:
    pauses = [slot.pause_ms for slot in record.slots if slot.pause_ms is not None]
    steps = [slot.step for slot in record.slots]
    return {
        **_planned(record.group, record.source, record.target, [slot.slot for slot in record.slots]),
        "id": record.id,
        "step": record.step.value,
        "mover": record.mover,
        "cancelled": record.cancelled,
        "problem": record.problem,
        "ended_at": None if record.ended_at is None else rfc3339(record.ended_at),
        "moved": steps.count(SlotStep.MOVED),
        "kept": steps.count(SlotStep.KEPT),
        "pause_ms": max(pauses, default=None),
    }


def _planned(group: str, source: str, target: str, slots: Sequence[int]) -> PlannedMoveAnswer:
    return {"group": group, "source": source, "target": target, "slots": ranges.shown(slots), "count": len(slots)}


def seasons(records: Sequence[SeasonRecord], *, more: bool) -> SeasonsAnswer:
    return {"seasons": [_season(record) for record in records], "more": more}


def season_preview(found: Preview) -> SeasonPreviewAnswer:
    return {
        "season": _season(found.record),
        "places": [
            {"rank": rank, "score": score, "player": str(player_id), "name": name, "reward": reward}
            for rank, score, player_id, name, reward in found.entries
        ],
        "rewarded": {"players": found.rewarded, "exp": found.exp},
    }


def _season(record: SeasonRecord) -> SeasonAnswer:
    return {
        "board": record.board,
        "start": rfc3339_of_seconds(record.season.start),
        "end": rfc3339_of_seconds(record.season.end),
        "state": record.state,
        "players": record.players,
    }
