"""Players as boards need them: their present state, and the rows that are written of it."""

from collections.abc import Iterable, Mapping
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
    board, sign = contest.board, -1 if contest.board.order == "desc" else 1
    rows, lists_absent = [], not board.stores_scores
    for ranked in players:
        score = ranked.score(contest)
        if score is not None:
            card = ranked.card or pack_card(ranked.player)
            at = microseconds(score.reached_at)
            rows.append(pack_row(ranked.player, at, sign * score.score, there=True, card=card))
        elif ranked.gone or _has_left(ranked, contest) or (lists_absent and (all_absent or ranked.moved)):
            rows.append(pack_row(ranked.player, 0, 0, there=False, card=b""))
    return b"".join(rows)


def _has_left(ranked: RankedPlayer, contest: Contest) -> bool:
    """Whether the player's score was taken away."""
    return contest.board.stores_scores and (contest.board.name, contest.season) in ranked.stored
