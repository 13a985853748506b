"""Plans of faults: what is wrong with one is said before a run, and the same seed draws the same timetable."""

import tomllib
from pathlib import Path

import pytest

from bots.chaos.errors import BadPlanError
from bots.chaos.plan import ChaosPlan, parse, read
from bots.chaos.timetable import timetable
from tests.bots.chaos.stacks import described, server

STACK = described(
    server("node-1", "node"), server("node-2", "node"), server("one", "database", database="one"),
    server("two-1", "member", database="two"), server("two-2", "member", database="two"), server("redis", "redis"),
)  # fmt: skip
PLAN = """
[[faults]]
kind = "kill"
target = ["node", "redis"]
every = 3
from = 5
until = 50
[[faults]]
kind = "freeze"
target = "database"
every = 4
seconds = [0.5, 2]
[[faults]]
kind = "move"
at = [10, 20]
slots = 8
"""


def plan(text: str) -> ChaosPlan:
    return parse(tomllib.loads(text), "plan.toml")


def fault(text: str) -> ChaosPlan:
    return plan(f"[[faults]]\n{text}")


def test_the_same_seed_draws_the_same_timetable_and_another_seed_another_one() -> None:
    drawn = timetable(plan(PLAN), 7, 60, STACK)
    assert drawn == timetable(plan(PLAN), 7, 60, STACK)
    assert drawn != timetable(plan(PLAN), 8, 60, STACK)
    assert [due.at for due in drawn] == sorted(due.at for due in drawn)


def test_faults_at_a_rate_lie_in_their_time_and_come_about_as_often_as_it_says() -> None:
    times = [due.at for due in timetable(plan(PLAN), 7, 60, STACK) if due.kind == "kill"]
    assert all(5 <= at < 50 for at in times)
    many = [due.at for due in timetable(fault('kind="kill"\ntarget="node"\nevery=2'), 1, 1000, STACK)]
    assert 400 < len(many) < 600


def test_targets_are_drawn_of_every_kind_that_is_named() -> None:
    drawn = timetable(plan(PLAN), 7, 600, STACK)
    assert {due.target for due in drawn if due.kind == "kill"} == {"node-1", "node-2", "redis"}
    assert {due.target for due in drawn if due.kind == "freeze"} == {"one", "two"}, (
        "two fails over: its leader is found"
    )
    assert all(0.5 <= due.seconds <= 2 for due in drawn if due.kind == "freeze")


def test_a_kind_that_the_stack_has_not_is_kept_to_be_skipped() -> None:
    (due,) = timetable(fault('kind="kill"\ntarget="haproxy"\nat=1'), 1, 10, STACK)
    assert (due.wanted, due.target) == ("haproxy", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind="melt"\nat=1', "'melt'"),
        ('kind="kill"\ntarget="node"', "either `at` or `every`"),
        ('kind="kill"\ntarget="node"\nat=1\nevery=2', "either `at` or `every`"),
        ('kind="kill"\ntarget=7\nat=1', "`target`"),
        ('kind="kill"\nat=1', "`target`"),
        ('kind="kill"\ntarget="node"\nat=-1', "`at` lies between 0"),
        ('kind="kill"\ntarget="node"\nat="soon"', "`at` is a number"),
        ('kind="kill"\ntarget="node"\nevery=0', "`every` lies between 0.1"),
        ('kind="kill"\ntarget="node"\nat=1\nseconds=2', "`seconds` is for"),
        ('kind="kill"\ntarget="node"\nat=1\nslots=2', "`slots` is for move"),
        ('kind="move"\nat=1\nslots=2.5', "`slots` is a whole number"),
        ('kind="kill"\ntarget="node"\nat=1\nuntil=9', "`until` is for `every`"),
        ('kind="kill"\ntarget="node"\nat=1\nfrom=9', "`from` is for `every`"),
        ('kind="kill"\ntarget="node"\nat=nan', "`at` lies between 0"),
        ('kind="kill"\ntarget="node"\nevery=inf', "`every` lies between"),
        ('kind="freeze"\ntarget="node"\nat=1\nseconds=[3,1]', "the least and the most"),
        ('kind="freeze"\ntarget="node"\nat=1\nseconds=9999', "`seconds` lies between"),
        ('kind="kill"\ntarget="node"\nat=1\nwhen=2', "'when'"),
    ],
)
def test_a_wrong_entry_is_refused_in_one_sentence_with_its_place(text: str, said: str) -> None:
    with pytest.raises(BadPlanError, match="fault 1") as refused:
        fault(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind="kill"\ntarget="node"\nat=99', "the play ends after 60 s"),
        ('kind="kill"\ntarget="node"\nevery=1\nfrom=70', "from 70 s on"),
        ('kind="kill"\ntarget="nodes"\nat=1', "'nodes' is neither"),
        ('kind="move"\ntarget="guilds"\nat=1', "'guilds' isn't a group"),
    ],
)
def test_an_impossible_time_and_an_unknown_target_are_refused(text: str, said: str) -> None:
    with pytest.raises(BadPlanError) as refused:
        timetable(fault(text), 1, 60, STACK)
    assert said in str(refused.value)


def test_more_faults_than_anybody_could_want_are_refused() -> None:
    with pytest.raises(BadPlanError, match="more than 1000 faults"):
        timetable(fault('kind="kill"\ntarget="node"\nevery=0.1'), 1, 3600, STACK)


@pytest.mark.parametrize(
    "text", ["", "seed = 'x'\n[[faults]]\nkind='kill'", "faults = 3", "[[fault]]\nkind='kill'", "= ="]
)
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.toml").write_text(text)
    with pytest.raises(BadPlanError, match=r"plan\.toml"):
        read(tmp_path / "plan.toml")
    with pytest.raises(BadPlanError, match="can't be read"):
        read(tmp_path / "none.toml")
