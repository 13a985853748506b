"""Each row of the table of docs/failover.md names what repeats it: a fault that a soak of tests/cluster does."""

import ast
import re

from tests.support.repository import ROOT

ROW = re.compile(r"^\|.*\| `(\w+)` \|$", re.MULTILINE)


def drawn_by_tests() -> set[str]:
    """What the tests of failovers are parametrized with."""
    names: set[str] = set()
    for file in (ROOT / "tests" / "cluster").glob("test_failover_*.py"):
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_"):
                inner = (part for decorator in node.decorator_list for part in ast.walk(decorator))
                names |= {part.id for part in inner if isinstance(part, ast.Name)}
    return names


def test_what_repeats_a_row_is_done_by_a_soak() -> None:
    named = ROW.findall((ROOT / "docs" / "failover.md").read_text("utf-8"))
    assert len(named) == len(set(named)) >= 25
    assert set(named) <= drawn_by_tests()
