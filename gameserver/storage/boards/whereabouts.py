"""What a follower remembers of players: which boards they were on when it last wrote them.

Law: that a player isn't on a board is written only when that may be news there: when the player was on it, when its
slot came from another database, when this follower hasn't written the player since it began, or hasn't since there is
another generation. An older row, which a load or a check read before the player left, meets the tombstone of that
writing, since such a row is written in far less time than a tombstone stays. So of most actions the boards of other
classes hear nothing, neither the player nor a tombstone.
"""

from collections.abc import Sequence

from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.ranked import RankedPlayer
from gameserver.storage.boards.writer import Generation

REMEMBERED = 100_000
"""Players, at the most (some 15 MB); then all are forgotten."""
NOWHERE = -1
"""Of players that were taken off every board."""


class Whereabouts:
    """One per follower."""

    def __init__(self) -> None:
        self._generations: list[str] = []
        self._contests: list[Contest] = []
        self._known: dict[int, int] = {}
        """By player, the boards that it was on: a bit for each contest."""
        self._boards: dict[tuple[str, int], int] = {}
        """The same by class and level, worked out once."""

    def forget(self) -> None:
        """Whatever is written next may be news."""
        self._known.clear()

    def follow(self, followed: Sequence[tuple[Contest, Generation]]) -> None:
        """Says which generations are written from here on; others than before know nothing yet."""
        generations = [generation.name for _, generation in followed]
        if generations != self._generations:
            self._generations, self._contests = generations, [contest for contest, _ in followed]
            self._boards.clear()
            self.forget()

    def marked(self, players: Sequence[RankedPlayer]) -> list[RankedPlayer]:
        """The players; those that are on the boards that they were on before aren't `moved`."""
        known = self._known
        return [
            ranked if ranked.moved or known.get(ranked.player.id) == self._of(ranked) else ranked._replace(moved=True)
            for ranked in players
        ]

    def note(self, players: Sequence[RankedPlayer]) -> None:
        """The players were written to every generation."""
        if len(self._known) + len(players) > REMEMBERED:
            self.forget()
        self._known.update((ranked.player.id, self._of(ranked)) for ranked in players)

    def _of(self, ranked: RankedPlayer) -> int:
        if ranked.gone:
            return NOWHERE
        key = ranked.player.class_name, ranked.player.level
        boards = self._boards.get(key)
        if boards is None:
            admitted = [contest.board.admits(*key) for contest in self._contests]
            boards = self._boards[key] = sum(1 << number for number, admits in enumerate(admitted) if admits)
        return boards
