"""What /metrics shows of moves that aren't over, and for how long the slowest of them has got no further.

How much of its rows a move has copied is known to its mover alone: so a node tells the age of its own moves, and of
those that nobody has taken. A move that waits for another one's copy doesn't age.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from gameserver.commands.sharding import Sharding
from gameserver.storage.sharding.move import MoveRecord, SlotStep
from gameserver.storage.sharding.records import NOBODY
from gameserver.telemetry import MOVE_AGE, MOVE_ROWS, MOVES_OPEN

MEASURE_SECONDS = 5.0


class OpenMoves:
    """One per node."""

    def __init__(self, sharding: Sharding, clock: Callable[[], float] = time.monotonic) -> None:
        self._sharding, self._clock = sharding, clock
        self._measured = float("-inf")
        self._reached: dict[int, tuple[object, float]] = {}

    async def measure(self) -> None:
        """Looks, if it is time to. Raises DatabaseUnavailable."""
        if self._clock() - self._measured < MEASURE_SECONDS:
            return
        copied = {each["move"]: each["rows"] for each in self._sharding.progress.shown()}
        self.show(await self._sharding.moves.unfinished(), copied)
        self._measured = self._clock()

    def show(self, moves: Sequence[MoveRecord], copied: Mapping[int | None, int | None]) -> None:
        """Shows these open moves; `copied` are the rows of those that this node carries out."""
        waiting = sum(move.problem is not None for move in moves)
        MOVES_OPEN.labels("going_on").set(len(moves) - waiting)
        MOVES_OPEN.labels("waiting").set(waiting)
        own = [move for move in moves if move.mover in (self._sharding.mover.name, NOBODY)]
        now = self._clock()
        before, self._reached = self._reached, {}
        for move in own:
            place = (move.step, len(move.at(SlotStep.MOVED, SlotStep.KEPT)), copied.get(move.id))
            known, since = before.get(move.id, (None, now))
            self._reached[move.id] = (place, since if known == place and not move.waits_its_turn else now)
        MOVE_AGE.set(max((now - since for _, since in self._reached.values()), default=0))
        MOVE_ROWS.set(sum(copied.get(move.id) or 0 for move in own))
