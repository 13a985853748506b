"""How large tables are read beside a database that went back: in pieces, with no transaction open between them."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.storage.crossings import past
from gameserver.storage.crossings.claims import FIRST_PLAYER
from gameserver.storage.crossings.past import by_keys, by_place, of_ledger, reading
from tests.storage.crossings.test_crossings import reconciled
from tests.support.deployment import connected, enlist_many, working

LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
LETTERS = """
    insert into inbox (slot, player_id, mail_id, kind, sender, payload, sent_at, at)
    select (p.id >> 10) & 4095, p.id, gen_random_uuid(), 'mail:gift', p.id, json_build_object('text', repeat('x', 900)),
           now(), now()
    from players p cross join generate_series(1, 20)
"""
SENT = """
    update ledger set outcome = json_build_object('events', json_build_array(
        json_build_object('type', 'mail_sent', 'to', player_id, 'kind', 'mail:gift', 'mail_id', command_id)))
"""
AGO = timedelta(minutes=5)
STATE = "select state from pg_stat_activity where pid = $1"


@pytest.fixture
async def core(settings: Settings) -> AsyncIterator[Core]:
    async with working(settings) as core:
        await enlist_many(core, 5, "one")
        yield core


async def pieces_of(rows: AsyncIterator[list[asyncpg.Record]], column: str) -> list[list[object]]:
    return [[row[column] for row in piece] async for piece in rows]


def flat(pieces: Sequence[Sequence[object]]) -> list[object]:
    return sorted((value for piece in pieces for value in piece), key=str)


async def test_no_transaction_is_open_between_two_statements(core: Core) -> None:
    one = core.databases["one"]
    async with reading(one) as connection, connected(one.url) as beside:
        await connection.fetch("select id from players")
        assert await beside.fetchval(STATE, connection.get_server_pid()) == "idle"


async def test_what_can_be_put_right_comes_before_what_is_only_listed(settings: Settings, core: Core) -> None:
    kinds = list(await reconciled(settings, "one", datetime.now(UTC)))
    listed = {"letters_lost", "letters_kept", "operator_letters_lost"}
    assert set(kinds[-len(listed) :]) == listed, kinds


async def test_pieces_by_place_have_each_row_once_and_see_a_table_that_is_dropped_end(core: Core) -> None:
    one = core.databases["one"]
    slots = list(range(4096))
    async with connected(one.url) as writer, reading(one) as connection:
        await writer.execute(LETTERS)
        written = [str(row[0]) for row in await writer.fetch("select mail_id from inbox")]
        letters = by_place(connection, "inbox", "received", LONG_AGO, slots)
        pieces = await pieces_of(letters, "mail_id")
        assert (len(written), flat(pieces)) == (100, sorted(written))
        assert max(map(len, pieces)) <= past.CHUNK
        query = past.SQL["received"].replace("{table}", "inbox")
        plan = await connection.fetch(f"explain {query}", (0, 0), (1, 0), LONG_AGO, slots)
        assert any("Tid Range Scan on inbox" in row[0] for row in plan), plan
        await writer.execute("create table copied as select * from inbox")
        copied = by_place(connection, "copied", "received", LONG_AGO, slots)
        await anext(copied)
        await writer.execute("drop table copied")
        assert len(flat(await pieces_of(copied, "mail_id"))) < len(written)


async def test_pieces_by_keys_have_each_row_that_stays_once_also_when_it_is_written_meanwhile(core: Core) -> None:
    one = core.databases["one"]
    async with connected(one.url) as writer, reading(one) as connection:
        ids = [row["id"] for row in await writer.fetch("select id from players where not void order by slot, id")]
        read: list[object] = []
        async for rows in by_keys(connection, "players", FIRST_PLAYER):
            read += [row["id"] for row in rows]
            await writer.execute("update players set version = version + 1")
        assert read == ids


async def test_weeks_of_the_ledger_are_read_from_that_of_the_oldest_command_on(core: Core) -> None:
    one, now = core.databases["one"], datetime.now(UTC)
    slots = list(range(4096))
    async with connected(one.url) as writer, reading(one) as connection:
        await writer.execute(SENT)
        assert len(flat(await pieces_of(of_ledger(connection, now - AGO, "sent", slots), "mail_id"))) == 5
        later = now + timedelta(days=11)  # its week begins after these commands, whatever `at` their rows have
        await writer.execute("update ledger set at = $1", later)
        assert await pieces_of(of_ledger(connection, later, "sent", slots), "mail_id") == []
