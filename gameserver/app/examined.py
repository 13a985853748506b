"""A server that was examined, and what the drivers raise when it can't be asked."""

from dataclasses import dataclass, field
from typing import Any

import asyncpg

from gameserver.storage.operators.condition import Symptom

ASKING = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError)


@dataclass(slots=True)
class Examined:
    """A server: what it says of itself, and what is wrong; `kind` is `database`, `replica` or `redis`."""

    kind: str
    name: str
    facts: dict[str, Any] = field(default_factory=dict)
    symptoms: list[Symptom] = field(default_factory=list)
    away: bool = False
    """Whether it was, or became, silent."""

    def fail(self, problem: str, remedy: str) -> None:
        """It has an error, which is told once."""
        symptom = Symptom("error", problem, remedy)
        if symptom not in self.symptoms:
            self.symptoms.append(symptom)
