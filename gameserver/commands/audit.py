"""What operators have changed: the audit log, by pages and as a whole."""

from collections.abc import AsyncGenerator
from dataclasses import replace

from gameserver.commands.operations import Operations
from gameserver.storage.operators.audit_log import AuditEntry, AuditQuestion

PAGE = 500
"""Entries that an export reads at a time."""


async def find(operations: Operations, question: AuditQuestion) -> tuple[list[AuditEntry], bool]:
    """A page of entries, newest first, and whether there are more. Raises DatabaseUnavailable."""
    return await operations.room.audit.log.find(question)


async def export(operations: Operations, question: AuditQuestion) -> AsyncGenerator[list[AuditEntry], None]:
    """All entries that fit, page by page, whatever the question's limit is.

    Raises Overloaded, DatabaseUnavailable, and TimeoutError when it takes too long.
    """
    question = replace(question, limit=PAGE)
    more = True
    async with operations.exports.place():
        while more:
            entries, more = await operations.room.audit.log.find(question)
            yield entries
            if entries:
                question = replace(question, before=entries[-1].id)
