"""Adds up the documents of several generators of one run: processes of one machine, or several machines."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bots.count.document import (
    HELD,
    NOT_CHECKED,
    VIOLATED,
    BadDocumentError,
    GeneratorSecond,
    InvariantVerdict,
    RunDocument,
    RunSecond,
    Sighting,
)
from bots.count.operations import RunCounts

STORY_LINES = 100
STRONGEST_FIRST = (VIOLATED, HELD, NOT_CHECKED)
"""A violation is true of the whole; what one part had nothing to compare of, another one may have compared."""


def merge(documents: Sequence[RunDocument]) -> RunDocument:
    """Return the document of the whole run; raises BadDocumentError if these aren't parts of one.

    Time runs from the earliest start, so the clocks of the machines must agree to well under a second.
    """
    _require_one_run(documents)
    first = min(documents, key=lambda document: document.setup.started)
    shifts = [_seconds_between(first, document) for document in documents]
    setup = replace(
        first.setup,
        urls=tuple(dict.fromkeys(url for document in documents for url in document.setup.urls)),
        seconds=max(shift + document.setup.seconds for shift, document in zip(shifts, documents, strict=True)),
        warm_up_seconds=max(shift + part.setup.warm_up_seconds for shift, part in zip(shifts, documents, strict=True)),
        machine={**first.setup.machine, "generators": _generators(documents)},
    )
    pairs = [*zip(shifts, documents, strict=True)]
    return RunDocument(
        setup=setup,
        seconds=_seconds(pairs),
        generator=_generator(pairs),
        events=[
            replace(event, at=event.at + shift, until=event.until + shift)
            for shift, document in pairs
            for event in document.events
        ],
        proof=_proof(documents),
        sometimes=_sometimes(documents),
        void="; ".join(dict.fromkeys(document.void for document in documents if document.void)) or None,
    )


def _require_one_run(documents: Sequence[RunDocument]) -> None:
    if not documents:
        raise BadDocumentError("there is nothing to merge")
    parts = [(document.setup.started, document.setup.seed, *document.setup.arguments) for document in documents]
    if len({*parts}) < len(parts):
        raise BadDocumentError("the same document was given twice")
    starts = sorted(datetime.fromisoformat(document.setup.started) for document in documents)
    if (starts[-1] - starts[0]).total_seconds() > max(document.setup.seconds for document in documents):
        raise BadDocumentError("these documents are of different runs: one had ended before another began")


def _seconds_between(first: RunDocument, other: RunDocument) -> int:
    begins, started = (datetime.fromisoformat(document.setup.started) for document in (first, other))
    return round((started - begins).total_seconds())


def _generators(documents: Sequence[RunDocument]) -> int:
    return sum(int(document.setup.machine.get("generators", 1)) for document in documents)


def _seconds(pairs: Sequence[tuple[int, RunDocument]]) -> list[RunSecond]:
    by_second: dict[int, RunCounts] = {}
    for shift, document in pairs:
        for second in document.seconds:
            by_second.setdefault(second.at + shift, RunCounts()).add(second.counts)
    return [RunSecond(at, by_second[at]) for at in sorted(by_second)]


def _generator(pairs: Sequence[tuple[int, RunDocument]]) -> list[GeneratorSecond]:
    """Number the generators through."""
    series, before = [], 0
    for shift, document in pairs:
        series += [replace(row, at=row.at + shift, process=row.process + before) for row in document.generator]
        before += int(document.setup.machine.get("generators", 1))
    return sorted(series, key=lambda row: (row.at, row.process))


def _proof(documents: Sequence[RunDocument]) -> list[InvariantVerdict]:
    """Of each invariant the strongest verdict, over everything that was checked."""
    verdicts: dict[str, InvariantVerdict] = {}
    for verdict in (verdict for document in documents for verdict in document.proof):
        other = verdicts.get(verdict.invariant)
        if other is None:
            verdicts[verdict.invariant] = verdict
            continue
        strongest = min(verdict.verdict, other.verdict, key=STRONGEST_FIRST.index)
        stories = sorted((other.story, verdict.story), key=_length_of_first)
        story = (*stories[0], *stories[1])[:STORY_LINES]
        verdicts[verdict.invariant] = InvariantVerdict(
            verdict.invariant, strongest, other.checked + verdict.checked, story
        )
    return [*verdicts.values()]


def _length_of_first(story: Sequence[str]) -> float:
    """Return how many lines the first fault has, by which the smallest is told first; none is the longest."""
    lines = next((number for number, line in enumerate(story) if number and not line.startswith(" ")), len(story))
    return lines or math.inf


def _sometimes(documents: Sequence[RunDocument]) -> list[Sighting]:
    sightings: dict[str, Sighting] = {}
    for sighting in (sighting for document in documents for sighting in document.sometimes):
        other = sightings.get(sighting.name, Sighting(sighting.name, 0, expected=False))
        sightings[sighting.name] = Sighting(
            sighting.name,
            sighting.seen + other.seen,
            expected=sighting.expected or other.expected,
            planned=sighting.planned or other.planned,
        )
    return [*sightings.values()]
