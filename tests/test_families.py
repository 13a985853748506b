"""Of a family of tests each run draws some, the same for the same seed, and over many runs all."""

import pytest

from tests.support.families import drawn


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


def test_a_seed_draws_the_same_in_any_order_and_many_seeds_draw_every_case(
    request: pytest.FixtureRequest,
) -> None:
    every = cases(request.session)
    assert {item.name for item in drawn(every, 7)[0]} == {item.name for item in drawn(every[::-1], 7)[0]}
    assert {item.name for seed in range(100) for item in drawn(every, seed)[0]} == {item.name for item in every}
