"""The statements of a group commit cost the same in a ledger that has rows as in the empty one they were planned in."""

from typing import Any

import asyncpg

from gameserver.app import Core
from gameserver.storage.ids import slot_of
from gameserver.storage.players.gathering import SQL
from gameserver.storage.postgres.link import HOT_PATH, Link
from tests.support.client import command_id
from tests.support.deployment import connected, enlist

ROWS = 20_000
A_FEW_BLOCKS = 60
OUTCOME = "{}"


async def commit(connection: asyncpg.Connection, player_id: int, version: int) -> None:
    """One action of one player, as a batch of its own."""
    slot, key = slot_of(player_id), command_id()
    async with connection.transaction():
        rows = await connection.fetch(SQL["gather"], [slot], [player_id], [slot], [player_id], [key], key, key)
        entry = ([slot], [player_id], [key], ["hunt"], [OUTCOME], [1], [OUTCOME], [version])
        player = ([slot], [player_id], ["mage"], [1], [50], [version], [version], [None])
        await connection.execute(SQL["write"], rows[-1]["now"], *entry, *player, None)


async def blocks(connection: asyncpg.Connection, own: asyncpg.Connection) -> int:
    """Blocks of ledgers and players that were looked at so far."""
    for reader in (connection, own):
        await reader.execute("select pg_stat_force_next_flush()")
    asked = """
        select sum(heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read)::bigint from pg_statio_user_tables
        where relname = 'players' or relname like 'ledger%'
    """
    found: Any = await connection.fetchval(asked)
    return int(found)


async def test_a_plan_made_in_an_empty_ledger_doesnt_read_more_when_it_has_rows(core: Core) -> None:
    player = await enlist(core, database="one")
    link = Link(core.databases["one"], HOT_PATH)
    async with connected(core.databases["one"].url) as watching:
        connection = await link.open()
        await commit(connection, player.id, 2)
        slot = slot_of(player.id)
        await watching.execute(
            "insert into players select $1, 1000000 + n, 'other', 'mage', 1, 50, 0, 1, 0, false, now(), now() "
            "from generate_series(1, $2::int) n",
            slot, ROWS,
        )  # fmt: skip
        await watching.execute(
            "insert into ledger (slot, player_id, command_id, action, args, seed, outcome, version, at) "
            "select $1, 1000000 + n, ($3 || lpad(to_hex(n), 12, '0'))::uuid, 'hunt', '{}', 1, '{}', 2, now() "
            "from generate_series(1, $2::int) n",
            slot, ROWS, command_id()[:24],
        )  # fmt: skip
        before = await blocks(watching, connection)
        await commit(connection, player.id, 3)
        assert await blocks(watching, connection) - before < A_FEW_BLOCKS
    await link.close()
