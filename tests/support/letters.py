"""Letters that lie in an inbox, put there without anybody who sends them."""

from gameserver.storage.ids import slot_of
from gameserver.storage.postgres.database import Database
from tests.support.client import command_id
from tests.support.deployment import connected

WRITE = """insert into inbox (slot, player_id, mail_id, kind, sender, payload, sent_at, at, refused)
values ($1, $2, $3, 'mail:healed', 7, '{"args": {}, "events": []}', now(), now(), $4)"""


async def write_letters(database: Database, player_id: int, count: int, refused: str | None = None) -> list[str]:
    """As many letters of the player as they were delivered, or as they were refused; their ids, newest first."""
    ids = [command_id() for _ in range(count)]
    async with connected(database.url) as connection:
        await connection.executemany(WRITE, [(slot_of(player_id), player_id, id_, refused) for id_ in ids])
    return sorted(ids, reverse=True)
