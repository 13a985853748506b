"""The proof of a season's rewards: against the standings that are shown, and the letters in the bots' ledgers. Pure.

The law: when a season is over, whoever has a rank that is rewarded gets one letter, which names that rank. The ranks
that are shown move afterwards: those behind a player that was banned or deleted move up, those behind one whose ban
was lifted move down. So a letter may differ from the rank that is shown by as many as the run knows of, and whoever was
banned for a while may have none. Where others than the bots are in the standings the run can't know of all: then the
letters' ranks have to be in the order of the standings, and whoever is between two that were rewarded has one, too.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from bots.proof.boards import BoardPlace
from bots.proof.invariants import REWARDS, Evidence, Fault
from bots.proof.players import SERVER, LedgerEntry

REWARDED = "mail:rewarded"
LIFTED = "lift_ban"
Ledgers = Mapping[str, Sequence[LedgerEntry]]


@dataclass(frozen=True, slots=True)
class RewardedSeason:
    """A season that is over: which ranks were rewarded, first and last of each range, and the standings as shown."""

    board: str
    name: str
    ranges: Sequence[tuple[int, int]]
    places: Sequence[BoardPlace]

    def rewards(self, ranks: range) -> bool:
        """Return whether each of these ranks is rewarded."""
        ranks = range(max(ranks.start, 1), ranks.stop)
        return bool(ranks) and all(any(first <= rank <= last for first, last in self.ranges) for rank in ranks)

    def letters(self, ledger: Sequence[LedgerEntry]) -> list[LedgerEntry]:
        """Return the season's rewards in a ledger."""
        return [entry for entry in ledger if entry.action == REWARDED and entry.sender == SERVER
                and (entry.args.get("board"), entry.args.get("season")) == (self.board, self.name)]  # fmt: skip


class _Rewarded(NamedTuple):
    """A bot's place, its letters, the ranks that it may have had, and whether it lacks a letter."""

    place: BoardPlace
    letters: list[LedgerEntry]
    ranks: range
    lacks: bool


def compare_rewards(season: RewardedSeason, ledgers: Ledgers, gone: int) -> Evidence:
    """Compare the letters to the standings; `gone` players were banned or deleted during the run."""
    verdict = Evidence()
    for bot in _bots(season, ledgers, gone):
        verdict.checked[REWARDS] += bool(bot.letters)
        told = f"board {season.board}, season {season.name}: player {bot.place.player_id} of rank {bot.place.rank}"
        lines = [f"{entry.command_id} at {entry.at}, for rank {entry.args.get('rank')}" for entry in bot.letters]
        if len(bot.letters) > 1 or bot.lacks:
            verdict.faults.append(Fault(REWARDS, f"{told} was rewarded {len(bot.letters)} times", lines))
        elif bot.letters and _rank(bot.letters) not in bot.ranks:
            verdict.faults.append(Fault(REWARDS, f"{told} was rewarded for another rank", lines))
    return verdict


def unrewarded(season: RewardedSeason, ledgers: Ledgers, gone: int) -> list[str]:
    """Return the players that lack a letter: it may have come since the ledgers were read."""
    return [bot.place.player_id for bot in _bots(season, ledgers, gone) if bot.lacks]


def _bots(season: RewardedSeason, ledgers: Ledgers, gone: int) -> Iterator[_Rewarded]:
    """Yield every bot that is shown."""
    back = {player for player, ledger in ledgers.items() if any(entry.action == LIFTED for entry in ledger)}
    shown = [(place, season.letters(ledgers[place.player_id])) for place in season.places if place.player_id in ledgers]
    if len(shown) == len(season.places):
        possible = [range(place.rank - len(back), place.rank + gone + 1) for place, _ in shown]
    else:
        possible = _between([_rank(letters) if place.player_id not in back else 0 for place, letters in shown])
    for (place, letters), ranks in zip(shown, possible, strict=True):
        if place.player_id in back:
            yield _Rewarded(place, letters, range(sys.maxsize), lacks=False)
        else:
            yield _Rewarded(place, letters, ranks, lacks=not letters and season.rewards(ranks))


def _rank(letters: Sequence[LedgerEntry]) -> int:
    """Return the rank that the first letter names, or 0."""
    return int(letters[0].args.get("rank", 0)) if letters else 0


def _between(named: Sequence[int]) -> list[range]:
    """Return for each place the ranks between those named for the places ahead and behind; 0 is none."""
    ahead = [0, *accumulate(named, max)]
    behind = [*accumulate((rank or sys.maxsize for rank in reversed(named)), min, initial=sys.maxsize)][::-1]
    return [range(ahead[number] + 1, behind[number + 1]) for number in range(len(named))]
