"""The figures of a run as a file, for comparison."""

import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import orjson

from tests.bench.line import Line


def write(path: Path, config: Path, seconds: float, lines: Sequence[Line]) -> None:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    report = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "config": str(config),
        "cores": os.cpu_count(),
        "seconds": seconds,
        "lines": [line.as_json() for line in lines],
    }
    path.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def read(path: Path) -> list[Line]:
    return [Line.from_json(value) for value in orjson.loads(path.read_bytes())["lines"]]
