"""The document of a run comes back as it was written, adds up, and a garbled one is refused in one sentence."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.count.document import (
    CARRIED_OUT,
    HELD,
    NOT_CHECKED,
    VIOLATED,
    BadDocumentError,
    InvariantVerdict,
    RunDocument,
    Sighting,
)
from bots.count.merging import merge
from bots.count.operations import RunCounts
from bots.report import sheets
from bots.report.html.page import page
from tests.bots.count.documents import counted, made_up


def written(document: RunDocument) -> Any:
    return orjson.loads(orjson.dumps(document.as_json()))


def test_a_document_comes_back_as_it_was_written() -> None:
    document = made_up([counted(hunt=[0.001, 0.02], read=[]), RunCounts(), counted(read=[3.0])], warm_up=1.0)
    document.seconds[0].counts.of("hunt").errors["timeout"] += 2
    document.seconds[0].counts.of("hunt").refused["player_is_down"] += 1
    again = RunDocument.from_json(written(document))
    assert again.as_json() == document.as_json()
    assert again.setup == document.setup


def test_fields_of_later_versions_are_ignored() -> None:
    value = written(made_up([counted(hunt=[1.0])]))
    value["setup"]["weather"] = value["generator"][0]["weather"] = value["weather"] = "fine"
    assert RunDocument.from_json(value).totals().operations["hunt"].ok == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": "another"}, "isn't the document of a run"),
        ({"version": 2}, "version 2"),
        ({"seconds": [{"at": 0}]}, "garbled"),
        ({"setup": {}}, "garbled"),
        ({"proof": [{"story": None}]}, "garbled"),
        ({"generator": [3]}, "garbled"),
    ],
)
def test_a_garbled_document_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadDocumentError, match=reason):
        RunDocument.from_json({**written(made_up([counted(hunt=[1.0])])), **change})


@pytest.mark.parametrize("value", [None, [], 3, "text"])
def test_what_is_no_document_is_refused(value: object) -> None:
    with pytest.raises(BadDocumentError):
        RunDocument.from_json(value)


def test_the_warm_up_is_not_in_the_totals() -> None:
    document = made_up([counted(hunt=[9.0]), counted(hunt=[0.1, 0.2])], warm_up=1.0)
    assert document.totals().operations["hunt"].planned.longest() == pytest.approx(0.2, rel=0.01)


SECONDS = st.lists(st.lists(st.floats(0.001, 10), max_size=5), min_size=1, max_size=4)


@given(st.lists(SECONDS, min_size=1, max_size=3))
def test_parts_add_up_to_what_one_generator_would_have_counted(parts: list[list[list[float]]]) -> None:
    together = merge(
        [
            made_up([counted(hunt=latencies) for latencies in seconds], seed=number)
            for number, seconds in enumerate(parts)
        ]
    ).totals()
    alone = counted(hunt=[value for seconds in parts for latencies in seconds for value in latencies])
    assert together.of("hunt").planned.as_text() == alone.of("hunt").planned.as_text()
    assert (together.of("hunt").ok, together.nodes) == (alone.of("hunt").ok, alone.nodes)


def test_parts_that_began_apart_are_aligned_and_numbered() -> None:
    early = made_up([counted(hunt=[0.1]), counted(hunt=[0.1])])
    late = made_up([counted(hunt=[0.5])], started="2026-01-01T00:00:01.100+00:00")
    together = merge([late, early])
    assert [second.counts.of("hunt").ok for second in together.seconds] == [1, 2]
    assert [(row.at, row.process) for row in together.generator] == [(0, 1), (1, 0), (1, 1)]
    assert together.events[0].at == 2.0


def test_the_worst_verdict_of_an_invariant_counts() -> None:
    documents = [made_up([RunCounts()], seed=seed) for seed in range(3)]
    for document, verdict in zip(documents, (HELD, VIOLATED, NOT_CHECKED), strict=True):
        document.proof = [InvariantVerdict("nothing is lost", verdict, 5, (f"a story of {verdict}",))]
    (merged,) = merge(documents).proof
    assert (merged.verdict, merged.checked, len(merged.story)) == (VIOLATED, 15, 3)


def test_what_one_part_compared_is_held_though_another_had_nothing_to_compare() -> None:
    documents = [made_up([RunCounts()], seed=seed) for seed in range(3)]
    for document, verdict in zip(documents, (NOT_CHECKED, HELD, NOT_CHECKED), strict=True):
        document.proof = [InvariantVerdict("names are unique", verdict, 5 * (verdict == HELD))]
    (merged,) = merge(documents).proof
    assert (merged.verdict, merged.checked) == (HELD, 5)


def test_of_the_stories_of_all_parts_the_smallest_comes_first() -> None:
    documents = [made_up([RunCounts()], seed=seed) for seed in range(3)]
    stories = (("long", "  a", "  b", "short"), (), ("middle", "  a"))
    for document, story in zip(documents, stories, strict=True):
        document.proof = [InvariantVerdict("nothing is lost", VIOLATED, 1, story)]
    (merged,) = merge(documents).proof
    assert merged.story == ("middle", "  a", "long", "  a", "  b", "short")


def test_a_run_is_proved_by_one_rule() -> None:
    document = made_up([RunCounts()])
    assert document.why_not_proved() == ""
    unplanned = replace(document, sometimes=[Sighting("a kill of node", 0, expected=False, planned=True)])
    assert unplanned.why_not_proved() == ""
    failed = InvariantVerdict(CARRIED_OUT, NOT_CHECKED, 0, ("the habit mine failed",))
    assert replace(document, proof=[*document.proof, failed]).why_not_proved() == "the habit mine failed"
    assert replace(document, proof=[]).why_not_proved() == "nothing could be compared"


def test_a_rate_is_over_the_seconds_that_were_counted() -> None:
    document = made_up([counted(hunt=[0.1]) for _ in range(4)], warm_up=0.5)
    assert document.totals().all().planned.count / document.measured_seconds() == 1.0


LEAVES = st.sampled_from([None, True, -1, 1e300, float("nan"), "x", [], {}, [1], {"a": 1}])


@given(st.data())
def test_documents_with_any_wrong_field_are_refused_or_read_never_a_crash(data: st.DataObject) -> None:
    value = written(made_up([counted(hunt=[0.01])]))
    place: Any = value
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(LEAVES)
    with suppress(BadDocumentError):
        document = RunDocument.from_json(value)
        whole = merge([document, made_up([RunCounts()], seed=9)])
        assert page(whole)
        assert whole.why_not_proved() is not None
        sheets.write(whole, Path("/dev/null"))


def test_one_void_part_voids_the_whole() -> None:
    documents = [made_up([RunCounts()], seed=seed) for seed in range(2)]
    documents[1].void = "it was slow"
    assert merge(documents).void == "it was slow"


@pytest.mark.parametrize(
    ("documents", "reason"),
    [
        ([], "nothing to merge"),
        ([made_up([RunCounts()]), made_up([RunCounts()])], "given twice"),
        ([made_up([RunCounts()]), made_up([RunCounts()], started="2026-01-01T00:01:00+00:00")], "different runs"),
    ],
)
def test_what_is_not_one_run_is_not_merged(documents: list[RunDocument], reason: str) -> None:
    with pytest.raises(BadDocumentError, match=reason):
        merge(documents)
