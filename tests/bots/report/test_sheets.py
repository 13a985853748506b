"""A run as CSV: every second of every operation, and no text that a spreadsheet runs."""

import csv
from pathlib import Path

from bots.report import sheets
from tests.bots.report.sample import OPERATIONS, document


def test_a_sheet_has_a_row_for_each_second_and_operation(tmp_path: Path) -> None:
    run = document(6)
    sheets.write(run, tmp_path / "run.csv")
    with (tmp_path / "run.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 * len(OPERATIONS)
    assert sum(int(row["ok"]) for row in rows) == sum(second.counts.all().ok for second in run.seconds)
    hunt = next(row for row in rows if row["operation"] == "hunt" and row["second"] == "0")
    expected = run.seconds[0].counts.operations["hunt"].planned.at(99) * 1000
    assert float(hunt["planned_p99_ms"]) == round(expected, 3)


def test_an_operation_that_looks_like_a_formula_is_text(tmp_path: Path) -> None:
    run = document(1)
    run.seconds[0].counts.of("=1+1").ok += 1
    sheets.write(run, tmp_path / "run.csv")
    assert "\n0,'=1+1," in (tmp_path / "run.csv").read_text()
