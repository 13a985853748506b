"""What was found to disagree between a restored database and the others."""

from dataclasses import dataclass, field

LISTED = 1000
"""The most findings of a kind that are listed; all are counted."""


@dataclass(slots=True)
class Findings:
    """Findings of one kind: how many, and the first of them. `remedy` says what was done, or what is left to do."""

    kind: str
    what: str
    remedy: str
    count: int = 0
    listed: list[dict[str, object]] = field(default_factory=list)

    def add(self, **finding: object) -> None:
        """Notes one; ids as text, since they exceed what JSON numbers hold."""
        self.count += 1
        if len(self.listed) < LISTED:
            self.listed.append(finding)
