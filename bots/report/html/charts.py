"""What the charts of a report show: the lines of each, and the same figures as a table."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bots.count.document import GeneratorSecond, RunDocument
from bots.count.latencies import Latencies
from bots.report.html import bins
from bots.report.html.bins import Bin

MOST_LINES = 8
"""Of a chart; what is less frequent is summed up."""
DIGITS = 4
"""Significant digits of a value in a chart."""
PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99)
NINES = 0.05
"""Between two points of a distribution, in powers of ten of what is left above."""
LATE = "How late the generator itself was: what it adds to a latency that counts from the planned moment."
BUSY = "At one core a process can send no more."


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart; `style` is line, dash or area, `color` the number of its colour."""

    label: str
    values: Sequence[float | None]
    color: int
    style: str = "line"


class Heading(NamedTuple):
    """What stands above a chart; `key` names it in the page."""

    key: str
    title: str
    unit: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart and its table; `x` is seconds of the run, or nines of a distribution where `nines`."""

    heading: Heading
    x: Sequence[float]
    lines: Sequence[Line]
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    log: bool = False
    nines: bool = False

    def as_json(self) -> Mapping[str, Any]:
        """What the page's script needs."""
        lines = [
            {"label": line.label, "color": line.color, "style": line.style, "values": [*map(_short, line.values)]}
            for line in self.lines
        ]
        heading = self.heading
        return {
            "key": heading.key,
            "unit": heading.unit,
            "log": self.log,
            "nines": self.nines,
            "x": self.x,
            "lines": lines,
        }


Build = Callable[[Sequence[Bin]], Sequence[Line]]
Rows = Sequence[tuple[int, Sequence[GeneratorSecond]]]


def over_time(document: RunDocument) -> list[Chart]:
    """The charts whose x is the run's time; those that have nothing to show are left out."""
    fine, coarse = bins.binned(document, bins.POINTS), bins.binned(document, bins.ROWS)
    totals = document.totals()
    errors = sum((counts.errors for counts in totals.operations.values()), Counter[str]())
    by_rate = Counter({name: counts.planned.count for name, counts in totals.operations.items()})
    builds: Sequence[tuple[Heading, Build]] = (
        (Heading("rate", "Answers", "per second"), _rates),
        (Heading("latency", "Latency", "ms"), _latencies),
        (Heading("errors", "Errors by code", "per second"), lambda over: _errors(over, errors)),
        (Heading("operations", "Answers by operation", "per second"), lambda over: _operations(over, by_rate)),
        (Heading("tails", "p99 by operation, planned", "ms"), lambda over: _tails(over, by_rate)),
        (Heading("nodes", "Answers by node", "per second"), lambda over: _shares(over, totals.nodes, "nodes")),
        (Heading("databases", "Answers by database", "per second"),
         lambda over: _shares(over, totals.databases, "databases")),
    )  # fmt: skip
    charts = [_over_time(heading, fine, coarse, build) for heading, build in builds]
    return [each for each in charts if each.lines and each.x]


def _over_time(heading: Heading, fine: Sequence[Bin], coarse: Sequence[Bin], build: Build) -> Chart:
    columns = build(coarse)
    rows = [[_span(each), *(shown(line.values[at]) for line in columns)] for at, each in enumerate(coarse)]
    heads = ["seconds", *(line.label for line in columns)]
    return Chart(heading, [each.at for each in fine], build(fine), heads, rows, log=heading.unit == "ms")


def distributions(document: RunDocument) -> list[Chart]:
    """Latency by percentile: all operations from both moments, then each operation."""
    totals = document.totals()
    everything = totals.all()
    both = {"planned": everything.planned, "service": everything.service}
    most = Counter({name: counts.planned.count for name, counts in totals.operations.items()}).most_common(MOST_LINES)
    each = {name: totals.operations[name].planned for name, count in most if count}
    charts = [
        _distribution(Heading("distribution", "Latency by percentile", "ms", "All operations."), both),
        _distribution(Heading("distributions", "By operation", "ms", "From the planned moment."), each),
    ]
    return [chart for chart in charts if chart.lines]


def health(document: RunDocument) -> list[Chart]:
    """What the generator says of itself; of several processes the worst."""
    fine, coarse = bins.generators(document, bins.POINTS), bins.generators(document, bins.ROWS)
    if not fine:
        return []

    return [
        _series(Heading("lateness", "The generator's lateness", "ms", LATE), fine, coarse, _lateness),
        _series(Heading("cpu", "The generator's processor time", "cores", BUSY), fine, coarse, _processor_time),
    ]


def _series(heading: Heading, fine: Rows, coarse: Rows, columns: Callable[[Rows], Mapping[str, list[float]]]) -> Chart:
    lines = [Line(label, line, at) for at, (label, line) in enumerate(columns(fine).items())]
    found = columns(coarse)
    rows = [[f"{at:g}", *(shown(column[row]) for column in found.values())] for row, (at, _) in enumerate(coarse)]
    return Chart(heading, [at for at, _ in fine], lines, ["seconds", *found], rows, log=heading.unit == "ms")


