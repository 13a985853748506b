"""Every mutant still applies to today's server: `make mutants` runs them, which takes minutes."""

import ast
import re
from pathlib import Path

import pytest

from bots.proof import invariants
from tests.mutants.events import EVENTS
from tests.mutants.mutant import Mutant, Patch, StalePatchError
from tests.mutants.mutants import HONEST, LATE, MUTANTS
from tests.support.repository import ROOT


@pytest.mark.parametrize("mutant", [LATE, *MUTANTS], ids=lambda mutant: mutant.name)
def test_a_mutant_applies_to_the_server_of_today(mutant: Mutant) -> None:
    texts: dict[str, str] = {}
    for patch in mutant.patches:
        texts[patch.file] = patch.applied_to(texts.get(patch.file) or (ROOT / patch.file).read_text("utf-8"))
    assert texts, "it changes something"
    for file, text in texts.items():
        if Path(file).suffix == ".py":
            ast.parse(text)


def test_mutants_have_names_of_their_own_and_break_invariants_that_there_are() -> None:
    assert len({mutant.name for mutant in (*MUTANTS, HONEST, LATE)}) == len(MUTANTS) + 2
    assert len(MUTANTS) >= 15
    for mutant in MUTANTS:
        assert mutant.invariants
        assert set(mutant.invariants) <= set(invariants.ALL)
        assert set(mutant.meanwhile) <= set(EVENTS)


def test_a_function_of_the_database_that_a_mutant_changes_is_one_that_the_server_calls() -> None:
    statements = "".join(path.read_text("utf-8") for path in (ROOT / "gameserver").rglob("*.sql"))
    patches = [patch for mutant in MUTANTS for patch in mutant.patches if patch.file.startswith("migrations/")]
    assert patches
    for patch in patches:
        before, _, _ = (ROOT / patch.file).read_text("utf-8").partition(patch.search)
        name = re.findall(r"create (?:or replace )?function (\w+)", before)[-1]
        assert f"{name}(" in statements, f"{patch.file}: no statement of the server calls {name}"


def test_a_patch_whose_place_is_gone_fails_loudly() -> None:
    with pytest.raises(StalePatchError, match="0 times"):
        Patch("file", "gone", "").applied_to("something else")
    with pytest.raises(StalePatchError, match="2 times"):
        Patch("file", "twice", "").applied_to("twice twice")
