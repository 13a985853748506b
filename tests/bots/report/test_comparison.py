"""Comparisons of repeats: what differs is found, and noise isn't taken for a difference."""

from dataclasses import replace
from pathlib import Path
from random import Random

import orjson
import pytest

from bots.count.document import VIOLATED, BadDocumentError, InvariantVerdict, RunDocument
from bots.report import documents
from bots.report.bootstrap import ratio_of_medians
from bots.report.comparison import RunComparison, compare
from tests.bots.report.sample import document

REPEATS = 5


def repeats(first_seed: int, slower: float = 1.0) -> list[RunDocument]:
    """Runs that take turns with those that begin with the next seed."""
    return [document(5, seed=first_seed + 2 * number, slower=slower) for number in range(REPEATS)]


def verdicts(comparison: RunComparison) -> dict[str, str]:
    return {figure.name: figure.verdict for figure in comparison.figures}


def test_repeats_of_the_same_thing_do_not_differ() -> None:
    found = compare(repeats(0), repeats(1))
    judged = [name for name, verdict in verdicts(found).items() if verdict != "same"]
    assert len(judged) <= 1, f"of {len(found.figures)} figures these differ: {judged}"
    assert found.remarks == []


def test_a_slower_second_side_is_worse_and_the_ratio_says_by_how_much() -> None:
    found = compare(repeats(0), repeats(1, slower=3.0))
    assert verdicts(found)["all p50 service"] == "worse"
    assert verdicts(found)["answers"] == "same"
    ratio = next(figure.ratio for figure in found.figures if figure.name == "all p50 service")
    assert ratio is not None
    assert ratio.low < 3.0 < ratio.high
    assert verdicts(compare(repeats(0, slower=3.0), repeats(1)))["all p50 service"] == "better"


def with_errors(runs: list[RunDocument], share: float) -> list[RunDocument]:
    """The same runs with so many errors to an answer, and no others."""
    for run in runs:
        for second in run.seconds:
            for counts in second.counts.operations.values():
                counts.errors.clear()
                counts.errors["timeout"] = round(share * counts.ok)
    return runs


@pytest.mark.parametrize(
    ("before", "after", "verdict"), [(0.0, 0.5, "worse"), (0.5, 0.0, "better"), (0.5, 0.5, "same"), (0.0, 0.0, "same")]
)
def test_shares_are_compared_by_their_difference_since_most_are_0(before: float, after: float, verdict: str) -> None:
    found = compare(with_errors(repeats(0), before), with_errors(repeats(1), after))
    assert verdicts(found)["errors"] == verdict


@pytest.mark.parametrize(("broken", "verdict"), [((0, 1), "worse"), ((1, 0), "better"), ((1, 1), "same")])
def test_one_more_violation_is_worse(broken: tuple[int, int], verdict: str) -> None:
    sides = [repeats(0), repeats(1)]
    for side, count in zip(sides, broken, strict=True):
        side[0].proof.extend([InvariantVerdict("nothing is lost", VIOLATED, 1, ("it was",))] * count)
    before, after = sides
    assert verdicts(compare(before, after))["violated invariants"] == verdict


def test_runs_that_did_not_take_turns_are_named() -> None:
    found = compare([document(5, seed=seed) for seed in range(5)], [document(5, seed=seed) for seed in range(10, 15)])
    assert any("didn't take turns" in remark for remark in found.remarks)


def test_other_plans_are_named() -> None:
    other = [replace(run, setup=replace(run.setup, plan={"players": 1})) for run in repeats(1)]
    assert any("the plan differs" in remark for remark in compare(repeats(0), other).remarks)


def test_fewer_than_five_repeats_and_void_runs_are_refused() -> None:
    with pytest.raises(BadDocumentError, match="first side has 4 runs"):
        compare(repeats(0)[:4], repeats(1))
    with pytest.raises(BadDocumentError, match="void: too busy"):
        compare(repeats(0), [*repeats(1)[:4], replace(document(5), void="too busy")])


def test_an_interval_holds_the_true_ratio_about_as_often_as_it_says() -> None:
    random, held, of = Random(3), 0, 60
    for _ in range(of):
        before = [random.lognormvariate(0, 0.1) for _ in range(9)]
        after = [2 * random.lognormvariate(0, 0.1) for _ in range(9)]
        ratio = ratio_of_medians(before, after, 0.95)
        assert ratio is not None
        held += ratio.low <= 2 <= ratio.high
    assert held > 0.88 * of


def test_documents_come_as_files_that_take_turns_or_as_two_folders(tmp_path: Path) -> None:
    files = []
    for number in range(4):
        files.append(tmp_path / "ab"[number % 2] / f"{number}.json")
        files[-1].parent.mkdir(exist_ok=True)
        files[-1].write_bytes(orjson.dumps(document(2, seed=number).as_json()))
    turns, folders = documents.sides(files), documents.sides([tmp_path / "a", tmp_path / "b"])
    started = [[run.setup.started[14:16] for run in side] for side in turns]
    assert started == [["00", "02"], ["01", "03"]]
    assert [[run.setup.started[14:16] for run in side] for side in folders] == started
    with pytest.raises(BadDocumentError, match="one too many"):
        documents.sides(files[:3])
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(BadDocumentError, match=r"bad\.json"):
        documents.read(tmp_path / "bad.json")
