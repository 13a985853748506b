"""Players that were erased after the moment to which a database went back: names and texts of them are there again.

Law: the audit log of the control database tells it. An erasure reaches rows of others, too, so it is undone in part
also where the player itself lies elsewhere: every one that ended since is listed, however it ended.
"""

from gameserver.storage.crossings.findings import Findings
from gameserver.storage.crossings.past import WentBack, by_keys, reading
from gameserver.storage.postgres.database import Database


async def erasures(control: Database, back: WentBack) -> list[Findings]:
    """May be run again. Raises DatabaseUnavailable."""
    undone = Findings(
        "erasures_undone",
        "players that were erased since, of whom the restored database may have names and texts again",
        "listed: erase them again",
    )
    seen = set[str]()
    async with reading(control) as connection:
        async for rows in by_keys(connection, "erasures", [0], back.since):
            for row in rows:
                if row["player"] not in seen:
                    seen.add(row["player"])
                    undone.add(player=row["player"], at=row["at"])
    return [undone]
