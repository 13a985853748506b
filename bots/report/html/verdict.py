"""What a run shows in one word, and the sentence behind it."""

from collections import Counter
from typing import NamedTuple

from bots.count.document import HELD, NOT_CHECKED, VIOLATED, RunDocument


class RunVerdict(NamedTuple):
    """`tone` is good, warn or bad."""

    word: str
    tone: str
    sentence: str


def verdict(document: RunDocument) -> RunVerdict:
    """A violation counts before everything else: it is true of a void run, too."""
    counts = Counter(row.verdict for row in document.proof)
    if counts[VIOLATED]:
        names = ", ".join(row.invariant for row in document.proof if row.verdict == VIOLATED)
        return RunVerdict("VIOLATED", "bad", f"The server broke what it promises: {names}.")
    if why := document.why_not_proved():
        return RunVerdict("NOT PROVED", "warn", f"This run isn't proved: {why}.")
    if document.void:
        return RunVerdict("VOID", "warn", f"The figures count for nothing: {document.void}.")
    unchecked = [row.invariant for row in document.proof if row.verdict == NOT_CHECKED]
    held = f"{counts[HELD]} invariants held" + (f", nothing told of {len(unchecked)} others" if unchecked else "")
    unseen = [sighting.name for sighting in document.sometimes if sighting.planned and not sighting.seen]
    if unseen:
        return RunVerdict("PROVED, BUT", "warn", f"{held}; planned, and never carried out: {', '.join(unseen)}.")
    return RunVerdict("PROVED", "good", f"{held}.")
