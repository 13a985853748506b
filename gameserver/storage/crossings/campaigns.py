"""Letters of campaigns, and of single operators, to players of a restored database.

Law: a campaign that has written since to slots that went back writes to them again, under the same mail ids, so who has
the letter gets no other, and items that lie elsewhere and came with it come once. It writes to who fits its filter now,
and counts those letters again. A campaign that was revoked writes to nobody, nor one whose letters the restored ledger
couldn't tell any more, as their week was dropped: those are listed, as are letters to one player.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from gameserver.storage.crossings.findings import Findings
from gameserver.storage.crossings.past import SQL, WentBack, by_keys, reading
from gameserver.storage.ids import THE_SERVER, campaign_letter_id, command_milliseconds, mail_id, slot_of
from gameserver.storage.ledger.partitions import NAME, weeks
from gameserver.storage.postgres.database import Database


@dataclass(frozen=True, slots=True)
class CampaignsAgain:
    """What was found, and the ids of the campaigns that write again."""

    findings: Sequence[Findings]
    ids: Collection[str]

    def brings(self, player_id: int, command_id: str) -> bool:
        """Whether the command is the arrival of a letter that is sent again."""
        return any(mail_id(THE_SERVER, campaign_letter_id(each, player_id), 0) == command_id for each in self.ids)


async def campaigns(control: Database, back: WentBack) -> CampaignsAgain:
    """For players that went back; may be run again. Raises DatabaseUnavailable."""
    again = Findings(
        "campaigns_again",
        "campaigns that have written to players of the restored database since",
        "they write to these slots again; who has the letter gets no other",
    )
    ended = Findings(
        "campaigns_ended",
        "campaigns whose letters since are lost, and that were revoked, or are older than the ledger",
        "listed: give the players what they are owed",
    )
    ids = []
    async with reading(control) as connection, reading(back.database) as restored:
        rows = await connection.fetch(SQL["campaigns_since"], back.since)
        for row in rows:
            if row["state"] == "revoked" or not await _is_told(restored, row["id"]):
                ended.add(campaign=row["id"], state=row["state"], at=row["at"])
            elif await control.ask(SQL["campaign_again"], row["id"], list(back.players)):
                again.add(campaign=row["id"], state=row["state"], at=row["at"])
                ids.append(row["id"])
    return CampaignsAgain([again, ended], ids)


async def hold_campaigns(connection: asyncpg.Connection) -> None:
    """What ran in a control database that was restored waits for an operator, as it may have been revoked since.

    Before anybody uses that database. A failover isn't a restore: there it goes on. Raises what the driver does.
    """
    await connection.execute(SQL["hold_campaigns"])


async def held_campaigns(control: Database) -> list[Findings]:
    """Those that a control database that went back doesn't let go on by themselves. Raises DatabaseUnavailable."""
    held = Findings(
        "campaigns_held",
        "campaigns that wait for an operator: one that ran at that moment may have been revoked since",
        "listed: let them go on, or revoke them",
    )
    for row in await control.ask(SQL["campaigns_held"]):
        held.add(campaign=row.id, admin=row.admin, counted=row.counted, at=row.at)
    return [held]


async def operator_letters(control: Database, back: WentBack) -> list[Findings]:
    """Those to single players that went back. Raises DatabaseUnavailable."""
    lost = Findings(
        "operator_letters_lost",
        "letters of operators to single players of the restored database that these don't have any more",
        "listed: send them again, as new ones",
    )
    async with reading(control) as connection, reading(back.database) as restored:
        async for rows in by_keys(connection, "operator_letters", [0], back.since, back.players):
            await _lost(restored, rows, lost)
    return [lost]


async def _is_told(restored: asyncpg.Connection, campaign: str) -> bool:
    """Whether the ledger has the week of the campaign's letters, by whose rows a second one is known."""
    at = datetime.fromtimestamp(command_milliseconds(campaign) / 1000, UTC)
    return bool(await restored.fetchval(SQL["has_week"], weeks(at, timedelta())[0].strftime(NAME)))


async def _lost(restored: asyncpg.Connection, rows: Sequence[Any], lost: Findings) -> None:
    players, ids = [row["player_id"] for row in rows], [row["mail_id"] for row in rows]
    known = await restored.fetch(SQL["arrived"], list(map(slot_of, players)), players, ids)
    arrived = {row["mail_id"] for row in known}
    for row in rows:
        if row["mail_id"] not in arrived:
            lost.add(player=str(row["player_id"]), mail_id=row["mail_id"], items=row["items"], at=row["at"])
