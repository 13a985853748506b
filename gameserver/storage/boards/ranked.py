"""Players as boards need them: their present state, and the rows that are written of it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from gameserver.rules.player import Player
from gameserver.storage.boards.layout import Contest, microseconds, pack_card, pack_row


class Score(NamedTuple):
    """A player's score in a contest, and when it was reached."""

    score: int
    reached_at: datetime


class RankedPlayer(NamedTuple):
    """A player's present state. `stored` are its scores by board and season, None for one that was taken away; `gone`
    takes it off every board.

    `card` is what a board shows of the player, packed, or empty if it isn't packed yet. `moved`: boards that it
    isn't on may have it, since another database may have written it there, or since it was on them.
    """

    player: Player
    level_reached_at: datetime
    gone: bool
    stored: Mapping[tuple[str, int], Score | None]
    card: bytes = b""
    moved: bool = True

    def score(self, contest: Contest) -> Score | None:
        """Its score there; None if it isn't on that board."""
        board, player = contest.board, self.player
        if self.gone:
            return None
        if board.stores_scores:
            return self.stored.get((board.name, contest.season))
        if not board.admits(player.class_name, player.level):
            return None
        if board.score == "level":
            return Score(player.level, self.level_reached_at)
        return Score(player.exp, player.exp_reached_at)


def pack(contest: Contest, players: Iterable[RankedPlayer], *, all_absent: bool = True) -> bytes:
    """Rows for apply.lua: of the players on the board, and of those that may have to leave it.

    A player without a stored score has never been on a board of stored scores, so it has a row only when it is gone, or
    when its score was taken away.
    Without `all_absent`, an absent player has one only if it is gone, or has `moved`.
    """
    return b"".join([_row(contest, ranked, all_absent=all_absent) for ranked in players])


def pack_changed(contests: Sequence[Contest], players: Iterable[RankedPlayer]) -> list[bytes]:
    """For each contest what `pack` gives without `all_absent`, in less than half of its time.

    Most players have only changed: they are looked for where their class and level admit them, and have one row for
    all boards that rank by the same.
    """
    rows: list[list[bytes]] = [[] for _ in contests]
    storing = [number for number, contest in enumerate(contests) if contest.board.stores_scores]
    alike: dict[tuple[str, int], Sequence[Sequence[int]]] = {}
    for ranked in players:
        if ranked.gone or ranked.moved:
            for number, contest in enumerate(contests):
                rows[number].append(_row(contest, ranked, all_absent=False))
            continue
        key = ranked.player.class_name, ranked.player.level
        groups = alike.get(key)
        if groups is None:
            groups = alike[key] = _alike(contests, *key)
        for numbers in groups:
            row = _row(contests[numbers[0]], ranked, all_absent=False)
            for number in numbers:
                rows[number].append(row)
        for number in storing if ranked.stored else ():
            rows[number].append(_row(contests[number], ranked, all_absent=False))
    return [b"".join(each) for each in rows]


def _alike(contests: Sequence[Contest], class_name: str, level: int) -> list[list[int]]:
    """The numbers of those that admit the class at the level, apart by what they rank by, and in which order."""
    groups: dict[tuple[str, str], list[int]] = {}
    for number, contest in enumerate(contests):
        if not contest.board.stores_scores and contest.board.admits(class_name, level):
            groups.setdefault((contest.board.score, contest.board.order), []).append(number)
    return list(groups.values())


def _row(contest: Contest, ranked: RankedPlayer, *, all_absent: bool) -> bytes:
    """The player's row for apply.lua; empty if it needs none."""
    board, score = contest.board, ranked.score(contest)
    if score is not None:
        at, sign = microseconds(score.reached_at), -1 if board.order == "desc" else 1
        return pack_row(ranked.player, at, sign * score.score, there=True, card=ranked.card or pack_card(ranked.player))
    lists_absent = not board.stores_scores and (all_absent or ranked.moved)
    if ranked.gone or lists_absent or _has_left(ranked, contest):
        return pack_row(ranked.player, 0, 0, there=False, card=b"")
    return b""


def _has_left(ranked: RankedPlayer, contest: Contest) -> bool:
    """Whether the player's score was taken away."""
    return contest.board.stores_scores and (contest.board.name, contest.season) in ranked.stored