def _lateness(rows: Rows) -> dict[str, list[float]]:
    return {
        "begun late, p99": [max(row.lateness_us.p99 for row in found) / 1000 for _, found in rows],
        "begun late, max": [max(row.lateness_us.max for row in found) / 1000 for _, found in rows],
        "event loop late, p99": [max(row.loop_lag_us.p99 for row in found) / 1000 for _, found in rows],
    }


def _processor_time(rows: Rows) -> dict[str, list[float]]:
    return {"the busiest process": [max(row.cpu for row in found) for _, found in rows]}


def _rates(over: Sequence[Bin]) -> list[Line]:
    ok = Line("answered", [each.rate(each.total.planned.count) for each in over], 0, "area")
    others = {
        "of these refused by a rule": [each.rate(each.total.refused.total()) for each in over],
        "attempts with an error": [each.rate(each.total.errors.total()) for each in over],
        "unsent": [each.rate(each.total.unsent) for each in over],
        "begun late": [each.rate(each.total.late) for each in over],
    }
    return [ok, *(Line(name, line, at) for at, (name, line) in enumerate(others.items(), 1) if any(line))]


def _latencies(over: Sequence[Bin]) -> list[Line]:
    def line(histograms: Iterable[Latencies], percentile: float) -> list[float | None]:
        return [_ms(each.at(percentile)) if each.count else None for each in histograms]

    planned, service = [each.total.planned for each in over], [each.total.service for each in over]
    if not any(each.count for each in planned):
        return []
    return [
        Line("p50 planned", line(planned, 50), 0),
        Line("p99 planned", line(planned, 99), 1),
        Line("max planned", line(planned, 100), 2),
        Line("p50 service", line(service, 50), 0, "dash"),
        Line("p99 service", line(service, 99), 1, "dash"),
    ]


def _errors(over: Sequence[Bin], errors: Counter[str]) -> list[Line]:
    def count(each: Bin, code: str) -> int:
        return sum(counts.errors[code] for counts in each.counts.operations.values())

    names = [code for code, _ in errors.most_common(MOST_LINES)]
    return [Line(code, [each.rate(count(each, code)) for each in over], at + 1) for at, code in enumerate(names)]


def _operations(over: Sequence[Bin], by_rate: Counter[str]) -> list[Line]:
    names = [name for name, _ in by_rate.most_common(MOST_LINES)]
    return [
        Line(name, [each.rate(each.counts.of(name).planned.count) for each in over], at)
        for at, name in enumerate(names)
    ]


def _tails(over: Sequence[Bin], by_rate: Counter[str]) -> list[Line]:
    def tail(latencies: Latencies) -> float | None:
        return _ms(latencies.at(99)) if latencies.count else None

    names = [name for name, count in by_rate.most_common(MOST_LINES) if count]
    return [Line(name, [tail(each.counts.of(name).planned) for each in over], at) for at, name in enumerate(names)]


def _shares(over: Sequence[Bin], totals: Counter[str], which: str) -> list[Line]:
    names = sorted(name for name, _ in totals.most_common(MOST_LINES))
    return [
        Line(name, [each.rate(getattr(each.counts, which)[name]) for each in over], at) for at, name in enumerate(names)
    ]


def _distribution(heading: Heading, found: Mapping[str, Latencies]) -> Chart:
    counted = {name: latencies for name, latencies in found.items() if latencies.count}
    most = max((latencies.count for latencies in counted.values()), default=1)
    x = [round(step * NINES, 2) for step in range(int(math.log10(most) / NINES) + 1)] if most > 1 else [0.0]
    lines = [
        Line(name, [_at(latencies, nines) for nines in x], at, "dash" if name == "service" else "line")
        for at, (name, latencies) in enumerate(counted.items())
    ]
    rows = [
        [name, *(shown(_ms(latencies.at(each))) for each in PERCENTILES), shown(_ms(latencies.longest()))]
        for name, latencies in counted.items()
    ]
    heads = ["ms", *(f"p{each:g}" for each in PERCENTILES), "max"]
    return Chart(heading, x, lines, heads, rows, log=True, nines=True)


def _at(latencies: Latencies, nines: float) -> float | None:
    """None above what so few latencies can say."""
    above = 10.0**-nines
    return _ms(latencies.at(100 * (1 - above))) if above * latencies.count >= 1 else None


def _span(each: Bin) -> str:
    return f"{each.at:g}" if each.seconds == 1 else f"{each.at:g} to {each.at + each.seconds:g}"


def _ms(seconds: float) -> float:
    return seconds * 1000


def shown(value: float | None) -> str:
    """A figure for people: three digits that count, thousands apart; a dash where there is none."""
    if value is None:
        return "–"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.01 else f"{value:.2g}"


def _short(value: float | None) -> float | None:
    if value is None or value == 0:
        return value
    return float(f"{value:.{DIGITS}g}")
