"""What the probes of a run found."""

from collections import Counter
from dataclasses import dataclass, field

from bots.proof.invariants import Evidence


@dataclass(slots=True)
class ProbeFindings(Evidence):
    """How often each invariant was tried, and the faults; `gone` players were banned or deleted by probes.

    `happened` are things that a run should see now and then, by name.
    """

    happened: Counter[str] = field(default_factory=Counter)
    gone: int = 0
