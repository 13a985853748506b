"""Rows as files: no spreadsheet takes a cell for a formula, and JSON lines are as they were."""

import csv
import io
import json

import pytest

from gameserver.exports import encoded, heading

NAMES = ("id", "text", "count")


def rows_of(text: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode())))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+1", "@sum(a1)", "\t=1", "\r=1", "  =1", "\uff1d1+1", "\n=1"])
def test_a_text_that_begins_like_a_formula_is_none_in_a_spreadsheet(text: str) -> None:
    ((number, shown, count),) = rows_of(encoded([{"id": "7", "text": text, "count": -3}], NAMES, "csv"))
    assert (number, shown, count) == ("7", f"'{text}", "-3")


@pytest.mark.parametrize("start", ["=1+1", "+1", "@sum(a1)", "\uff1d1", ' "=1'])
def test_nothing_is_a_formula_where_semicolons_end_cells_either(start: str) -> None:
    for text in (f"sorry;{start}", f";;{start}"):
        for value in (text, {"reason": text}):
            lines = encoded([{"id": "7", "text": value, "count": 1}], NAMES, "csv").decode().splitlines()
            cells = [cell for line in lines for cell in line.split(";")]
            assert not [cell for cell in cells if cell.lstrip(' "').startswith(("=", "+", "@", "\uff1d"))]


@pytest.mark.parametrize(
    "text", ["Ann", 'Ann "the" Great, of York', "a=b", "a; b; 1", "두리", "line\nbreak", "", "'quoted"]
)
def test_any_other_text_comes_back_as_it_was(text: str) -> None:
    assert rows_of(encoded([{"id": "7", "text": text, "count": None}], NAMES, "csv")) == [["7", text, ""]]


def test_json_lines_have_a_row_each_and_no_heading() -> None:
    rows = [{"id": "7", "text": "=1", "count": 1}, {"id": "8", "text": "b\n", "count": 2}]
    lines = (heading(NAMES, "ndjson") + encoded(rows, NAMES, "ndjson")).decode().splitlines()
    assert [json.loads(line) for line in lines] == rows
    assert heading(NAMES, "csv") == b"id,text,count\r\n"


def test_what_isnt_text_is_written_as_json() -> None:
    cells = rows_of(encoded([{"id": {"a": [1]}, "text": [1, "b"], "count": True}], NAMES, "csv"))
    assert cells == [['{"a":[1]}', '[1,"b"]', "True"]]
