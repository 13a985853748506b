"""Letters that are deleted together, whoever deletes them, are those that were named, and no others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.app import Core
from gameserver.rules.errors import PlayerNotFound
from gameserver.rules.player import Player
from gameserver.storage.ids import slot_of
from gameserver.storage.mail.inbox import SQL, Forgotten, forget_old
from gameserver.storage.mail.mailbag import SQL as MAILBAG
from gameserver.storage.postgres.database import Database
from gameserver.storage.slots.scanned_pages import NEWEST
from tests.support.client import command_id
from tests.support.deployment import connected, enlist, enlist_many, move_slot
from tests.support.letters import write_letters


def database(core: Core, player: Player) -> Database:
    return core.slots.owner("players", slot_of(player.id))


async def letters(core: Core, player: Player, count: int, refused: str | None = None) -> list[str]:
    return await write_letters(database(core, player), player.id, count, refused)


async def seen(core: Core, player: Player) -> list[str]:
    return [mail.mail_id for mail in (await core.commands.play.inbox.page(player.id, 100, None)).rows]


async def recorded(core: Core, player: Player) -> int:
    """How many rows of the inbox there are, with those of letters that were refused."""
    async with connected(database(core, player).url) as connection:
        return int(await connection.fetchval("select count(*) from inbox where player_id = $1", player.id))


async def test_what_is_deleted_together_is_what_each_has_named(core: Core) -> None:
    inbox = core.commands.play.inbox
    players = [await enlist(core, database=name) for name in ("one", "one", "one", "two")]
    held = [await letters(core, player, 3) for player in players]
    refused = [await letters(core, player, 1, "not accepted") for player in players]
    everything, one, alien, _ = players
    await asyncio.gather(
        inbox.forget(Forgotten(everything.id, 0)),
        inbox.forget(Forgotten(everything.id, 0, held[0][1])),
        inbox.forget(Forgotten(one.id, 0, held[1][1])),
        inbox.forget(Forgotten(one.id, 0, held[1][1])),
        inbox.forget(Forgotten(one.id, 0, refused[1][0])),
        inbox.forget(Forgotten(alien.id, 0, held[1][0])),
        inbox.forget(Forgotten(alien.id, 0, command_id())),
    )
    assert [await seen(core, player) for player in players] == [[], [held[1][0], held[1][2]], held[2], held[3]]
    assert [await recorded(core, player) for player in players] == [1, 3, 4, 4]
    with pytest.raises(PlayerNotFound):
        await inbox.forget(Forgotten((1 << 63) - 1, 0))


async def test_letters_that_have_moved_with_their_player_are_deleted_there(core: Core, second: Core) -> None:
    player = await enlist(core, database="one")
    await letters(core, player, 2)
    await move_slot(second, slot_of(player.id), "two")
    await core.commands.play.inbox.forget(Forgotten(player.id, 0))
    await core.slots.refresh()
    assert (database(core, player).name, await recorded(core, player)) == ("two", 0)


async def test_letters_that_are_locked_elsewhere_dont_keep_those_of_others(core: Core) -> None:
    inbox = core.commands.play.inbox
    players = await enlist_many(core, 2, "one")
    held = [await letters(core, player, 1) for player in players]
    async with connected(database(core, players[0]).url) as connection, connection.transaction():
        await connection.execute("select from inbox where mail_id = $1 for update", held[0][0])
        waiting = asyncio.create_task(inbox.forget(Forgotten(players[0].id, 0)))
        await asyncio.sleep(0.05)
        await inbox.forget(Forgotten(players[1].id, 0))
        assert await seen(core, players[1]) == []
        assert not waiting.done()
    await waiting
    assert await seen(core, players[0]) == []


async def test_a_batch_whose_statement_is_refused_is_tried_one_by_one(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    players = await enlist_many(core, 3, "one")
    held = [await letters(core, player, 1) for player in players]
    execute = asyncpg.Connection.execute

    async def refuse(self: asyncpg.Connection, query: str, *arguments: object, **options: object) -> str:
        if "inbox" in query and len(arguments[0]) > 1:  # type: ignore[arg-type]
            raise asyncpg.DeadlockDetectedError("a test")
        return str(await execute(self, query, *arguments, **options))

    monkeypatch.setattr(asyncpg.Connection, "execute", refuse)
    await asyncio.gather(*(core.commands.play.inbox.forget(Forgotten(player.id, 0)) for player in players[:2]))
    assert [await seen(core, player) for player in players] == [[], [], held[2]]


REFUSED, FEW_READ = 6_000, 40
REFUSE = """
insert into inbox (slot, player_id, mail_id, kind, sender, payload, sent_at, at, refused)
select $1, $2, ('ffffffff-ffff-8fff-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'mail:challenged', 7, '{}', now(), now(),
       'not_accepted'
from generate_series(1, $3::int) n"""
"""Rows above every letter."""


@pytest.mark.parametrize("statement", ["page", "trim", "forget"])
@pytest.mark.parametrize("analyzed", [True, False])
async def test_letters_that_were_refused_are_in_the_way_of_none_that_were_not(
    core: Core, statement: str, analyzed: bool
) -> None:
    player = await enlist(core, database="one")
    await letters(core, player, 3)
    slot, newest = slot_of(player.id), [NEWEST]
    asked: dict[str, tuple[object, ...]] = {
        "page": (SQL["page"], [slot], [player.id], [101], newest),
        "trim": (MAILBAG["trim"], [slot], [player.id], 2, 2),
        "forget": (SQL["forget"], [slot], [player.id], [None]),
    }
    query, *arguments = asked[statement]
    async with connected(database(core, player).url) as connection:
        await connection.execute(REFUSE, slot, player.id, REFUSED)
        if analyzed:
            await connection.execute("analyze inbox")
        (row,) = await connection.fetch(f"explain (analyze, buffers, format json) {query}", *arguments)
    plan: dict[str, Any] = orjson.loads(row[0])[0]["Plan"]
    parts = [plan, *plan["Plans"]]  # what deletes beside the statement's end isn't in its sum
    assert plan["Actual Rows"] == (1 if statement == "page" else 0)
    assert max(part["Shared Hit Blocks"] + part["Shared Read Blocks"] for part in parts) < FEW_READ


async def test_pages_of_an_inbox_join_up_to_the_whole(core: Core) -> None:
    player = await enlist(core, database="one")
    held = await letters(core, player, 5)
    async with connected(database(core, player).url) as connection:
        await connection.execute(REFUSE, slot_of(player.id), player.id, REFUSED)
    pages: list[list[str]] = []
    cursor = None
    while not pages or cursor is not None:
        page = await core.commands.play.inbox.page(player.id, 2, cursor)
        pages.append([mail.mail_id for mail in page.rows])
        cursor = page.cursor
    assert pages == [held[:2], held[2:4], held[4:]]


MONTH = timedelta(days=30)
FILLED, FEW_BLOCKS = 20_000, 40
FILLS = {
    "inbox": """insert into inbox select $1, -1, gen_random_uuid(), 'mail:healed', 0, '{}', now(), {at}, null""",
    "item_ledger": """insert into item_ledger select $1, -1, gen_random_uuid(), 'grant', '{}', null, true, {at}""",
}
AGES = " from generate_series(1, $2::int) n"
SHUFFLED = f"now() - interval '1 minute' * (n * 7919 % {FILLED})"
"""What is beside each other is of any age, as where the space of what was deleted is used again."""


class Counted:
    """A database whose statistics have what a fenced transaction read as soon as it ends."""

    def __init__(self, counted: Database) -> None:
        self._database = counted

    @asynccontextmanager
    async def fenced(self, group: str) -> AsyncIterator[AsyncConnection]:
        async with self._database.fenced(group) as connection:
            yield connection
            await connection.execute(text("select pg_stat_force_next_flush()"))


async def blocks(connection: asyncpg.Connection, table: str) -> int:
    asked = """select heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read
               from pg_statio_user_tables where relname = $1"""
    return int(await connection.fetchval(asked, table))


@pytest.mark.parametrize("table", FILLS)
async def test_what_is_old_is_found_without_reading_what_isnt(core: Core, table: str) -> None:
    group = "players" if table == "inbox" else "items"
    owner, fill = core.slots.owner(group, 0), FILLS[table]
    counted: Any = Counted(owner)
    forget = (
        partial(forget_old, counted, datetime.now(UTC) - MONTH)
        if table == "inbox"
        else partial(core.rooms.players.inventory.forget_old, counted)
    )
    async with connected(owner.url) as connection:
        await connection.execute(f"alter table {table} set (autovacuum_enabled = off)")
        await connection.execute(fill.replace("{at}", SHUFFLED) + AGES, 0, FILLED)
        await connection.execute(f"vacuum (analyze) {table}")
        # Until then what this connection itself has read isn't counted, or is only when the second is over.
        await connection.execute("select pg_stat_force_next_flush()")
        before = await blocks(connection, table)
        assert await forget(1000) == 0
        assert await blocks(connection, table) - before < FEW_BLOCKS
        await connection.execute(fill.replace("{at}", "now() - interval '40 days'") + AGES, 0, 5)
        assert [await forget(3), await forget(3), await forget(3)] == [3, 2, 0]
