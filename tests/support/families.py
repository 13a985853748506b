"""Families: tests of many cases that are much alike and each take long.

`@pytest.mark.family(2)` above a parametrized test: a run draws two of its cases, by the seed of the order of tests, and
`make soak` runs all. So every case is run now and then, and a run that fails is repeated with its seed.
"""

import random
from collections import defaultdict
from collections.abc import Sequence

import pytest

MARK = "family"


def drawn(items: Sequence[pytest.Item], seed: int) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """The tests to be run, in their order, and those of families that weren't drawn."""
    families = defaultdict[str, list[pytest.Item]](list)
    for item in items:
        if item.get_closest_marker(MARK) is not None:
            families[item.nodeid.partition("[")[0]].append(item)
    left_out = set[str]()
    for name, cases in families.items():
        mark = cases[0].get_closest_marker(MARK)
        assert mark is not None
        every = sorted(case.nodeid for case in cases)
        chosen = random.Random(f"{seed} {name}").sample(every, min(mark.args[0], len(every)))
        left_out.update(set(every) - set(chosen))
    kept = [item for item in items if item.nodeid not in left_out]
    return kept, [item for item in items if item.nodeid in left_out]
