"""Until when backups have what has just been erased everywhere else.

Law: it is an expectation, of base backups that are made as often as the settings want them. Nothing is said of backups
that somebody else makes.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class BackupDates:
    """When the newest base backup that may have it was made; when the last one, and the log, is expected to be gone.

    Each is None if it isn't known: without `[backups]`, and `newest` also on a machine that doesn't see the folder.
    """

    newest: datetime | None = None
    gone_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class KnownBackups:
    """What a node knows of the backups; `newest` reads the disk."""

    newest: Callable[[], datetime | None]
    stay: timedelta | None
    """How long what is erased stays in backups at the most; None without `[backups]`."""

    async def dates(self, erased_at: datetime) -> BackupDates:
        if self.stay is None:
            return BackupDates()
        return BackupDates(await asyncio.to_thread(self.newest), erased_at + self.stay)
