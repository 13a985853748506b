"""Which files of tests the workers of a run play beside each other.

Tests of whole stacks wait for most of their time: for nodes that start, leases that end, sockets that come back. Others
compute. Waiting ones beside each other leave the cores idle, and so does a long file that one worker plays when the
others have nothing left. So one worker in two or three begins with the files that wait, the others with those that
compute; they meet at short ones. Swarms of bots load a machine by themselves: one worker plays all of them.
"""

import re
from functools import cached_property

from xdist.scheduler.loadfile import LoadFileScheduling
from xdist.workermanage import WorkerController

from tests.support.repository import ROOT

SWARMS = "the files that play swarms"
SWARM = re.compile(r"\bBots\b|\bbots\.chaos\b")
WAITING = (
    SWARMS,
    "tests/cluster/",
    "tests/fuzz/",
    "tests/transport/console/",
    "tests/commands/test_rollouts",
    "tests/tracing/",
    "tests/docker/",
    "tests/packaging/",
    "tests/testing/",
    "tests/stack/",
    "tests/cli/",
    "tests/storage/sharding/",
    "tests/storage/seasons/",
    "tests/transport/http/test_campaigns",
    "tests/transport/socket/test_unread",
    "tests/logs/",
)
"""What names begin with, the first to be played first."""


def files_of_swarms() -> frozenset[str]:
    """As a run names them."""
    files = (ROOT / "tests" / "cluster").glob("test_*.py")
    return frozenset(str(file.relative_to(ROOT)) for file in files if SWARM.search(file.read_text("utf-8")))


def place(scope: str, tests: int) -> tuple[int, int]:
    """Where a file of so many tests stands between those that wait and those that compute."""
    waiting = next((number for number, name in enumerate(WAITING) if scope.startswith(name)), len(WAITING))
    return waiting, tests


class Lanes(LoadFileScheduling):  # type: ignore[misc]
    """Hands out whole files, of those that are left what the worker's lane has first."""

    @cached_property
    def _swarms(self) -> frozenset[str]:
        return files_of_swarms()

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return SWARMS if file in self._swarms else file

    def _assign_work_unit(self, node: WorkerController) -> None:
        waits = [*self.assigned_work].index(node) < max(1, self.numnodes // 2)
        choose = min if waits else max
        chosen = choose(self.workqueue, key=lambda scope: place(scope, len(self.workqueue[scope])))
        self.workqueue.move_to_end(chosen, last=False)
        super()._assign_work_unit(node)
