"""Every mutant still applies to today's server: `make mutants` runs them, which takes minutes."""

import ast
from pathlib import Path

import pytest

from bots.count.document import HELD, NOT_CHECKED, VIOLATED
from bots.proof import invariants
from tests.mutants.__main__ import MUST_HOLD, _judged
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


def test_a_patch_whose_place_is_gone_fails_loudly() -> None:
    with pytest.raises(StalePatchError, match="0 times"):
        Patch("file", "gone", "").applied_to("something else")
    with pytest.raises(StalePatchError, match="2 times"):
        Patch("file", "twice", "").applied_to("twice twice")


def judged(*verdicts: tuple[str, str]) -> bool:
    """Whether an honest server passes with these verdicts, and with HELD on everything else."""
    found = {**dict.fromkeys(invariants.ALL, HELD), **dict(verdicts)}
    rows = [{"invariant": name, "verdict": verdict, "story": []} for name, verdict in found.items()]
    return _judged(HONEST, {"proof": rows}, "", 1.0).caught


@pytest.mark.parametrize("name", MUST_HOLD)
def test_an_honest_server_passes_only_if_every_main_invariant_was_seen_to_hold(name: str) -> None:
    assert judged()
    assert not judged((name, NOT_CHECKED))
    assert not judged((name, VIOLATED))


def test_what_an_honest_server_needs_not_show_is_no_reason() -> None:
    assert judged((invariants.REWARDS, NOT_CHECKED))
