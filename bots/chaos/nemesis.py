"""Carries out a timetable of faults while bots play, and notes what came of each.

Law: one fault at a time befalls a server; a second one is skipped, and says so. None begins after the play's end, and
`close` waits for those that are under way, each of which has a deadline of its own.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from bots.chaos import cuts, deeds
from bots.chaos.errors import BadPlanError, CantBeDoneError
from bots.chaos.plan import ChaosPlan, read
from bots.chaos.stack import RunningStack, StackServer
from bots.chaos.timetable import Due, timetable
from bots.count.document import RunEvent, Sighting
from bots.waiting import cancel_and_wait, pause

SKIPPED = "skipped: "
"""How the note of a fault begins that wasn't carried out."""


class Nemesis:
    """The faults of one run; `events` are those that have begun, in their order.

    `plan` is what they were drawn from, by `seed`; an entry may have given none.
    """

    def __init__(self, stack: RunningStack, due: Sequence[Due], seed: int, plan: ChaosPlan) -> None:
        self.stack = stack
        self.due = due
        self.seed = seed
        self._plan = plan
        self.events: list[RunEvent] = []
        self._seen = Counter[str]()
        self._begins = 0.0
        self._busy: set[str] = set()
        self._over = asyncio.Event()
        self._unleashed: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    @classmethod
    def planned(cls, file: Path, stack: RunningStack | None, play_seconds: float, seed: int) -> Self:
        """Read a plan for a stack; the plan's own seed counts before `seed`. Raises BadPlanError."""
        plan = read(file)
        if stack is None:
            raise BadPlanError(
                "A plan of faults needs a stack that `gameserver up` runs on this machine: none with this address "
                "has its data below this folder, and --stack names none that runs."
            )
        chosen = seed if plan.seed is None else plan.seed
        return cls(stack, timetable(plan, chosen, play_seconds, stack), chosen, plan)

    def begin(self) -> None:
        """Begin with the play, which has just begun."""
        self._unleashed = asyncio.create_task(self.unleash(asyncio.get_running_loop().time(), self._over))

    async def finish(self) -> None:
        """Begin no further fault, since the play is over, and wait for those that are under way."""
        self._over.set()
        if self._unleashed is not None:
            await self._unleashed
        await self.close()

    async def unleash(self, begins: float, stop: asyncio.Event) -> None:
        """Carry the timetable out; the play begins at `begins` of the loop's clock, and ends when `stop` is set."""
        self._begins = begins
        for due in self.due:
            if await pause(begins + due.at - asyncio.get_running_loop().time(), stop):
                return
            task = asyncio.create_task(self._befall(due))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """Wait for what is under way; if this is cancelled, what was stopped goes on all the same."""
        try:
            await asyncio.gather(*self._under_way)
        finally:
            await cancel_and_wait(*self._under_way)
        if self._seen.keys() & {due.name for due in self.due if due.kind == "cut"}:
            await cuts.clear()

    def sightings(self) -> list[Sighting]:
        """What the plan names, and how often it was carried out; a run in which it never was says so."""
        names = sorted({fault.name for fault in self._plan.faults})
        return [Sighting(name, self._seen[name], expected=False, planned=True) for name in names]

    def as_planned(self) -> Mapping[str, Any]:
        """The plan as it was given, with the seed from which its faults were drawn."""
        return {**self._plan.as_given, "seed": self.seed}

    async def _befall(self, due: Due) -> None:
        at, target = self._since(), due.target or due.wanted
        try:
            target, note = await self._carry_out(due)
            self._seen[due.name] += 1
        except (CantBeDoneError, OSError) as error:
            note = SKIPPED + str(error)
        except asyncio.CancelledError:
            self._note(at, due.kind, target, "interrupted")
            raise
        self._note(at, due.kind, target, note)

    async def _carry_out(self, due: Due) -> tuple[str, str]:
        """What it befell, and what came of it."""
        stack = self.stack.now()
        if stack is None:
            raise CantBeDoneError("`gameserver up` has ended")
        if due.kind == "move":
            return due.target, await deeds.move(stack, due)
        server = deeds.server_of(stack, due)
        return server.name, await self._alone(stack, server, due)

    async def _alone(self, stack: RunningStack, server: StackServer, due: Due) -> str:
        if server.name in self._busy:
            raise CantBeDoneError(f"{server.name} is under another fault")
        self._busy.add(server.name)
        try:
            return await deeds.DEEDS[due.kind](stack, server, due)
        finally:
            self._busy.discard(server.name)

    def _note(self, at: float, kind: str, target: str, note: str) -> None:
        self.events.append(RunEvent(round(at, 3), round(self._since(), 3), kind, target, note))
        self.events.sort(key=lambda event: event.at)

    def _since(self) -> float:
        return asyncio.get_running_loop().time() - self._begins
