"""What a replay under other rules shows: a document for programs, and tables and a page made of it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from rich.table import Table

from gameserver.rules.what_if_tally import Sums, WhatIfTally
from gameserver.storage.ledger.periods import Period
from gameserver.terminal import grid
from gameserver.times import rfc3339

DAY = 86_400
Document = Mapping[str, Any]


def document(tally: WhatIfTally, period: Period, sources: Sequence[str]) -> Document:
    """The report; its keys are stable. Each `recorded` is what happened, each `changed` what would have."""
    items = sorted({*tally.granted[0], *tally.granted[1], *tally.taken[0], *tally.taken[1]})
    return {
        "since": rfc3339(period.since),
        "until": rfc3339(period.until),
        "days": round((period.until - period.since).total_seconds() / DAY, 6),
        "sources": list(sources),
        "rulebooks": [{"number": number, "commands": commands} for number, commands in tally.rules.most_common()],
        "unknown": tally.unknown,
        "total": _sums(tally.total),
        "groups": [
            {"class": class_name, "level": level, **_sums(sums)}
            for (class_name, level), sums in sorted(tally.groups.items())
        ],
        "refused": _counts(tally.refused),
        "allowed": _counts(tally.allowed),
        "in_doubt": [{"action": action, "times": times} for action, times in tally.in_doubt.most_common()],
        "items": [
            {
                "item": item,
                "granted": _pair((tally.granted[0][item], tally.granted[1][item])),
                "taken": _pair((tally.taken[0][item], tally.taken[1][item])),
            }
            for item in items
        ],
        "players": [
            {
                "id": str(shift.player_id),
                "name": shift.name,
                "class": shift.class_name,
                "level": _pair((shift.level, shift.level_changed)),
                "exp": _pair((shift.exp, shift.exp_changed)),
            }
            for shift in tally.shifts()
        ],
    }


def _sums(sums: Sums) -> dict[str, Any]:
    return {
        "players": sums.players,
        "steps": sums.steps,
        "refused": sums.refused,
        "allowed": sums.allowed,
        "exp": _pair(sums.exp),
        "levels": _pair(sums.levels),
        "downs": _pair(sums.downs),
        "higher": sums.higher,
        "lower": sums.lower,
    }


def _pair(values: tuple[int, int]) -> dict[str, int]:
    return {"recorded": values[0], "changed": values[1]}


def _counts(counts: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"action": action, "code": code, "times": times} for (action, code), times in counts.most_common()]


def tables(report: Document) -> Iterator[Table]:
    """The report for people: everybody by class and level, items per day, what is refused, and who differs most."""
    for headings, rows, texts, caption in _parts(report):
        table = grid(*headings, right=[name for name in headings if name not in texts])
        for row in rows:
            table.add_row(*row)
        table.caption = caption
        yield table


Part = tuple[Sequence[str], list[list[str]], Sequence[str], str]


def _parts(report: Document) -> Iterator[Part]:
    """Headings, rows, which headings are of texts, and what stands below."""
    columns = (
        "class",
        "level",
        "players",
        "EXP/day",
        "if",
        "%",
        "levels",
        "if",
        "downs",
        "if",
        "higher",
        "lower",
        "refused",
    )
    days = report["days"]
    groups = [[group["class"], str(group["level"]), *_figures(group, days)] for group in report["groups"]]
    yield columns, [*groups, ["all", "", *_figures(report["total"], days)]], ("class",), _said(report)
    if report["items"]:
        rows = [
            [item["item"], *_rates(item["granted"], days), *_rates(item["taken"], days)] for item in report["items"]
        ]
        headings = ("item", "granted/day", "if", "%", "taken/day", "if", "%")
        yield headings, rows, ("item",), ""
    for name, caption in (
        ("refused", "Took effect, and would have been refused."),
        ("allowed", "Was refused, and would have taken effect."),
    ):
        if report[name]:
            rows = [[row["action"], row["code"], f"{row['times']:,}"] for row in report[name]]
            yield ("action", "code", "times"), rows, ("action", "code"), caption
    if report["in_doubt"]:
        rows = [[row["action"], f"{row['times']:,}"] for row in report["in_doubt"]]
        yield ("action", "times"), rows, ("action",), "Takes items of which the player would have been given fewer."
    if report["players"]:
        rows = [
            [player["id"], player["name"], player["class"], *_two(player["level"]), *_two(player["exp"])]
            for player in report["players"]
        ]
        headings = ("player", "name", "class", "level", "if", "EXP", "if")
        yield headings, rows, ("player", "name", "class"), "Whose EXP would differ most."


def _figures(sums: Document, days: float) -> list[str]:
    levels, downs = _two(sums["levels"]), _two(sums["downs"])
    counts = [f"{sums[name]:,}" for name in ("higher", "lower", "refused")]
    return [f"{sums['players']:,}", *_rates(sums["exp"], days), *levels, *downs, *counts]


def _two(pair: Mapping[str, int]) -> list[str]:
    return [f"{pair['recorded']:,}", f"{pair['changed']:,}"]


def _rates(pair: Mapping[str, int], days: float) -> list[str]:
    """Per day: recorded, changed, and by how many per cent that is more."""
    was, now = pair["recorded"], pair["changed"]
    percent = f"{(now - was) * 100 / was:+.1f}" if was else ("0" if not now else "new")
    return [_rate(was / days), _rate(now / days), percent]


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or not value else f"{value:.2f}"


def _said(report: Document) -> str:
    total, unknown = report["total"], report["unknown"]
    left = f" {unknown:,} players can't be followed." if unknown else ""
    numbers = ", ".join(str(row["number"] or "unknown") for row in report["rulebooks"])
    return (
        f"{report['since']} to {report['until']}: {total['steps']:,} commands of {total['players']:,} players, "
        f"read from {', '.join(report['sources']) or 'nowhere'}. `if` is under the other rules; players are by the "
        f"class and level that they began with. Played by the rulebooks {numbers or 'of nobody'}.{left}"
    )


def page(report: Document) -> str:
    """The same tables as one HTML file without anything from elsewhere."""
    body = "".join(_html(*part) for part in _parts(report))
    return _PAGE.format(title=escape(f"What if: {report['since']} to {report['until']}"), body=body)


def _html(headings: Sequence[str], rows: list[list[str]], texts: Sequence[str], caption: str) -> str:
    kinds = ["" if name in texts else ' class="number"' for name in headings]
    head = "".join(f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in zip(headings, kinds, strict=True))
    lines = "".join(
        "<tr>" + "".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(row, kinds, strict=True)) + "</tr>\n"
        for row in rows
    )
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>\n{lines}</tbody></table>\n"
    )


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }}
body {{ margin: 2rem; }}
table {{ border-collapse: collapse; margin: 0 0 2rem; display: block; overflow-x: auto; }}
caption {{ text-align: left; padding: .3rem 0; }}
th, td {{ text-align: left; padding: .2rem .8rem .2rem 0; white-space: nowrap; }}
th, td {{ border-bottom: 1px solid light-dark(#ddd, #444); }}
.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
</style>
<h1>{title}</h1>
{body}</html>
"""
