"""Letters between a restored database and the others.

A letter is never delivered twice: its recipient knows it, also when its sender sends it again. What can't be put right
is a letter whose one end went back: the recipient lost it, or keeps one that was never sent in the past that counts
now.

Law: neither end's rows ever change, and the end that was written first is asked last, so what has just arrived isn't
taken for lost. What is sent while this reads may be missed: both databases are there for it.
"""

from collections.abc import Sequence
from typing import Any

import asyncpg

from gameserver.rules.rulebook import MAIL
from gameserver.storage.crossings.findings import Findings
from gameserver.storage.crossings.past import SQL, WentBack, by_place, of_ledger, reading
from gameserver.storage.ids import slot_of
from gameserver.storage.postgres.database import Database


async def letters(back: WentBack, others: Sequence[Database]) -> list[Findings]:
    """Those that are lost, and those of a past that was given up. Raises DatabaseUnavailable."""
    lost = Findings(
        "letters_lost",
        "letters to players of the restored database that these don't have any more",
        "listed: give the players what they are owed",
    )
    kept = Findings(
        "letters_kept",
        "letters from players of the restored database that these have never sent, as it is now",
        "listed: take back what the recipients shouldn't have",
    )
    async with reading(back.database) as restored:
        for other in others:
            async with reading(other) as connection:
                await _lost(back, restored, connection, lost)
                await _kept(back, restored, connection, kept)
    return [lost, kept]


async def _lost(back: WentBack, restored: asyncpg.Connection, other: asyncpg.Connection, lost: Findings) -> None:
    async for rows in of_ledger(other, back.since, "sent", back.players):
        recipients = [row["recipient"] for row in rows]
        ids = [row["mail_id"] for row in rows]
        known = await restored.fetch(SQL["arrived"], list(map(slot_of, recipients)), recipients, ids)
        arrived = {row["mail_id"] for row in known}
        for row in rows:
            if row["mail_id"] not in arrived:
                lost.add(**_shown(row))


async def _kept(back: WentBack, restored: asyncpg.Connection, other: asyncpg.Connection, kept: Findings) -> None:
    async for rows in by_place(other, "inbox", "received", back.since, back.players):
        senders = [row["sender"] for row in rows]
        ids = [row["mail_id"] for row in rows]
        known = await restored.fetch(SQL["posted"], list(map(slot_of, senders)), senders, back.first_command, ids)
        posted = {row["mail_id"] for row in known}
        for row in rows:
            if row["mail_id"] not in posted:
                kept.add(**_shown(row))


def _shown(row: Any) -> dict[str, object]:
    sender, recipient = str(row["sender"]), str(row["recipient"])
    return {
        "sender": sender,
        "recipient": recipient,
        "kind": row["kind"].removeprefix(MAIL),
        "mail_id": row["mail_id"],
        "at": row["at"],
    }
