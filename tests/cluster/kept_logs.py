"""The logs of a deployment whose test failed: they outlive it, and the failure names them."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOGS = ("output", "*.log")


@contextmanager
def kept(folder: Path, what: str) -> Iterator[None]:
    """If the block fails: copies of the logs in the folder, wherever in it, and a note of where they are."""
    try:
        yield
    except Exception as error:
        error.add_note(f"{what}; logs: {copied(folder)}")
        raise


def copied(folder: Path) -> Path:
    """Their folder, with a folder for each of those that they were in."""
    into = Path(tempfile.mkdtemp(prefix="gameserver-logs-", dir="/tmp"))
    for log in (found for name in LOGS for found in folder.rglob(name)):
        copy = into / log.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, copy)
    return into
