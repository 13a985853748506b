"""The workers of a run of tests begin at two ends, and one of them plays all swarms."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from xdist.workermanage import WorkerController

from tests.support.lanes import Lanes, files_of_swarms

SWARMS = ("tests/cluster/test_swarm.py", "tests/cluster/test_faults.py")
WAITING = ("tests/cluster/test_up.py", "tests/cli/test_help.py")
COMPUTING = ("tests/rules/test_short.py", "tests/rules/test_longer.py", "tests/rules/test_longest.py")


class Worker:
    """One that is given tests, and says of none that it is done."""

    def __init__(self, number: int) -> None:
        self.gateway = SimpleNamespace(id=f"gw{number}")
        self.shutting_down = False
        self.given: list[int] = []

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        self.given += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def handed_out(workers: int, pytestconfig: pytest.Config) -> list[list[str]]:
    """The files that each worker begins with: two if they are short."""
    config: Any = SimpleNamespace(
        option=SimpleNamespace(loadscopereorder=False, maxprocesses=None), getvalue=lambda _: ["popen"] * workers,
        getoption=pytestconfig.getoption, hook=pytestconfig.hook,
    )  # fmt: skip
    lanes, all_of = Lanes(config), [Worker(number) for number in range(workers)]
    tests = [f"{file}::test_{number}" for file in (*COMPUTING, *WAITING, *SWARMS)
             for number in range(4 + COMPUTING.index(file) if file in COMPUTING else 4)]  # fmt: skip
    for worker in all_of:
        lanes.add_node(_of(worker))
        lanes.add_node_collection(_of(worker), tests)
    lanes.schedule()
    return [list(dict.fromkeys(tests[index].split("::")[0] for index in worker.given)) for worker in all_of]


def _of(worker: Any) -> WorkerController:
    return worker


def test_a_worker_begins_with_all_swarms_and_the_others_with_what_computes(pytestconfig: pytest.Config) -> None:
    first, *others = handed_out(3, pytestconfig)
    assert sorted(first) == sorted(SWARMS)
    assert others == [["tests/rules/test_longest.py"], ["tests/rules/test_longer.py"]]


def test_of_four_workers_two_wait(pytestconfig: pytest.Config) -> None:
    assert handed_out(4, pytestconfig)[1:3] == [["tests/cluster/test_up.py"], ["tests/rules/test_longest.py"]]


def test_the_files_that_play_swarms_are_known() -> None:
    assert {*SWARMS, "tests/cluster/test_chaos.py"} <= files_of_swarms()
    assert "tests/cluster/test_up.py" not in files_of_swarms()
