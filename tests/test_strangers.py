"""What strangers found stays held: every line of docs/strangers.md names tests and decisions that exist."""

import ast
import re

import pytest

from tests.support.repository import ROOT

PAGE = (ROOT / "docs/strangers.md").read_text("utf-8")
LINES = [[cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\| [A-Z]\d+ .*$", PAGE, re.M)]
FOUND = [
    *(f"C{number}" for number in range(1, 7)),
    *(f"F{number:02}" for number in range(1, 28) if number not in (23, 26)),
    *(f"B{number}" for number in range(1, 14)),
    *(f"H{number}" for number in range(2, 6)),
    *(f"M{number}" for number in range(2, 12)),
    *(f"S{number:02}" for number in (1, 3, 5, 6, 7, 11, 13)),
    *(f"L{number}" for number in (1, 2, 4, 6)),
]


def test_each_fault_has_one_line() -> None:
    assert sorted(line[0] for line in LINES) == sorted(FOUND)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[0])
def test_a_line_names_tests_and_decisions_that_exist(line: list[str]) -> None:
    _, _, done, held = line
    tests = re.findall(r"`(tests/[^`:]+)::(\w+)`", held)
    assert len(tests) == held.count("::") > 0
    for path, name in tests:
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    for number in re.findall(r"\b\d{4}\b", "".join(re.findall(r"\(([\d, ]+)\)", done))):
        assert list((ROOT / "docs/decisions").glob(f"{number}-*.md")), number
