"""The section `[backups]`: where base backups and the databases' log are kept, and for how long."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field

from gameserver.config.section import DAY, LONGEST, SettingsSection


class BackupSettings(SettingsSection):
    """The table `[backups]`; with it, `gameserver up` keeps the log of the embedded databases."""

    folder: Path
    """On another disk than the data, if a lost disk is to lose nothing."""
    keep_seconds: Annotated[int, Field(ge=3600, le=LONGEST)] = 14 * DAY
    """So far back every moment can be restored."""
    least: int = Field(default=2, ge=1, le=1000)
    """Base backups of a database that are kept however old they are."""
    incremental: bool = False
    """Whether the databases that `gameserver up` runs note which pages change (`summarize_wal`), as `gameserver backup
    --incremental` needs it."""
    old_seconds: Annotated[int, Field(ge=60, le=365 * DAY)] = 2 * DAY
    """`gameserver doctor` warns of a database whose newest base backup is older."""

    @property
    def stay(self) -> timedelta:
        """How long backups have what the databases don't have any more, if none gets older than `old_seconds`.

        The last one that has it goes with a backup that finds `least` newer ones, of which one is as old as what is
        kept. Others that build on it keep it longer.
        """
        return timedelta(seconds=max(self.keep_seconds + 2 * self.old_seconds, self.least * self.old_seconds))
