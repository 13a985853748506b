"""What if: the ledger of a period, applied again under changed rules. Reads only."""

import random
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from gameserver.rules.player import Player
from gameserver.rules.player_data import load
from gameserver.rules.rulebook import Rulebook
from gameserver.rules.what_if import AlteredCourse, RecordedStep, state_of
from gameserver.rules.what_if_tally import WhatIfTally
from gameserver.storage.ledger.periods import Period, PeriodPart, PeriodRow, Periods, StartingPoint
from gameserver.storage.ledger.refusals import dice_seed

MOST = 20
"""Players that are named."""
SIGN_UP = "sign_up"


@dataclass(frozen=True, slots=True)
class Supposition:
    """Which rules to suppose, for which period, and for how many players (None: all).

    `seed` draws those players.
    """

    rulebook: Rulebook
    period: Period
    players: int | None = None
    seed: int = 0


async def suppose(periods: Periods, supposed: Supposition, progress: Callable[[int], None]) -> WhatIfTally:
    """What would have become of the players; tells `progress` how many it has followed. Raises DatabaseUnavailable."""
    slots = [*range(periods.slots())]
    random.Random(supposed.seed).shuffle(slots)  # noqa: S311 (a sample)
    followed = _Followed(supposed, WhatIfTally(MOST))
    async with aclosing(periods.parts(supposed.period, slots)) as parts:
        async for part in parts:
            if not followed.take(part):
                break
            progress(followed.tally.total.players)
    return followed.end()


class _Followed:
    """The course of the player whose rows are being read, and the sums of those before it."""

    def __init__(self, supposed: Supposition, tally: WhatIfTally) -> None:
        self._supposed, self.tally = supposed, tally
        self._player_id: int | None = None
        self._course: AlteredCourse | None = None

    def take(self, part: PeriodPart) -> bool:
        """Takes in some rows; whether more are wanted."""
        for row in part.rows:
            if row.player_id != self._player_id:
                self._finish()
                if self._is_full():
                    return False
                self._begin(row, part)
            elif self._course is not None:
                self._go_on(row)
        return True

    def end(self) -> WhatIfTally:
        """The sums of all."""
        self._finish()
        return self.tally

    def _is_full(self) -> bool:
        return self._supposed.players is not None and self.tally.total.players >= self._supposed.players

    def _begin(self, row: PeriodRow, part: PeriodPart) -> None:
        self._player_id = row.player_id
        start, rulebook = part.starts.get(row.player_id), self._supposed.rulebook
        if start is not None and start.outcome["name"]:
            self._course = AlteredCourse(rulebook, _began(row.player_id, start))
            self._go_on(row)
        elif start is None and row.action == SIGN_UP and row.outcome.get("name"):
            is_full = row.outcome["hp"] == row.outcome["max_hp"]
            self._course = AlteredCourse(rulebook, state_of(row.player_id, row.outcome, row.at), gets_all_hp=is_full)
        else:
            self.tally.unknown += 1

    def _go_on(self, row: PeriodRow) -> None:
        if self._course is None:
            return
        if row.outcome.get("name") == "":  # erased: what it did isn't there any more
            self._course = None
            self.tally.unknown += 1
            return
        self._course.take(self._step(row))

    @staticmethod
    def _step(row: PeriodRow) -> RecordedStep:
        refused = row.outcome["refused"]["code"] if row.seed < 0 else None
        return RecordedStep(row.action, row.args, dice_seed(row.seed), row.at, row.outcome, refused, row.rules)

    def _finish(self) -> None:
        if self._course is not None:
            self.tally.add(self._course)
        self._course = None


def _began(player_id: int, start: StartingPoint) -> Player:
    """What the player was when the period began."""
    return state_of(player_id, start.outcome, start.created_at)._replace(
        version=start.version, exp_reached_at=start.exp_reached_at, data=load(start.data)
    )
