"""A node takes as many files as its sockets need, and says where the system gives it fewer."""

import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from gameserver.app import open_files

FILES = resource.RLIMIT_NOFILE


@pytest.fixture
def few() -> Iterator[int]:
    """The limit that this process may have, of which it has few."""
    soft, hard = resource.getrlimit(FILES)
    resource.setrlimit(FILES, (1_024, hard))
    yield hard
    resource.setrlimit(FILES, (soft, hard))


def test_the_limit_is_raised_to_what_sockets_need(few: int) -> None:
    with capture_logs() as lines:
        open_files.allow(1_000)
    assert resource.getrlimit(FILES) == (1_000 + open_files.OTHERS, few)
    assert lines == []


def test_a_limit_that_is_high_enough_stays(few: int) -> None:
    open_files.allow(24)
    assert resource.getrlimit(FILES) == (1_024, few)


def test_what_the_system_does_not_allow_is_said() -> None:
    """In another process: a limit that was lowered for good can't be raised again."""
    lower = f"import resource; resource.setrlimit({FILES}, (512, 1_024))"
    allow = "from gameserver.app import open_files; open_files.allow(2_000)"
    then = f"assert resource.getrlimit({FILES}) == (1_024, 1_024)"
    done = subprocess.run(
        [sys.executable, "-c", f"{lower}; {allow}; {then}"], capture_output=True, text=True, check=True
    )
    assert "a node may run out of open files" in done.stdout
    assert "3000" in done.stdout
