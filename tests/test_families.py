"""Of a family of tests each run draws some, the same for the same seed, and over many runs all."""

import re

import pytest

from tests.support.families import FILES, drawn
from tests.support.repository import ROOT

SWARM = "tests/cluster/test_swarm.py"


class Case(pytest.Item):
    """A collected test of this name, of a family that draws so many."""

    def __init__(self, count: int | None, **more: object) -> None:
        super().__init__(**more)  # type: ignore[arg-type]
        if count is not None:
            self.add_marker(pytest.mark.family(count))

    def runtest(self) -> None:
        raise NotImplementedError


def cases(session: pytest.Session) -> list[pytest.Item]:
    counts = {**{f"one[{n}]": 2 for n in range(5)}, "alone": None, **{f"two[{n}]": 3 for n in range(2)}}
    return [Case.from_parent(session, name=name, count=count) for name, count in counts.items()]


def test_of_a_family_so_many_are_drawn_and_others_all_stay_in_their_order(request: pytest.FixtureRequest) -> None:
    every = cases(request.session)
    kept, left_out = drawn(every, 1)
    names = [item.name for item in kept]
    assert [name for name in names if not name.startswith("one")] == ["alone", "two[0]", "two[1]"]
    assert len([name for name in names if name.startswith("one")]) == 2
    assert sorted([*kept, *left_out], key=every.index) == every
    assert kept == sorted(kept, key=every.index)


def of_a_file(session: pytest.Session) -> list[pytest.Item]:
    """Seven tests of a file of which three are drawn, one of them with five cases of which it has two."""
    file = pytest.Module.from_parent(session, path=ROOT / "tests/cluster/test_swarm.py", nodeid=SWARM)
    names = [*(f"each{number}" for number in range(6)), *(f"one[{number}]" for number in range(5))]
    return [Case.from_parent(file, name=name, count=2 if name.startswith("one") else None) for name in names]


def test_of_a_file_so_many_tests_are_drawn_and_of_the_cases_of_one_so_many_as_it_says(
    request: pytest.FixtureRequest,
) -> None:
    every = of_a_file(request.session)
    runs = [{item.name for item in drawn(every, seed)[0]} for seed in range(100)]
    for names in runs:
        assert len({name.partition("[")[0] for name in names}) == FILES[SWARM] == 3
        assert len([name for name in names if name.startswith("one")]) in (0, 2)
    assert set().union(*runs) == {item.name for item in every}


def test_every_file_of_which_some_tests_are_drawn_is_there_and_has_more() -> None:
    for name, count in FILES.items():
        tests = re.findall(r"^(?:async )?def test_", (ROOT / name).read_text("utf-8"), re.MULTILINE)
        assert len(tests) > count, name


def test_a_seed_draws_the_same_in_any_order_and_many_seeds_draw_every_case(
    request: pytest.FixtureRequest,
) -> None:
    every = cases(request.session)
    assert {item.name for item in drawn(every, 7)[0]} == {item.name for item in drawn(every[::-1], 7)[0]}
    assert {item.name for seed in range(100) for item in drawn(every, seed)[0]} == {item.name for item in every}
