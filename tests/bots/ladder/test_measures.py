"""What a rung's run is boiled down to, and how it is shown."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from bots.count.document import HELD, VIOLATED, InvariantVerdict, RunDocument
from bots.ladder.measures import RungFigures, as_json, measured
from bots.ladder.page import page
from bots.ladder.picture import picture
from bots.ladder.rungs import RUNGS
from bots.ladder.standing import RungError, require
from bots.proof import invariants
from tests.bots.report.sample import OPERATIONS, document
from tests.support.repository import CONFIG, DOCS

LOST = InvariantVerdict(invariants.KEPT, VIOLATED, 3, ("one is gone",))


def run(*proof: InvariantVerdict) -> RunDocument:
    kept = [InvariantVerdict(name, HELD, 5) for name in (invariants.KEPT, invariants.ONCE, invariants.NAMES)]
    return replace(document(30), proof=[*kept, *proof])


def figures(*proof: InvariantVerdict) -> RungFigures:
    return measured(RUNGS[0], run(*proof), None)


def test_seconds_beside_a_fault_do_not_count_into_the_rate() -> None:
    found = figures()
    assert found.per_second == sum(OPERATIONS.values())
    everything = run().totals().all()
    assert found.p99 < everything.planned.at(99) * 1000


def test_a_kill_shows_the_longest_wait_of_its_seconds_and_its_errors() -> None:
    (kill,) = figures().kills
    assert kill.target == "node-1"
    assert kill.longest_wait == pytest.approx(max(s.counts.all().planned.longest() for s in run().seconds), rel=0.01)
    assert kill.errors == sum(second.counts.all().errors.total() for second in run().seconds)


def test_a_wait_is_put_down_to_the_fault_that_began_it() -> None:
    twice = run()
    twice.events = [
        replace(twice.events[0], at=10.0, until=18.0),
        replace(twice.events[0], at=14.0, until=14.5, target="one"),
    ]
    twice.seconds[16].counts.of("hunt").planned.record(6.8)
    twice.seconds[17].counts.of("hunt").planned.record(3.9)
    node, database = measured(RUNGS[0], twice, None).kills
    assert node.longest_wait == pytest.approx(6.8, rel=0.02), "answered at 17, due at 10.2"
    assert database.longest_wait == pytest.approx(3.9, rel=0.02), "answered at 18, due at 14.1"


def test_a_second_without_any_answer_is_quiet() -> None:
    silent = run()
    silent.seconds = [second for second in silent.seconds if second.at not in (11, 12)]
    assert measured(RUNGS[0], silent, None).kills[0].quiet_seconds == 2


def test_one_violation_is_a_loss_and_what_was_not_judged_is_no_verdict() -> None:
    assert figures().lost == HELD
    assert figures(LOST).lost == VIOLATED
    assert figures().names == HELD
    assert figures().ranking == ""


def test_the_picture_is_whole_xml_and_says_what_was_not_run() -> None:
    skipped = RungFigures(RUNGS[7], skipped="it needs the package <haproxy>")
    drawn = ET.fromstring(picture([figures(), figures(LOST), skipped], "two cores"))
    words = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"one server", "✓", "✗", "two cores", "not run: it needs the package <haproxy>"} <= set(words)


def test_the_page_has_every_rung_with_its_own_charts() -> None:
    rungs = [replace(figures(), rung=rung) for rung in RUNGS[:3]]
    html = page(rungs, "two cores")
    for rung in RUNGS[:3]:
        assert f'id="chart-{rung.key}-rate"' in html
        assert html.count(rung.gains) == 1
    assert [rung["rung"]["key"] for rung in as_json(rungs, {})["rungs"]] == [rung.key for rung in RUNGS[:3]]


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.key)
def test_a_rung_has_its_settings_in_the_repository(rung: object) -> None:
    assert isinstance(rung, type(RUNGS[0]))
    assert require(replace(rung, needs={}), CONFIG).is_file()
    with pytest.raises(RungError, match="needs the package nothing"):
        require(replace(rung, needs={"no-such-program": "nothing"}), CONFIG)


def test_the_picture_of_the_readme_has_every_step_and_both_schemes() -> None:
    shown = (DOCS / "ladder.svg").read_text("utf-8")
    assert re.findall(r'class="step"[^>]*>([^<]+)<', shown) == [rung.title for rung in RUNGS]
    assert "prefers-color-scheme: dark" in shown
