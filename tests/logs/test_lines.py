"""A log call never raises and never waits for long; what is lost is counted."""

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from gameserver.logs.lines import LineWriter


def dropped() -> float:
    return REGISTRY.get_sample_value("gameserver_log_lines_dropped_total") or 0.0


def writer(descriptor: int) -> LineWriter:
    return LineWriter(descriptor, lambda lines: f"{lines} lines are missing")


def test_a_full_disk_costs_the_lines_and_nothing_else() -> None:
    before = dropped()
    with open("/dev/full", "wb", buffering=0) as full:
        log = writer(full.fileno())
        log.msg("one")
        log.error("two")
    assert dropped() - before == 2


def test_a_closed_pipe_costs_the_lines_and_nothing_else() -> None:
    before = dropped()
    reads, writes = os.pipe()
    os.close(reads)
    writer(writes).msg("nobody reads this")
    os.close(writes)
    assert dropped() - before == 1


def test_a_pipe_that_nobody_reads_holds_up_no_one_and_says_what_is_missing_when_it_is_read_again() -> None:
    before = dropped()
    reads, writes = os.pipe()
    log, began = writer(writes), time.monotonic()
    for _ in range(2000):
        log.msg("x" * 200)
    assert time.monotonic() - began < 20
    missing = int(dropped() - before)
    assert missing > 1000
    while b"\n" in os.read(reads, 1 << 20) and _has_more(reads):
        pass
    log.msg("after")
    assert os.read(reads, 1 << 20).decode().splitlines()[-2:] == [f"{missing} lines are missing", "after"]
    os.close(reads)
    os.close(writes)


def _has_more(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


def test_a_line_after_a_torn_one_stands_on_a_line_of_its_own(tmp_path: Path) -> None:
    """A limit on the size of files cuts a write as a full disk does."""
    path = tmp_path / "log"
    code = """if True:
        import os, resource, signal, sys
        from gameserver.logs.lines import LineWriter
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
        log = LineWriter(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND), str)
        log.msg("a line that is too long")
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        log.msg("whole")
    """
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert path.read_text().splitlines() == ["a line tha", "1", "whole"]


@pytest.mark.parametrize("value", ["float('nan')", "b'\\xff'", "Unprintable()", "'\\ud800'", "{1: {2: {3}}}"])
def test_no_value_makes_a_log_call_raise(value: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    code = """if True:
        import os, sys
        import structlog
        from gameserver.logs.setup import set_up_logs
        set_up_logs("info", "node-1", os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND))
        class Unprintable:
            def __repr__(self): raise ValueError
        structlog.get_logger().info("with a value", value=eval(sys.argv[2]))
        structlog.get_logger().info("last")
    """
    done = subprocess.run([sys.executable, "-c", code, str(path), value], capture_output=True, text=True, check=True)
    last = json.loads(path.read_text().splitlines()[-1])
    assert (last["event"], last["node"], done.stderr) == ("last", "node-1", "")
