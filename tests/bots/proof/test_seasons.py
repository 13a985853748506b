"""Every season that was played in is judged, however many ended with the run, and those that aren't known are told."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest

from bots.proof.invariants import POINTS, REWARDS
from bots.proof.pages import NotProvedError
from bots.proof.players import LedgerEntry
from bots.proof.points import Played, prove_points
from bots.proof.seasons import SEASONS
from bots.wire.answers import Answer, AnswerKind
from bots.wire.bodies import State
from bots.wire.channel import Channel
from bots.wire.player_client import Reply
from bots.wire.requests import Request

FIRST, SECOND, THIRD, END = (f"2026-11-28T10:0{minute}:00.000Z" for minute in range(4))
IN_FIRST, IN_SECOND, IN_THIRD = (f"2026-11-28T10:0{minute}:30.000Z" for minute in range(3))
BOARD = {
    "name": "weekly",
    "score": "points:dragons",
    "operator": "sum",
    "season": {"starts_at": THIRD, "ends_at": END},
    "rewards": [{"first": 1, "last": 1, "exp": 5, "text": "gold"}],
}
RECORDS = [{"board": "weekly", "start": start, "end": end, "state": "closed"}
           for start, end in ((FIRST, SECOND), (SECOND, THIRD), (THIRD, END))]  # fmt: skip
STATE = State(1, "mage", 1, 5, 5, 5)


class Server:
    """A server of which each season's standings are as told; as an operator's it shows all seasons."""

    def __init__(self, scores: Mapping[str, Mapping[str, int]], records: Sequence[Mapping[str, str]]) -> None:
        self.scores, self.records = scores, records

    async def send(self, request: Request, _channel: Channel) -> Reply:
        path, _, query = request.path.partition("?")
        if path == "/v1/boards":
            return _ok({"boards": [BOARD]})
        if path == SEASONS:
            return _ok({"seasons": [*self.records, {**RECORDS[0], "board": "another"}]})
        season = query.partition("&season=")[2].replace("%3A", ":")
        season = {"current": THIRD, "previous": SECOND}.get(season, season)
        if season not in self.scores:
            return Reply(Answer(AnswerKind.FAILED, code="season_not_found", body={}))
        ranked = sorted(self.scores[season].items(), key=lambda pair: -pair[1])
        entries = [{"rank": rank, "score": score, "reached_at": season, "player": {"id": player}}
                   for rank, (player, score) in enumerate(ranked, 1)]  # fmt: skip
        return _ok({"season": season, "entries": entries, "next_cursor": None})


def _ok(body: dict[str, Any]) -> Reply:
    return Reply(Answer(AnswerKind.OK, body=body))


def scored(at: str, points: int = 3) -> LedgerEntry:
    return LedgerEntry("c" + at, "hunt", STATE, points={"dragons": points}, at=at)


def rewarded(season: str) -> LedgerEntry:
    args = {"sender": "0", "board": "weekly", "season": season, "rank": 1, "exp": 5, "text": "gold"}
    return LedgerEntry("r" + season, "mail:rewarded", STATE, sender="0", at=season, args=args)


HONEST = [rewarded(SECOND), rewarded(FIRST), scored(IN_THIRD), scored(IN_SECOND), scored(IN_FIRST)]
STANDINGS = {FIRST: {"7": 3}, SECOND: {"7": 3}, THIRD: {"7": 3}}


async def faults(
    scores: Mapping[str, Mapping[str, int]],
    ledger: Sequence[LedgerEntry],
    *,
    operator: bool = True,
    records: Sequence[Mapping[str, str]] = RECORDS,
) -> list[str]:
    """The invariants that are broken, once for each fault."""

    async def again(_players: Collection[str]) -> Mapping[str, Sequence[LedgerEntry]]:
        return {"7": ledger}

    server = Server(scores, records)
    verdict = await prove_points(server, Played({"7": ledger}, 0, again), 0, server if operator else None)
    return [fault.invariant for fault in verdict.faults]


async def test_an_honest_run_over_two_boundaries_is_not_accused() -> None:
    assert await faults(STANDINGS, HONEST) == []


async def test_the_season_before_the_last_is_judged_too() -> None:
    assert await faults({**STANDINGS, FIRST: {"7": 6}}, HONEST) == [POINTS], "its points count twice"
    assert await faults(STANDINGS, [entry for entry in HONEST if entry != rewarded(FIRST)]) == [REWARDS]
    assert await faults({SECOND: {"7": 3}, THIRD: {"7": 3}}, HONEST) == [POINTS], "it isn't shown"


async def test_a_season_that_is_over_is_closed() -> None:
    stuck = [{**RECORDS[0], "state": "ended"}, *RECORDS[1:]]
    assert await faults(STANDINGS, HONEST, records=stuck) == [REWARDS]


async def test_points_are_of_some_season() -> None:
    assert await faults(STANDINGS, [*HONEST, scored(END)]) == [POINTS]


@pytest.mark.parametrize("operator", [True, False])
async def test_a_reward_is_for_a_season_that_is_over(operator: bool) -> None:
    ledger = [entry for entry in HONEST if operator or entry.at >= SECOND]
    assert await faults(STANDINGS, [*ledger, rewarded(THIRD)], operator=operator) == [REWARDS]
    assert await faults(STANDINGS, [*ledger, rewarded("2025-01-01T00:00:00.000Z")], operator=operator) == [REWARDS]


async def test_without_an_operator_a_letter_tells_of_a_season() -> None:
    later = [rewarded(SECOND), scored(IN_THIRD), scored(IN_SECOND)]
    assert await faults(STANDINGS, [*later, rewarded(FIRST)], operator=False) == []
    stranger = {**STANDINGS, FIRST: {"8": 3}}
    assert await faults(stranger, [*later, rewarded(FIRST)], operator=False) == [REWARDS]


async def test_without_an_operator_who_scored_before_the_seasons_that_are_shown_is_not_proved() -> None:
    with pytest.raises(NotProvedError, match="admin key"):
        await faults(STANDINGS, HONEST, operator=False)
