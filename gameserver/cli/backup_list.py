"""The list of backups, for people and for programs."""

from rich.filesize import decimal
from rich.table import Table

from gameserver.app.backups import BackedUpSystem
from gameserver.terminal import grid
from gameserver.times import rfc3339


def row(system: BackedUpSystem) -> dict[str, object]:
    return {
        "database": system.database,
        "folder": str(system.folder),
        "backups": [
            {
                "id": backup.id,
                "ended_at": rfc3339(backup.ended_at),
                "bytes": backup.size,
                "system": backup.system,
                "timeline": backup.timeline,
                "version": backup.version,
                "builds_on": backup.parent,
            }
            for backup in system.backups
        ],
        "log_bytes": system.log_bytes,
        "log_until": None if system.log_until is None else rfc3339(system.log_until),
        "fault": system.fault,
    }


def table(systems: list[BackedUpSystem]) -> Table:
    titles = ("database", "backup", "builds on", "ended", "timeline", "size", "log kept", "log until")
    found = grid(*titles, right=("size", "log kept"))
    for system in systems:
        until = "-" if system.log_until is None else rfc3339(system.log_until)
        log = (decimal(system.log_bytes), until)
        for backup in system.backups:
            ended = rfc3339(backup.ended_at)
            facts = (backup.parent or "-", ended, str(backup.timeline), decimal(backup.size))
            found.add_row(system.database, backup.id, *facts, *log)
            log = ("", "")
        if not system.backups:
            found.add_row(system.database, "none" if system.fault is None else "unreadable", "-", "-", "-", "-", *log)
    return found
