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
    if document.void:
        return RunVerdict("VOID", "warn", f"The figures count for nothing: {document.void}.")
    if not counts:
        return RunVerdict("NOT PROVED", "warn", "This run proved nothing: it has no invariants.")
    if counts[NOT_CHECKED]:
        return RunVerdict(
            "PROVED IN PART", "warn",
            f"{counts[HELD]} invariants held; {counts[NOT_CHECKED]} could not be checked.",
        )  # fmt: skip
    unseen = [sighting.name for sighting in document.sometimes if sighting.expected and not sighting.seen]
    if unseen:
        return RunVerdict(
            "PROVED, BUT", "warn", f"All {counts[HELD]} invariants held, but it never saw: {', '.join(unseen)}."
        )
    return RunVerdict("PROVED", "good", f"All {counts[HELD]} invariants held.")
