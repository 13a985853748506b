"""The proof of a season's rewards: against the standings that are shown, and the letters in the bots' ledgers. Pure.

The law: when a season is over, whoever has a rank that is rewarded gets one letter, which names that rank and has what
is promised for it; nobody else gets one. The ranks that are shown move afterwards: those behind a player that was
banned or deleted move up, those behind one whose ban was lifted move down. So a letter may differ from the rank that is
shown by as many as the run knows of, and whoever was banned for a while may have none. Where others than the bots are
in the standings the run can't know of all: then the letters' ranks have to be in the order of the standings, and
whoever is between two that were rewarded has one, too.

A letter names the rank among those who weren't banned then, by which it has its reward; of a season that was counted by
an earlier version the rank among all, which may be behind it. However many were banned: every rank's reward is given
once, so there have to be as many ranks for the letters, in the order of the standings.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from operator import itemgetter
from typing import Any, NamedTuple

from bots.proof.boards import BoardPlace
from bots.proof.invariants import REWARDS, Evidence, Fault
from bots.proof.players import SERVER, LedgerEntry

REWARDED = "mail:rewarded"
LIFTED = "lift_ban"
HEAD = frozenset({"sender", "board", "season", "rank"})
"""What a letter with a reward says beside what it gives."""
Ledgers = Mapping[str, Sequence[LedgerEntry]]


class RewardTier(NamedTuple):
    """A range of ranks, first and last, and what each of them is promised."""

    first: int
    last: int
    gift: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RewardedSeason:
    """A season that is over: which ranks were rewarded and with what, and the standings as shown."""

    board: str
    name: str
    tiers: Sequence[RewardTier]
    places: Sequence[BoardPlace]

    def rewards(self, ranks: range) -> bool:
        """Return whether each of these ranks is rewarded."""
        ranks = range(max(ranks.start, 1), ranks.stop)
        return bool(ranks) and all(any(tier.first <= rank <= tier.last for tier in self.tiers) for rank in ranks)

    def first_rank_with(self, gift: Mapping[str, Any], ranks: range) -> int:
        """Return the first of these ranks that is promised this, or 0."""
        fitting = [tier for tier in self.tiers if dict(tier.gift) == dict(gift)]
        found = [max(tier.first, ranks.start) for tier in fitting if max(tier.first, ranks.start) <= tier.last]
        return next((rank for rank in sorted(found) if rank in ranks), 0)

    def letters(self, ledger: Sequence[LedgerEntry]) -> list[LedgerEntry]:
        """Return the season's rewards in a ledger."""
        return [entry for entry in rewards_of(self.board, ledger) if entry.args.get("season") == self.name]


