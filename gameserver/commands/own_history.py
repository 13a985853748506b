"""Erasing the ledger of a deleted player in pieces, with the letters that its rows have sent, as far as there is time.

Law: a row is erased after the letters it names, and every row is searched once more when all are erased. What one
attempt has done the next one doesn't do again, however long the ledger is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from gameserver.rules.errors import Unavailable
from gameserver.storage.accounts import own_ledger
from gameserver.storage.accounts.erased_letters import ErasedLetter
from gameserver.storage.accounts.own_ledger import FIRST, OwnLedger, OwnRow, Progress

ForgetLetters = Callable[[Sequence[ErasedLetter]], Awaitable[int]]
"""How many keys of Redis had them, too."""


@dataclass(slots=True)
class ErasedHistory:
    """How far this and earlier attempts have come, and the letters and keys of Redis that this one has erased."""

    progress: Progress
    letters: set[ErasedLetter] = field(default_factory=set)
    redis: int = 0


@dataclass(frozen=True, slots=True)
class OwnHistory:
    """One player's, until a moment of the event loop's clock."""

    ledger: OwnLedger
    player_id: int
    deadline: float

    async def erase(self, history: ErasedHistory, forget: ForgetLetters) -> None:
        """Goes on with the history. Raises Unavailable when the time is over; what was done until then stays done."""
        while True:
            self._require_time()
            progress = history.progress
            rows = await self.ledger.look(self.player_id, progress.after)
            if progress.searching:
                then = _searched(progress, rows)
            elif rows:
                then = _erased(progress, await self._without_letters(rows, history, forget))
            else:
                then = progress._replace(searching=True, after=FIRST)
            if progress.searching and len(rows) < own_ledger.ROWS:
                history.progress = then
                return
            history.progress = await self.ledger.advance(self.player_id, progress, then)

    async def foresee(self, progress: Progress) -> tuple[frozenset[str], int, bool]:
        """The names and the number of letters that would be erased, and whether these are all."""
        names, letters = progress.names, 0
        while not progress.searching and not self._is_over():
            rows = await self.ledger.look(self.player_id, progress.after)
            names, letters = names.union(*(row.names for row in rows)), letters + sum(len(row.letters) for row in rows)
            if len(rows) < own_ledger.ROWS:
                return names, letters, True
            progress = _erased(progress, rows)
        return names, letters, progress.searching

    async def _without_letters(
        self, rows: Sequence[OwnRow], history: ErasedHistory, forget: ForgetLetters
    ) -> list[OwnRow]:
        """The first rows, as many as there is time for, whose letters are erased."""
        done = list[OwnRow]()
        for row in rows:
            if row.letters:
                if self._is_over():
                    break
                history.redis += await forget(row.letters)
                history.letters.update(row.letters)
            done.append(row)
        return done

    def _is_over(self) -> bool:
        return asyncio.get_running_loop().time() >= self.deadline

    def _require_time(self) -> None:
        if self._is_over():
            problem = "The player is deleted, and its ledger is being erased: send this again to go on."
            raise Unavailable(problem, retry_after=1)


def _erased(progress: Progress, rows: Sequence[OwnRow]) -> Progress:
    if not rows:
        return progress
    names = progress.names.union(*(row.names for row in rows))
    letters = progress.letters + len({letter for row in rows for letter in row.letters})
    return progress._replace(after=rows[-1].command_id, names=names, letters=letters)


def _searched(progress: Progress, rows: Sequence[OwnRow]) -> Progress:
    after = rows[-1].command_id if rows else progress.after
    return progress._replace(after=after, left=progress.left + sum(row.speaks for row in rows))
