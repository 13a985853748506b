"""The receipt of an erasure, and what the audit log keeps of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gameserver.commands.backup_dates import BackupDates
from gameserver.storage.operators.audit import COMPLETE
from gameserver.times import rfc3339


@dataclass(frozen=True, slots=True)
class ErasureReceipt:
    """What was erased, in rows or keys by store, and what a search of these still finds: nothing, if complete."""

    player_id: int
    command_id: str
    names: int
    erased: dict[str, int]
    left: dict[str, int]
    mentions: dict[str, int] = field(default_factory=dict)
    """Where one of its names is still found as a word, which may be somebody else's; not a part of `complete`."""
    unsearched: Sequence[str] = ()
    """Stores of others that couldn't be searched within their time, and MENTIONS."""
    is_sure: bool = True
    """Whether all stores were searched that may have letters or claims of the player."""
    backups: BackupDates = field(default_factory=BackupDates)
    """Unless it is complete, it isn't known when they will have nothing of it."""

    @property
    def complete(self) -> bool:
        return self.is_sure and not any(self.left.values())


def recorded(receipt: ErasureReceipt) -> dict[str, object]:
    """The receipt as the audit log keeps it: counts and dates alone."""
    dates = receipt.backups
    return {
        COMPLETE: receipt.complete,
        "names": receipt.names,
        "erased": receipt.erased,
        "left": receipt.left,
        "mentions": receipt.mentions,
        "unsearched": list(receipt.unsearched),
        "backups": {
            "newest": None if dates.newest is None else rfc3339(dates.newest),
            "gone_by": None if dates.gone_by is None else rfc3339(dates.gone_by),
        },
    }


def unfinished(erased: dict[str, int]) -> dict[str, object]:
    """What the audit log says of an erasure that goes no further."""
    return {COMPLETE: False, "erased": erased}
