"""What a mutant is: places in the server's source, what is put there instead, and what has to happen meanwhile."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.repository import ROOT

COPIED = ("gameserver", "migrations")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")


class StalePatchError(Exception):
    """A patch doesn't apply to today's source: the text isn't there, or not exactly once."""


@dataclass(frozen=True)
class Patch:
    """In `file`, the one place with the text `search` becomes `replace`."""

    file: str
    search: str
    replace: str

    def applied_to(self, text: str) -> str:
        """Raises StalePatchError."""
        if (count := text.count(self.search)) != 1:
            raise StalePatchError(f"{self.file} has {count} times instead of once:\n{self.search}")
        return text.replace(self.search, self.replace)


@dataclass(frozen=True)
class Mutant:
    """A planted fault; `meanwhile` are the events of `tests.mutants.events` that it takes to show itself.

    `invariants` are those of which at least one must be violated; none for a server that is as it should be.
    """

    name: str
    what: str
    patches: Sequence[Patch]
    invariants: Sequence[str]
    meanwhile: Sequence[str] = ()
    replicated: bool = False
    seconds: int = 15
    """How long the swarm plays."""
    plays_on: bool = False
    """Whether it plays until what happens meanwhile is over, however slow the machine is; `seconds` are its bound."""
    mix: str = "player=1"
    """Its habits and their shares. Who sends no letters leaves none to wait for, so the verdict comes sooner."""


def plant(mutant: Mutant, folder: Path) -> None:
    """Copies the server's source into a folder, with the mutant in it. Raises StalePatchError."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=LEFT_OUT)
    for patch in mutant.patches:
        path = folder / patch.file
        path.write_text(patch.applied_to(path.read_text("utf-8")), "utf-8")
