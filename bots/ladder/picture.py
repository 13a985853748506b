"""The ladder as one picture: a row for each rung, for a README and at the top of the report. SVG, light and dark."""

from collections.abc import Sequence

from bots.count.document import HELD, VIOLATED
from bots.ladder.measures import KillFigures, RungFigures
from bots.report.html.charts import shown
from bots.report.html.markup import Markup, element

WIDTH, TOP, ROW, FOOT = 960, 64, 40, 34
RATE, RATE_WIDTH = 232, 170
TAIL = 482
NODE, DATABASE, WAIT_WIDTH = 520, 650, 84
TICKS = (800, 862, 924)
TICK_HEADS = ("nothing lost", "one ranking", "unique names")
STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: #1b1f27; }
.head { font-size: 11.5px; fill: #5d6675; } .faint { fill: #5d6675; } .step { font-weight: 600; }
.paper { fill: #ffffff; } .rule { stroke: #dfe3e9; } .rate { fill: #2563c9; } .node { fill: #a67c00; }
.database { fill: #d9541e; } .good { fill: #11734b; } .bad { fill: #b3261e; font-weight: 700; }
@media screen and (prefers-color-scheme: dark) {
  text { fill: #e8ebf0; } .head, .faint { fill: #9aa5b5; } .paper { fill: #14171c; } .rule { stroke: #323946; }
  .rate { fill: #74a8ff; } .node { fill: #e3bd4b; } .database { fill: #ff9461; } .good { fill: #6fd6a4; }
  .bad { fill: #ff9a90; }
}
"""


def picture(figures: Sequence[RungFigures], foot: str = "") -> Markup:
    """The rungs from the first to the last; `foot` says how it was measured."""
    height = TOP + ROW * len(figures) + FOOT
    fastest = max((each.per_second for each in figures), default=0.0) or 1.0
    longest = max((kill.longest_wait for each in figures for kill in each.kills), default=0.0) or 1.0
    rows = [_row(each, TOP + ROW * at, fastest, longest) for at, each in enumerate(figures)]
    return element(
        "svg", Markup(f"<style>{STYLE}</style>"),
        element("rect", class_="paper", width=str(WIDTH), height=str(height), rx="8"),
        _heads(), rows, _text(16, height - 13, foot, "head"),
        xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {height}", width=str(WIDTH), height=str(height),
        role="img", aria_label="What each step of growth gains and costs, measured",
    )  # fmt: skip


def _heads() -> list[Markup]:
    waits = "longest wait after a kill of"
    return [
        _text(16, 26, "step", "head"),
        _text(RATE, 26, "answers per second", "head"),
        _text(TAIL, 26, "p99 ms", "head", "end"),
        _text(NODE, 26, waits, "head"),
        _text(NODE, 43, "a node", "head"),
        _text(DATABASE, 43, "a database", "head"),
        *(
            _text(x, 26 + 17 * line, word, "head", "middle")
            for x, head in zip(TICKS, TICK_HEADS, strict=True)
            for line, word in enumerate(head.split())
        ),
    ]


def _row(each: RungFigures, y: int, fastest: float, longest: float) -> list[Markup]:
    middle = y + ROW // 2 + 5
    line = element("line", class_="rule", x1="16", x2=str(WIDTH - 16), y1=str(y), y2=str(y))
    name = _text(16, middle, each.rung.title, "step")
    if each.skipped:
        return [line, name, _text(RATE, middle, f"not run: {each.skipped}"[:96], "faint")]
    width = max(2.0, RATE_WIDTH * each.per_second / fastest)
    verdicts = zip(TICKS, (each.lost, each.ranking, each.names), strict=True)
    return [
        line,
        name,
        _bar(RATE, y, width, "rate"),
        _text(RATE + round(width) + 6, middle, shown(each.per_second), ""),
        _text(TAIL, middle, shown(each.p99), "", "end"),
        *_wait(each, "node", NODE, y, longest),
        *_wait(each, "database", DATABASE, y, longest),
        *(_tick(x, middle, verdict) for x, verdict in verdicts),
    ]


def _wait(each: RungFigures, kind: str, x: int, y: int, longest: float) -> list[Markup]:
    kill = kill_of(each, kind)
    middle = y + ROW // 2 + 5
    if kill is None or not kill.longest_wait:
        return [_text(x, middle, "–", "faint")]
    width = max(2.0, WAIT_WIDTH * kill.longest_wait / longest)
    return [_bar(x, y, width, kind), _text(x + round(width) + 5, middle, f"{kill.longest_wait:.1f} s", "")]


def kill_of(each: RungFigures, kind: str) -> KillFigures | None:
    """What the kill of a node or of a database did; None if there was none."""
    nodes = [kill for kill in each.kills if kill.target.startswith("node")]
    found = nodes if kind == "node" else [kill for kill in each.kills if kill not in nodes]
    return found[0] if found else None


def _tick(x: int, y: int, verdict: str) -> Markup:
    mark, tone = {HELD: ("✓", "good"), VIOLATED: ("✗", "bad")}.get(verdict, ("–", "faint"))
    return _text(x, y, mark, tone, "middle")


def _bar(x: int, y: int, width: float, tone: str) -> Markup:
    return element("rect", class_=tone, x=str(x), y=str(y + 12), width=f"{width:.1f}", height=str(ROW - 24), rx="3")


def _text(x: int, y: int, content: str, tone: str, anchor: str = "start") -> Markup:
    return element("text", content, x=str(x), y=str(y), class_=tone or None, text_anchor=anchor)
