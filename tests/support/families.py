"""Families: tests that are much alike and each take long.

`@pytest.mark.family(2)` above a parametrized test: a run draws two of its cases, by the seed of the order of tests, and
`make soak` runs all. Of the files below a run draws so many tests, likewise. So every one is run now and then, and a
run that fails is repeated with its seed.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence

import pytest

MARK = "family"
FILES: Mapping[str, int] = {
    "tests/cli/test_closed_streams.py": 3,
    "tests/cli/test_config_file.py": 3,
    "tests/cli/test_operators.py": 4,
    "tests/cli/test_tables.py": 5,
    "tests/cluster/test_published_rules.py": 2,
    "tests/cluster/test_scale_out.py": 4,
    "tests/cluster/test_swarm.py": 3,
    "tests/cluster/test_swarm_events.py": 2,
    "tests/commands/test_rollouts.py": 10,
    "tests/packaging/test_wheels.py": 3,
    "tests/stack/backups/test_making.py": 7,
    "tests/stack/backups/test_parted.py": 4,
    "tests/stack/backups/test_restoring.py": 5,
    "tests/storage/boards/test_board_check.py": 5,
    "tests/storage/items/test_corrected_items.py": 4,
    "tests/storage/players/test_slow_rules.py": 3,
    "tests/storage/postgres/test_frozen_sessions.py": 10,
    "tests/storage/sharding/test_identity.py": 6,
    "tests/storage/sharding/test_large_slots.py": 4,
    "tests/storage/sharding/test_moved_slots.py": 5,
    "tests/storage/sharding/test_waiting_moves.py": 4,
    "tests/transport/console/test_campaigns_view.py": 4,
    "tests/transport/console/test_command_ids.py": 4,
    "tests/transport/console/test_dialogs.py": 3,
    "tests/transport/console/test_fleet_view.py": 5,
    "tests/transport/console/test_player_lists.py": 3,
    "tests/transport/console/test_player_view.py": 4,
    "tests/transport/console/test_rules_view.py": 1,
    "tests/transport/console/test_sessions.py": 5,
    "tests/transport/console/test_slow_answers.py": 4,
    "tests/transport/console/test_wrong_input.py": 5,
    "tests/transport/http/test_erased_everywhere.py": 6,
    "tests/transport/http/test_fleet.py": 7,
    "tests/transport/http/test_player_page.py": 8,
}
"""Those of each file that a run has, from about half a minute's worth of tests of one thing."""


def belongs(item: pytest.Item) -> None:
    """Marks a test of one of these files."""
    if file_of(item) in FILES:
        item.add_marker(MARK)


def drawn(items: Sequence[pytest.Item], seed: int) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """The tests to be run, in their order, and those of families that weren't drawn."""
    tests, files = defaultdict[str, list[pytest.Item]](list), defaultdict[str, set[str]](set)
    for item in items:
        tests[function_of(item)].append(item)
        if file_of(item) in FILES:
            files[file_of(item)].add(function_of(item))
    left_out = set[str]()
    for name, every in files.items():
        for test in every - _some(every, FILES[name], f"{seed} {name}"):
            left_out.update(case.nodeid for case in tests.pop(test))
    for name, cases in tests.items():
        count = next((mark.args[0] for mark in cases[0].iter_markers(MARK) if mark.args), len(cases))
        nodes = {case.nodeid for case in cases}
        left_out.update(nodes - _some(nodes, count, f"{seed} {name}"))
    kept = [item for item in items if item.nodeid not in left_out]
    return kept, [item for item in items if item.nodeid in left_out]


def file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def function_of(item: pytest.Item) -> str:
    """Without its case."""
    return item.nodeid.partition("[")[0]


def _some(every: set[str], count: int, seed: str) -> set[str]:
    return set(random.Random(seed).sample(sorted(every), min(count, len(every))))
