"""The whole page of a run.

Law: it is one file that asks the network for nothing, and the browser is told to refuse it that. What the server said
(names, codes, stories) is text in it, never markup or script: only the two scripts of the house run, by their hashes.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from bots.chaos.nemesis import SKIPPED
from bots.count.document import RunDocument
from bots.report.html import charts, sections
from bots.report.html.charts import Chart
from bots.report.html.markup import Markup, element, table, text
from bots.report.html.verdict import verdict

TITLE = "A run of the bots"
NOTHING = "'none'"


def page(document: RunDocument, title: str = TITLE) -> str:
    """The report of a run as HTML."""
    found = verdict(document)
    over_time, spread, health = charts.over_time(document), charts.distributions(document), charts.health(document)
    parts = {chart.heading.key: chart for chart in over_time}
    body = [
        sections.head(document, title, found),
        sections.tiles(document),
        element("h2", "Over time"),
        [drawn(parts[key]) for key in ("rate", "latency", "errors") if key in parts],
        sections.faults(document),
        sections.invariants(document),
        sections.operations(document),
        element("div", [drawn(parts[key]) for key in ("operations", "tails") if key in parts], class_="pair"),
        element("h2", "Distribution") if spread else None,
        element("div", [drawn(chart) for chart in spread], class_="pair"),
        element("h2", "Spread") if {"nodes", "databases"} & parts.keys() else None,
        element("div", [drawn(parts[key]) for key in ("nodes", "databases") if key in parts], class_="pair"),
        element("h2", "The generator") if health else None,
        element("div", [drawn(chart) for chart in health], class_="pair"),
        sections.setup(document),
    ]
    return whole(title, body, figures_of(document, [*over_time, *spread, *health]))


def whole(
    title: str,
    body: Sequence[Markup | Sequence[Markup] | None],
    figures: Sequence[Mapping[str, Any]] = (),
    styles: Sequence[str] = (),
) -> str:
    """A page of the house: `figures` are for the charts' script, `styles` those of pictures within the body."""
    scripts = [_file("uplot/uPlot.iife.min.js"), _file("page.js")] if figures else []
    style = (_file("uplot/uPlot.min.css") if figures else "") + _file("page.css")
    policy = "; ".join((
        "default-src 'none'",
        f"style-src {' '.join(map(_hash, (style, *styles)))}",
        f"script-src {' '.join(map(_hash, scripts)) or NOTHING}",
        "base-uri 'none'",
        "form-action 'none'",
    ))  # fmt: skip
    data = [
        Markup(f'<script type="application/json" id="figures">{_as_script(figures)}</script>'),
        *(Markup(f"<script>{script}</script>") for script in scripts),
    ]
    head = text(
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        element("title", title),
        Markup(f"<style>{style}</style>"),
    )
    foot = element("footer", "Made by heroledger's bots. Charts: uPlot by Leon Sorokin, MIT licence.")
    content = element("body", element("main", *body), foot, data if figures else None)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>{content}</html>\n'


def drawn(chart: Chart) -> Markup:
    """A heading, the place where the script draws, and the table."""
    heading = chart.heading
    unit = element("span", f" · {heading.unit}", class_="unit")
    rows = element("details", element("summary", "As a table"), table(chart.heads, chart.rows))
    note = element("p", heading.note, class_="note") if heading.note else None
    place = element("div", id=f"chart-{heading.key}", class_="chart")
    return element("section", element("h3", heading.title, unit), note, place, rows)


def figures_of(document: RunDocument, shown: Sequence[Chart], group: str = "") -> list[dict[str, Any]]:
    """The figures of a run's charts; those of one `group` show the same moment when a reader points at one."""
    events = [
        {"number": str(number), "at": event.at, "until": event.until, "skipped": event.note.startswith(SKIPPED)}
        for number, event in enumerate(document.events, 1)
    ]
    return [{**chart.as_json(), "group": f"time{group}", "events": [] if chart.nines else events} for chart in shown]


def _as_script(figures: Sequence[Mapping[str, Any]]) -> str:
    """JSON that can't end its element."""
    return orjson.dumps({"charts": figures}).replace(b"<", b"\\u003c").decode()


@cache
def _file(name: str) -> str:
    return (files("bots.report.html") / name).read_text("utf-8")


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
