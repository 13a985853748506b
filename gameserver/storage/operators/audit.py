"""The audit log in the control database: every change by an admin, with its reason."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert

from gameserver.storage import tables
from gameserver.storage.postgres.database import Database


class Audit:
    """Entries are written before the change, so that no change goes unrecorded."""

    def __init__(self, control: Database) -> None:
        self._control = control

    async def note(self, admin: str, action: str, target: str, reason: str, details: Mapping[str, Any]) -> None:
        """Raises DatabaseUnavailable."""
        row = {"admin": admin, "action": action, "target": target, "reason": reason, "details": dict(details)}
        async with self._control.transaction() as connection:
            await connection.execute(insert(tables.audit).values(row))
