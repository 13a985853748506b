"""A season's rewards are compared with the standings: what moved the ranks since is no fault, what nobody moved is."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

import pytest

from bots.proof.boards import BoardPlace
from bots.proof.invariants import REWARDS
from bots.proof.players import LedgerEntry
from bots.proof.points import Played
from bots.proof.rewards import RewardedSeason, RewardTier, compare_rewards
from bots.wire.bodies import State

SEASON = "2026-11-28T10:00:00.000Z"
RANGES = ((1, 1), (2, 3))
STATE = State(1, "mage", 1, 5, 5, 5)


def letter(rank: int, number: int = 1, season: str = SEASON, gift: str = "coins") -> LedgerEntry:
    args = {"sender": "0", "board": "weekly", "season": season, "rank": rank, "text": gift}
    return LedgerEntry(f"r{number}", "mail:rewarded", STATE, sender="0", args=args)


def order(action: str) -> LedgerEntry:
    return LedgerEntry(action, action, STATE)


def standings(
    *players: str, ranges: Sequence[tuple[int, int]] = RANGES, gifts: Sequence[str] = ("coins", "coins")
) -> RewardedSeason:
    reached = datetime(2026, 11, 28, tzinfo=UTC)
    places = [BoardPlace(rank, player, 20 - rank, reached, 0) for rank, player in enumerate(players, 1)]
    tiers = [RewardTier(first, last, {"text": gift}) for (first, last), gift in zip(ranges, gifts, strict=False)]
    return RewardedSeason("weekly", SEASON, tiers, places)


def faults(season: RewardedSeason, ledgers: Mapping[str, Sequence[LedgerEntry]], gone: int = 0) -> list[str]:
    """Which players have a fault."""
    return [fault.split("player ")[1].split()[0] for fault in compare_rewards(season, ledgers, gone).faults]


@pytest.mark.parametrize(
    ("letters", "gone", "expected"),
    [
        ([letter(1)], 0, []),
        ([], 0, ["7"]),
        ([letter(1, season="another")], 0, ["7"]),
        ([letter(1), letter(1, 2)], 0, ["7"]),
        ([letter(2)], 0, ["7"]),
        ([letter(2)], 1, []),
    ],
    ids=["once", "never", "for another season", "twice", "for another rank", "for the rank before a ban"],
)
def test_a_rank_is_rewarded_once(letters: list[LedgerEntry], gone: int, expected: list[str]) -> None:
    assert faults(standings("7"), {"7": letters}, gone) == expected


def test_who_has_a_rank_without_reward_gets_none() -> None:
    rewarded = {player: [letter(rank)] for rank, player in enumerate("abc", 1)}
    verdict = compare_rewards(standings(*"abcdef"), {**rewarded, "d": [], "e": [], "f": []}, 0)
    assert (len(verdict.faults), verdict.checked[REWARDS]) == (0, 3)


def test_who_was_banned_meanwhile_gets_none_and_those_behind_the_ranks_before_it_came_back() -> None:
    season = standings(*"abcd", ranges=((1, 9),))
    lifted = {"a": [order("ban"), order("lift_ban")], "b": [letter(1)], "c": [letter(2)], "d": [letter(3)]}
    assert faults(season, lifted) == []
    assert faults(season, {**lifted, "c": [letter(4)]}) == ["c"]
    assert faults(season, {**lifted, "c": []}) == ["c"]
    assert faults(season, {**lifted, "a": [*lifted["a"], letter(1), letter(1, 2)]}) == ["a"]


@pytest.mark.parametrize("ranks", [(1, 2, 3), (2, 3, 5), (1, 4, 9)])
def test_beside_others_who_come_and_go_rewards_are_in_the_order_of_the_standings(ranks: tuple[int, int, int]) -> None:
    season = standings("a", "somebody", "b", "c", ranges=((1, 9),))
    ledgers = {player: [letter(rank)] for player, rank in zip("abc", ranks, strict=True)}
    assert faults(season, ledgers) == []
    assert faults(season, {**ledgers, "b": ledgers["a"], "a": ledgers["b"]}) == ["a", "b"]
    assert faults(season, {**ledgers, "c": ledgers["b"]}) == ["b", "c"]
    assert faults(season, {**ledgers, "b": [*ledgers["b"], letter(ranks[1], 2)]}) == ["b"]


def test_beside_others_who_stands_between_two_that_were_rewarded_has_a_letter_too() -> None:
    season = standings("a", "b", "somebody", "c", "d", ranges=((1, 9),))
    assert faults(season, {"a": [letter(2)], "b": [], "c": [letter(5)], "d": []}) == ["b"]
    gap = standings("a", "b", "somebody", "c", ranges=((1, 1), (4, 9)))
    assert faults(gap, {"a": [letter(1)], "b": [], "c": [letter(4)]}) == []


def test_everybody_on_the_board_is_not_rewarded_however_many_were_banned() -> None:
    everybody = {player: [letter(rank)] for rank, player in enumerate("abcde", 1)}
    assert faults(standings(*"abcde"), everybody) == ["d", "e"]
    assert faults(standings(*"abcde"), everybody, gone=9) == ["d", "e"]
    beside_others = standings("a", "somebody", *"bcde")
    assert faults(beside_others, everybody, gone=9) == ["d", "e"], "there are but three ranks with a reward"


def test_a_rank_has_what_is_promised_for_it() -> None:
    season = standings(*"abcd", gifts=("gold", "silver"))
    right = {"a": [letter(1, gift="gold")], "b": [letter(2, gift="silver")], "c": [letter(3, gift="silver")], "d": []}
    assert faults(season, right) == []
    shifted = {"a": [letter(1, gift="silver")], "b": [letter(2, gift="silver")], "c": [], "d": []}
    assert faults(season, shifted) == ["a", "c"]
    assert faults(season, shifted, gone=5) == ["a"], "the third may have been the fourth"
    assert faults(season, {**right, "b": [letter(2, gift="gold")]}) == ["b"]
    assert faults(season, {**right, "b": [letter(2, gift="gold")]}, gone=5) == ["b"], "one gets the first's, not two"
    assert faults(season, {**right, "a": [letter(1, gift="nothing")]}) == ["a"]


def test_what_is_given_goes_by_the_rank_without_those_who_were_banned() -> None:
    season = standings(*"abc", gifts=("gold", "silver"))
    behind_two = {"a": [letter(3, gift="gold")], "b": [letter(4, gift="silver")], "c": [letter(5, gift="silver")]}
    assert faults(season, behind_two, gone=2) == []
    assert faults(season, behind_two, gone=1) == ["a", "b", "c"]


def test_who_never_scored_is_not_rewarded() -> None:
    ledgers = {"a": [letter(1)], "b": [letter(2)], "idle": [letter(3)]}
    assert faults(standings(*"ab"), ledgers, gone=5) == ["idle"]
    assert faults(standings(*"ab"), {**ledgers, "idle": [letter(3, season="another")]}) == []


def test_those_of_one_rank_get_the_same() -> None:
    season = standings(*"abc", ranges=((1, 1), (3, 3)), gifts=("gold", "bronze"))
    tied = RewardedSeason("weekly", SEASON, season.tiers, [
        place._replace(rank=rank) for place, rank in zip(season.places, (1, 1, 3), strict=True)
    ])  # fmt: skip
    ledgers = {"a": [letter(1, gift="gold")], "b": [letter(1, gift="gold")], "c": [letter(3, gift="bronze")]}
    assert faults(tied, ledgers) == []
    assert faults(tied, {**ledgers, "others": []}) == []
    del ledgers["c"]
    assert faults(tied, ledgers) == [], "beside others, too"
    assert faults(tied, {**ledgers, "b": []}) == [], "whoever is behind may have been banned"


async def test_a_letter_that_comes_after_the_ledgers_were_read_is_found() -> None:
    reread: list[str] = []

    async def later(players: Collection[str]) -> Mapping[str, Sequence[LedgerEntry]]:
        reread.extend(players)
        return {"b": [letter(2)]}  # the third was banned meanwhile

    season = standings(*"abc")
    played = Played({"a": [letter(1)], "b": [], "c": []}, 0, later)
    assert faults(season, played.ledgers) == ["b", "c"]
    played = await played.with_late_rewards(season)
    assert (reread, faults(season, played.ledgers, played.gone)) == (["b", "c"], [])
    assert await played.with_late_rewards(season) is played