def rewards_of(board: str, ledger: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """Return a board's rewards in a ledger, those of all seasons."""
    return [entry for entry in ledger
            if (entry.action, entry.sender, entry.args.get("board")) == (REWARDED, SERVER, board)]  # fmt: skip


class _Rewarded(NamedTuple):
    """A bot's place, its letters, the ranks that they may name, and whether it lacks a letter.

    `least` is the best rank that it may have had among those who weren't banned.
    """

    place: BoardPlace
    letters: list[LedgerEntry]
    ranks: range
    lacks: bool
    least: int


def compare_rewards(season: RewardedSeason, ledgers: Ledgers, gone: int) -> Evidence:
    """Compare the letters to the standings; `gone` players were banned or deleted during the run."""
    verdict = Evidence(faults=[*_strangers(season, ledgers)])
    named = f"board {season.board}, season {season.name}"
    given = _Given(season)
    for bot in _bots(season, ledgers, gone):
        verdict.checked[REWARDS] += bool(bot.letters)
        told = f"{named}: player {bot.place.player_id} of rank {bot.place.rank}"
        if len(bot.letters) > 1 or bot.lacks:
            fault = f"{told} was rewarded {len(bot.letters)} times"
        elif bot.letters and _rank(bot.letters) not in bot.ranks:
            fault = f"{told} was rewarded for another rank"
        elif bot.letters and not given.takes(bot):
            fault = f"{told} was rewarded with what no rank is promised that can be its own"
        else:
            continue
        verdict.faults.append(Fault(REWARDS, fault, _told(bot.letters)))
    return verdict


class _Given:
    """Which ranks' rewards were given, by letters that come in the order of the standings."""

    def __init__(self, season: RewardedSeason) -> None:
        self._season = season
        self._rank = self._shown = 0

    def takes(self, bot: _Rewarded) -> bool:
        """Return whether there is a rank for a letter, behind those of the letters before it or tied with them."""
        first = max(bot.least, self._rank + (bot.place.rank > self._shown))
        gift = {name: value for name, value in bot.letters[0].args.items() if name not in HEAD}
        rank = self._season.first_rank_with(gift, range(first, _rank(bot.letters) + 1))
        if rank:
            self._rank, self._shown = rank, bot.place.rank
        return bool(rank)


def _strangers(season: RewardedSeason, ledgers: Ledgers) -> Iterator[Fault]:
    """Yield a fault for every player that was rewarded and has no place."""
    placed = {place.player_id for place in season.places}
    for player, ledger in ledgers.items():
        if player not in placed and (letters := season.letters(ledger)):
            told = f"board {season.board}, season {season.name}: player {player} has no place and was rewarded"
            yield Fault(REWARDS, told, _told(letters))


def _told(letters: Sequence[LedgerEntry]) -> list[str]:
    return [f"{entry.command_id} at {entry.at}, with {dict(entry.args)}" for entry in letters]


def unrewarded(season: RewardedSeason, ledgers: Ledgers, gone: int) -> list[str]:
    """Return the players that lack a letter: it may have come since the ledgers were read."""
    return [bot.place.player_id for bot in _bots(season, ledgers, gone) if bot.lacks]


def _bots(season: RewardedSeason, ledgers: Ledgers, gone: int) -> Iterator[_Rewarded]:
    """Yield every bot that is shown."""
    back = {player for player, ledger in ledgers.items() if any(entry.action == LIFTED for entry in ledger)}
    shown = [(place, season.letters(ledgers[place.player_id])) for place in season.places if place.player_id in ledgers]
    all_known = len(shown) == len(season.places)
    if all_known:
        possible = [range(place.rank - len(back), place.rank + gone + 1) for place, _ in shown]
    else:
        named = [0 if place.player_id in back else _rank(letters) for place, letters in shown]
        possible = _between([(place.rank, rank) for (place, _), rank in zip(shown, named, strict=True)])
    for (place, letters), ranks in zip(shown, possible, strict=True):
        least = max(place.rank - len(back), 1) if all_known else 1
        if place.player_id in back:
            yield _Rewarded(place, letters, range(sys.maxsize), lacks=False, least=least)
        else:
            yield _Rewarded(place, letters, ranks, not letters and season.rewards(ranks), least)


def _rank(letters: Sequence[LedgerEntry]) -> int:
    """Return the rank that the first letter names, or 0."""
    return int(letters[0].args.get("rank", 0)) if letters else 0


def _between(named: Sequence[tuple[int, int]]) -> list[range]:
    """Return for each place the ranks between those named for the places ahead and behind; 0 is none.

    `named` has the rank that is shown, too: places of one rank are neither ahead nor behind.
    """
    tied = [[rank for _, rank in group] for _, group in groupby(named, key=itemgetter(0))]
    ahead = [0, *accumulate((max(ranks) for ranks in tied), max)]
    least = (min((rank for rank in ranks if rank), default=sys.maxsize) for ranks in reversed(tied))
    behind = [*accumulate(least, min, initial=sys.maxsize)][::-1]
    return [range(ahead[number] + 1, behind[number + 1]) for number, ranks in enumerate(tied) for _ in ranks]
