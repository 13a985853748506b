"""The report of the ladder: its picture, what each rung gains and costs, and every rung's run over time."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bots.count.document import HELD, VIOLATED, RunDocument
from bots.ladder.measures import KillFigures, RungFigures
from bots.ladder.picture import STYLE, kill_of, picture
from bots.report.html import charts, sections
from bots.report.html import page as pages
from bots.report.html.charts import Chart, shown
from bots.report.html.markup import Markup, element, table, text

TITLE = "The ladder"
INTRODUCTION = (
    "A game grows from one server to many. On every step the same bots play the same plan, a node and then a database "
    "are killed with SIGKILL, and in the end everything that was acknowledged is compared with what the servers have. "
    "A server that dies is started again at once on the same machine; the loss of a whole machine is survived only by "
    "the last step."
)
SHOWN = ("rate", "latency")


def page(figures: Sequence[RungFigures], foot: str) -> str:
    """The whole report as HTML."""
    body: list[Markup | Sequence[Markup] | None] = [
        element("h1", TITLE),
        element("p", INTRODUCTION),
        element("div", picture(figures, foot), class_="scroll"),
        element("h2", "What each step gains and costs"),
        table(["step", "gains", "costs"], [_told(each) for each in figures], words=3),
        element("h2", "Measured"),
        table(HEADS, [_measured(each) for each in figures]),
        element("p", NOTES, class_="note"),
    ]
    drawings: list[Mapping[str, Any]] = []
    for each in figures:
        if each.document is not None:
            body.append(_run(each, each.document, drawings))
    return pages.whole(TITLE, body, drawings, (STYLE,))


HEADS = (
    "step", "answers per second", "p50 ms", "p99 ms", "wait, node killed", "errors", "wait, database killed", "errors",
    "nothing lost", "one ranking", "unique names", "reads by version", "age of a replica",
)  # fmt: skip
NOTES = (
    "Figures are of the seconds beside the kills; latencies are service times. A wait is the longest from the planned "
    "moment of an operation to its answer. “Nothing lost”: acknowledged commands are kept, took effect once, and what "
    "was seen stayed."
)


def _told(each: RungFigures) -> list[str]:
    return [each.rung.title, each.rung.gains, each.rung.costs]


def _measured(each: RungFigures) -> list[Markup | str]:
    if each.skipped:
        return [f"{each.rung.title} (not run: {each.skipped})", *[""] * (len(HEADS) - 1)]
    kills = [cell for kind in ("node", "database") for cell in _killed(kill_of(each, kind))]
    verdicts = [_badge(verdict) for verdict in (each.lost, each.ranking, each.names, each.fresh)]
    age = "no replica" if each.stale_seconds is None else f"at most {each.stale_seconds:.2f} s"
    return [each.rung.title, shown(each.per_second), shown(each.p50), shown(each.p99), *kills, *verdicts, age]


def _killed(kill: KillFigures | None) -> list[str]:
    if kill is None or not kill.longest_wait:
        return ["–", kill.note if kill else "–"]
    return [f"{kill.longest_wait:.1f} s", f"{kill.errors:,}"]


def _badge(verdict: str) -> Markup | str:
    tone = {HELD: "good", VIOLATED: "bad"}.get(verdict, "warn")
    return element("span", verdict, class_=f"verdict {tone}") if verdict else "–"


def _run(each: RungFigures, document: RunDocument, drawings: list[Mapping[str, Any]]) -> Markup:
    """One rung's run over time; its charts go to `drawings`."""
    own = [_of(chart, each.rung.key) for chart in charts.over_time(document) if chart.heading.key in SHOWN]
    drawings += pages.figures_of(document, own, each.rung.key)
    return text(
        element("h2", each.rung.title),
        element("div", [pages.drawn(chart) for chart in own], class_="pair"),
        sections.fault_table(document),
    )


def _of(chart: Chart, rung: str) -> Chart:
    return replace(chart, heading=chart.heading._replace(key=f"{rung}-{chart.heading.key}"))
