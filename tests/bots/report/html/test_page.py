"""The report of a run: one file that needs nothing else, and in which nothing that the server said can run."""

import hashlib
import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from importlib.resources import files

import orjson

from bots.count.document import CARRIED_OUT, HELD, NOT_CHECKED, VIOLATED, InvariantVerdict, Sighting
from bots.report.html import bins
from bots.report.html.page import page
from bots.report.html.verdict import verdict
from tests.bots.report.sample import document

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
MOST_BYTES = 2_000_000


class Tags(HTMLParser):
    """Every element of a page with its attributes, and the text of its scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._in_script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts.append(data)


def figures(html: str) -> dict[str, dict[str, object]]:
    """The figures of the charts, by key."""
    found = orjson.loads(Tags(html).scripts[0])
    return {chart["key"]: chart for chart in found["charts"]}


def test_a_page_asks_for_nothing_outside_itself_and_may_not() -> None:
    tags = Tags(page(document()))
    assert not [tag for tag, attributes in tags.found if {"src", "href", "srcset", "action"} & attributes.keys()]
    policy = next(
        a["content"] for t, a in tags.found if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_what_the_server_said_is_text_in_a_page() -> None:
    honest = document()
    events = [replace(event, target=EVIL, note=EVIL) for event in honest.events]
    proof = [InvariantVerdict(EVIL, VIOLATED, 1, (EVIL, EVIL))]
    evil = replace(honest, events=events, proof=proof, void=EVIL, sometimes=[Sighting(EVIL, 1, expected=True)])
    for second in evil.seconds:
        second.counts.of(EVIL).errors[EVIL] += 1
        second.counts.nodes[EVIL] += 1
    tags = Tags(page(evil))
    assert [tag for tag, _ in tags.found].count("script") == 3
    assert "img" not in {tag for tag, _ in tags.found}


def test_a_chart_has_every_second_and_a_table_below_it() -> None:
    run = document(30)
    html = page(run)
    rate = figures(html)["rate"]
    assert rate["x"] == list(range(30))
    answered = {line["label"]: line["values"] for line in rate["lines"]}["answered"]  # type: ignore[attr-defined]
    assert sum(answered) == sum(second.counts.all().ok for second in run.seconds)
    charts = [attributes["id"] for tag, attributes in Tags(html).found if attributes.get("class") == "chart"]
    assert set(charts) == {f"chart-{key}" for key in figures(html)}
    assert html.count("<summary>As a table</summary>") == len(charts)


def test_planned_and_service_latencies_stand_side_by_side() -> None:
    html = page(document())
    labels = {line["label"] for line in figures(html)["latency"]["lines"]}  # type: ignore[attr-defined]
    assert {"p99 planned", "p99 service"} <= labels
    assert html.count("planned</th>") >= 4
    assert "something held operations up" in html


def test_every_fault_is_on_the_charts_over_time_and_says_what_came_of_it() -> None:
    html = page(document())
    events = figures(html)["rate"]["events"]
    assert [event["skipped"] for event in events] == [False, True]  # type: ignore[attr-defined]
    assert figures(html)["distribution"]["events"] == []
    assert "back after 2.4 s" in html


def test_a_run_of_ten_minutes_makes_a_page_of_less_than_2_mb() -> None:
    run = document(600)
    assert len(page(run).encode()) < MOST_BYTES


def test_a_long_run_has_no_more_points_than_a_screen() -> None:
    assert bins.width_of(24 * 3600, bins.POINTS) == 100
    assert bins.width_of(bins.POINTS, bins.POINTS) == 1
    over = bins.binned(document(45), 10)
    assert [each.at for each in over] == [0, 5, 10, 15, 20, 25, 30, 35, 40]
    assert sum(each.total.ok for each in over) == sum(second.counts.all().ok for second in document(45).seconds)


def test_a_run_without_a_single_answer_makes_a_page() -> None:
    empty = replace(document(5), seconds=[], generator=[], events=[], proof=[], sometimes=[])
    assert "NOT PROVED" in page(empty)


def test_a_violation_counts_before_a_void_run_and_a_void_run_before_a_proof() -> None:
    run = document()
    assert verdict(run).word == "PROVED"
    assert verdict(replace(run, sometimes=[Sighting("a resume", 0, expected=True)])).word == "NOT PROVED"
    planned = Sighting("a cut of one", 0, expected=False, planned=True)
    assert verdict(replace(run, sometimes=[planned])).word == "PROVED, BUT"
    failed = InvariantVerdict(CARRIED_OUT, NOT_CHECKED, 0, ("a habit failed",))
    assert verdict(replace(run, proof=[*run.proof, failed])) == (
        "NOT PROVED",
        "warn",
        "This run isn't proved: a habit failed.",
    )
    assert verdict(replace(run, proof=[*run.proof, InvariantVerdict("x", NOT_CHECKED, 0)])).word == "PROVED"
    assert verdict(replace(run, proof=[InvariantVerdict("x", NOT_CHECKED, 0)])).word == "NOT PROVED"
    void = replace(run, void="the generator was late")
    assert verdict(void).word == "VOID"
    assert verdict(replace(void, proof=[InvariantVerdict("x", VIOLATED, 1)])).word == "VIOLATED"
    assert verdict(replace(run, proof=[InvariantVerdict("x", HELD, 1)])).word == "PROVED"


def test_uplot_is_the_file_that_its_hash_says() -> None:
    folder = files("bots.report.html") / "uplot"
    sums = {line.split()[1]: line.split()[0] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    assert sums.keys() == {"uPlot.iife.min.js", "uPlot.min.css"}
    for name, expected in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == expected
    assert "MIT" in (folder / "LICENSE").read_text()
    assert re.search(r"uPlot \d+\.\d+\.\d+", (folder / "README.md").read_text())


def test_a_violations_story_has_the_whole_width_below_its_invariant() -> None:
    told = ("player 7: c1 was acknowledged as version 3 and isn't in the ledger", "and 2 more")
    proof = [InvariantVerdict("kept", VIOLATED, 1, told), InvariantVerdict("once", HELD, 1)]
    whole = page(replace(document(), proof=proof))
    assert f'<tr class="story"><td colspan="3"><pre>{escape(told[0])}\n{told[1]}</pre></td></tr>' in whole
    assert whole.count('class="story"') == 1
