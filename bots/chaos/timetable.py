"""What a plan means for one run of one stack: each fault with its moment and its target, drawn from a seed.

Law: the same plan, seed, play and names of servers give the same timetable.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from bots.chaos.errors import BadPlanError
from bots.chaos.plan import SERVER_KINDS, ChaosPlan, PlannedFault
from bots.chaos.stack import RunningStack

MOST_FAULTS = 1000


@dataclass(frozen=True, slots=True)
class Due:
    """A fault at its moment, in seconds after the play's begin; `target` is a server's name.

    Of a database that fails over it is the database's, whose primary is found when the moment comes. It is empty where
    the stack has nothing of the kind `wanted`. `draw` decides what else is left to chance. `name` is what the plan's
    entry is called.
    """

    at: float
    kind: str
    wanted: str
    target: str
    seconds: float
    slots: int
    draw: int
    name: str


def timetable(plan: ChaosPlan, seed: int, play_seconds: float, stack: RunningStack) -> list[Due]:
    """All faults of a play, by time. Raises BadPlanError for a time after the play's end, or an unknown target."""
    due = []
    for number, fault in enumerate(plan.faults, 1):
        random = Random(f"{seed}:{number}")
        for at in _times(fault, number, play_seconds, random):
            due.append(_drawn(fault, number, at, stack, random))
            if len(due) > MOST_FAULTS:
                raise BadPlanError(f"The plan has more than {MOST_FAULTS} faults in {play_seconds:g} s.")
    return sorted(due, key=lambda each: each.at)


def _times(fault: PlannedFault, number: int, play_seconds: float, random: Random) -> Iterator[float]:
    for at in fault.times:
        if at >= play_seconds:
            raise BadPlanError(f"Fault {number} is due after {at:g} s, and the play ends after {play_seconds:g} s.")
        yield at
    if fault.every is None:
        return
    ends = min(math.inf if fault.ends is None else fault.ends, play_seconds)
    if fault.begins >= ends:
        raise BadPlanError(f"Fault {number} is due from {fault.begins:g} s on, and that ends after {ends:g} s.")
    at = fault.begins + random.expovariate(1 / fault.every)
    while at < ends:
        yield at
        at += random.expovariate(1 / fault.every)


def _drawn(fault: PlannedFault, number: int, at: float, stack: RunningStack, random: Random) -> Due:
    wanted = random.choice(fault.targets)
    candidates = _candidates(fault.kind, wanted, number, stack)
    target = random.choice(candidates) if candidates else ""
    seconds = random.uniform(*fault.seconds)
    draw = random.getrandbits(32)
    return Due(round(at, 3), fault.kind, wanted, target, round(seconds, 3), fault.slots, draw, fault.name)


def _candidates(kind: str, wanted: str, number: int, stack: RunningStack) -> Sequence[str]:
    """What `wanted` may mean, in the order of names; empty where the stack has none of that kind."""
    if kind == "move":
        if wanted not in stack.groups:
            raise BadPlanError(f"Fault {number}: {wanted!r} isn't a group of slots, only {', '.join(stack.groups)}.")
        return [wanted]
    names = sorted(server.name for server in stack.servers if server.kind == wanted)
    failing_over = sorted({server.database for server in stack.servers if server.kind == "member" and server.database})
    if wanted == "database":
        return names + failing_over
    if wanted in SERVER_KINDS:
        return names
    if stack.server(wanted) is None and wanted not in failing_over:
        known = ", ".join(sorted({server.name for server in stack.servers}))
        raise BadPlanError(
            f"Fault {number}: {wanted!r} is neither a kind of server ({', '.join(SERVER_KINDS)}) nor one of {known}."
        )
    return [wanted]
