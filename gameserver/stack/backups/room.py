"""Whether a disk has room for a restore: the data with its own log, and the log that is replayed on it.

Postgres keeps what it replays beside the data, up to `max_wal_size`; then it deletes what it needs no more. By how much
tables grow as it is replayed nobody knows before: a restore that runs out of room all the same leaves nothing.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from gameserver.stack.backups.plan import RestorePlan
from gameserver.stack.errors import StackError

BLOCK = 4096
"""What a file takes of a disk is a multiple of this."""
REPLAYED_BYTES = 4 << 30
"""The `max_wal_size` of servers that run here."""
OWN_SEGMENTS = 2
"""Of the timeline that a restore begins: the one that it writes to, and the next."""


def require(folder: Path, plan: RestorePlan, sources: Sequence[Path]) -> None:
    """Raises StackError when the disk of this folder hasn't room. Raises OSError."""
    free, needed = shutil.disk_usage(folder).free, bytes_of(plan, sources)
    if free < needed:
        raise StackError(
            f"{folder} has {free >> 20} MiB free, and the restore takes {(needed >> 20) + 1}: the data, its log, and "
            "what is replayed. Make room, or name a folder on another disk with --into."
        )


def bytes_of(plan: RestorePlan, sources: Sequence[Path]) -> int:
    """What restoring takes of a disk, if no table grows; `sources` are the data folders of the plan's chain.

    Raises OSError.
    """
    data = sum(map(_taken, sources)) - sum(_taken(source / "pg_wal") for source in sources[:-1])
    replayed = plan.archive.replayed(plan.backup.end, plan.archive.past(plan.timeline), plan.moment)
    return data + min(replayed, REPLAYED_BYTES) + OWN_SEGMENTS * plan.archive.segment


def _taken(folder: Path) -> int:
    """Bytes of the blocks of all files and folders below a folder."""
    total = 0
    for parent, folders, names in os.walk(folder):
        sizes = ((Path(parent) / name).lstat().st_size for name in names)
        total += sum(-(-size // BLOCK) * BLOCK for size in sizes) + BLOCK * (len(folders) + 1)
    return total
