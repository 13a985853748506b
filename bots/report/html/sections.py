"""The parts of a report that are no charts: the key figures, operations, faults, invariants, the set-up."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bots.chaos.nemesis import SKIPPED
from bots.count.document import HELD, VIOLATED, RunDocument, Sighting
from bots.count.latencies import Latencies
from bots.report.html.charts import shown
from bots.report.html.markup import Content, Markup, element, table, text
from bots.report.html.verdict import RunVerdict

TONES = {HELD: "good", VIOLATED: "bad"}
PARTS = (50.0, 99.0)
WHY = (
    "“Planned” counts from the moment at which an operation was due, “service” from when it was really sent. "
    "Where planned is higher, something held operations up before they could be sent: a stall delays also those that "
    "had to wait for their turn, and a player feels all of it. A service time alone hides that."
)


def head(document: RunDocument, title: str, found: RunVerdict) -> Markup:
    """Title, verdict and the sentence behind it."""
    setup = document.setup
    facts = f"{setup.started} · {setup.seconds:g} s · seed {setup.seed} · {', '.join(setup.urls)}"
    badge = element("span", found.word, class_=f"verdict {found.tone}")
    return text(
        element("div", element("h1", title), badge, class_="top"),
        element("p", found.sentence),
        element("p", facts, class_="faint"),
    )


def tiles(document: RunDocument) -> Markup:
    """The few figures that everybody asks for first."""
    totals = document.totals().all()
    seconds = document.measured_seconds()
    errors = totals.errors.total()
    answers = totals.planned.count
    done = sum(not event.note.startswith(SKIPPED) for event in document.events)
    found = [
        _tile("answers per second", shown(answers / seconds), f"{answers:,} in {seconds:,.0f} s"),
        _tile("p50 planned", _time(totals.planned, 50), f"service {_time(totals.service, 50)}"),
        _tile("p99 planned", _time(totals.planned, 99), f"service {_time(totals.service, 99)}"),
        _tile("longest", _time(totals.planned, 100), f"service {_time(totals.service, 100)}"),
        _tile("attempts with an error", f"{errors:,}", f"{errors / max(errors + answers, 1):.2%} of all attempts"),
        _tile("unsent, begun late", f"{totals.unsent:,}, {totals.late:,}", "by the generator"),
    ]
    if document.events:
        found.append(_tile("faults", str(done), f"{len(document.events) - done} skipped"))
    return element("dl", found, class_="tiles")


def _tile(name: str, value: str, more: str) -> Markup:
    return element("div", element("dt", name), element("dd", value, element("small", more)), class_="tile")


def _time(latencies: Latencies, percentile: float) -> str:
    if not latencies.count:
        return "–"
    milliseconds = latencies.at(percentile) * 1000
    return f"{shown(milliseconds)} ms" if milliseconds < 10_000 else f"{shown(milliseconds / 1000)} s"


def operations(document: RunDocument) -> Markup:
    """Every operation, its latency from both moments side by side."""
    totals, seconds = document.totals(), document.measured_seconds()
    rows = sorted(totals.operations.items(), key=lambda item: -item[1].planned.count)
    heads = [
        "operation", "answered", "per second", *(f"p{part:g} planned" for part in PARTS), "max planned",
        *(f"p{part:g} service" for part in PARTS), "max service", "refused", "errors", "unsent", "late",
    ]  # fmt: skip
    lines = [
        [name, f"{counts.planned.count:,}", shown(counts.planned.count / seconds),
         *_times(counts.planned), *_times(counts.service),
         f"{counts.refused.total():,}", f"{counts.errors.total():,}", f"{counts.unsent:,}", f"{counts.late:,}"]
        for name, counts in [*rows, ("all", totals.all())]
    ]  # fmt: skip
    return text(element("h2", "Operations"), element("p", WHY), table(heads, lines, caption="Times in milliseconds"))


def _times(latencies: Latencies) -> list[str]:
    if not latencies.count:
        return ["–"] * (len(PARTS) + 1)
    return [*(shown(latencies.at(part) * 1000) for part in PARTS), shown(latencies.longest() * 1000)]


def faults(document: RunDocument) -> Markup | None:
    """What was done to the servers; the numbers are those on the charts."""
    if not document.events:
        return None
    note = "Each is a band on the charts over time, with its number."
    return text(element("h2", "Faults"), element("p", note, class_="note"), fault_table(document))


def fault_table(document: RunDocument) -> Markup:
    """Each fault in a row."""
    rows = [
        [_number(number), f"{event.at:.1f}", f"{event.until:.1f}", event.kind, event.target, event.note]
        for number, event in enumerate(document.events, 1)
    ]
    heads = ["", "from, s", "until, s", "what", "target", "what came of it"]
    return table(heads, rows, words=len(heads))


def _number(number: int) -> Markup:
    return element("span", str(number), class_="number")


def invariants(document: RunDocument) -> Markup:
    """Each invariant with its verdict and, where it was violated, the story."""
    rows: list[Sequence[Content]] = []
    for row in sorted(document.proof, key=lambda each: (each.verdict == HELD, each.verdict != VIOLATED)):
        badge = element("span", row.verdict, class_=f"verdict {TONES.get(row.verdict, 'warn')}")
        rows.append([row.invariant, badge, f"{row.checked:,}"])
        if row.story:
            story = element("pre", "\n".join(row.story))
            rows.append(element("tr", element("td", story, colspan="3"), class_="story"))
    shown_rows = (
        table(["what must hold", "verdict", "checked"], rows, words=2) if rows else element("p", "None was checked.")
    )
    return text(element("h2", "Invariants"), shown_rows, _sometimes(document))


def _sometimes(document: RunDocument) -> Markup | None:
    if not document.sometimes:
        return None
    rows = [[sighting.name, f"{sighting.seen:,}", _seen(sighting)] for sighting in document.sometimes]
    note = "A proof is worth what it saw: of each of these a run should have met some."
    return text(element("h3", "Seen on the way"), element("p", note, class_="note"), table(["what", "times", ""], rows))


def _seen(sighting: Sighting) -> Markup | str:
    if sighting.seen or not (sighting.expected or sighting.planned):
        return ""
    why = "expected, never seen" if sighting.expected else "planned, never carried out"
    return element("span", why, class_="verdict warn")


def setup(document: RunDocument) -> Markup:
    """Enough to run it again."""
    found = document.setup
    rows: list[list[str]] = [
        ["seed", str(found.seed)],
        *([["seed of the faults", str(found.faults.get("seed"))]] if found.faults else []),
        ["started", found.started],
        ["seconds", f"{found.seconds:g}, of which {found.warm_up_seconds:g} to warm up, which don't count"],
        ["URLs", ", ".join(found.urls)],
        *([name, str(value)] for name, value in found.versions.items()),
        *([name, _fact(value)] for name, value in found.machine.items()),
        ["command", " ".join(found.arguments)],
    ]
    return text(
        element("h2", "Set-up"),
        table(["", ""], rows, words=2),
        _details("The plan", found.plan),
        _details("The plan of faults", found.faults),
    )


def _details(title: str, plan: Mapping[str, Any]) -> Markup | None:
    if not plan:
        return None
    told = element("pre", json.dumps(_plain(plan), indent=2, ensure_ascii=False))
    return element("details", element("summary", title), told)


def _fact(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _plain(value: Any) -> Any:
    return {key: _plain(each) for key, each in value.items()} if isinstance(value, Mapping) else value
