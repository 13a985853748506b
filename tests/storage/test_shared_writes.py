"""Writes of many that share a transaction: none is lost, none fails another, and who is held up holds up nobody."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import asyncpg
import pytest

from gameserver.app import Core
from gameserver.rules.errors import DatabaseUnavailable, Internal, Overloaded
from gameserver.storage.accounts.claim_writes import OPEN_FOR, SQL, ClaimRow, Opening, write_claims
from gameserver.storage.ids import slot_of_key
from gameserver.storage.postgres.database import Database
from gameserver.storage.slots import shared_writes
from gameserver.storage.slots.shared_writes import SharedWrites
from tests.support.client import command_id
from tests.support.deployment import connected
from tests.support.servers import SLOTS


class Batches:
    """Writes claims, and notes how many came together; a key of `bad` is refused by the database."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    async def work(self, connection: asyncpg.Connection, writes: Sequence[Opening]) -> Sequence[ClaimRow | None]:
        self.sizes.append(len(writes))
        if any(write.key == "bad" for write in writes):
            await connection.execute("select 1 / 0")
        if any(write.key == "lost" for write in writes):
            await connection.execute("select pg_terminate_backend(pg_backend_pid())")
        return await write_claims(connection, writes)


class Shared(NamedTuple):
    writes: SharedWrites[Opening, ClaimRow | None]
    batches: Batches


@pytest.fixture
async def shared(core: Core) -> AsyncIterator[Shared]:
    batches = Batches()
    writes: SharedWrites[Opening, ClaimRow | None] = SharedWrites(core.slots, "accounts", batches.work)
    yield Shared(writes, batches)
    await writes.close()


def opening(key: str, player_id: int = 1) -> Opening:
    return Opening(slot_of_key("name", key, SLOTS), "name", key, player_id, command_id())


async def test_writes_that_come_together_share_transactions_and_each_gets_its_own_reply(shared: Shared) -> None:
    wanted = [opening(f"name {number}", number) for number in range(100)]
    rows = await shared.writes.write_all(wanted)
    assert [row["player_id"] for row in rows if row is not None] == list(range(100))
    assert len(shared.batches.sizes) < 20


async def test_of_many_that_want_one_key_the_first_gets_it_and_all_are_told_who(shared: Shared) -> None:
    rows = await shared.writes.write_all([opening("ann lee", number) for number in range(1, 30)])
    assert {row["player_id"] for row in rows if row is not None} == {1}
    assert len([row for row in rows if row is not None]) == 29


async def test_a_write_that_the_database_refuses_fails_alone(shared: Shared) -> None:
    wanted = [opening(key) for key in ("good", "bad", "good as well", *map(str, range(20)))]
    outcomes = await asyncio.gather(*map(shared.writes.write, wanted), return_exceptions=True)
    assert isinstance(outcomes[1], Internal)
    assert all(isinstance(outcome, asyncpg.Record) for outcome in [outcomes[0], *outcomes[2:]])


async def test_after_a_lost_connection_the_next_write_has_another(shared: Shared) -> None:
    with pytest.raises(DatabaseUnavailable):
        await shared.writes.write(opening("lost"))
    assert await shared.writes.write(opening("found")) is not None


async def test_a_key_that_another_transaction_holds_holds_up_its_neighbours_for_a_moment_only(
    core: Core, shared: Shared
) -> None:
    held = opening("held")
    neighbours = [opening(f"neighbour {number}") for number in range(100)]
    same = [write for write in neighbours if core.slots.owner("accounts", write.slot) is owner(core, held)]
    async with connected(owner(core, held).url) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.fetch(SQL["open"], *([value] for value in opening("held", 2)), OPEN_FOR)
        waiting = asyncio.create_task(shared.writes.write(held))
        rows = await asyncio.wait_for(shared.writes.write_all(same), 10)
        assert None not in rows
        assert not waiting.done()
        await transaction.rollback()
    row = await waiting
    assert row is not None
    assert row["player_id"] == 1


async def test_what_a_database_doesnt_own_waits_for_an_owner(core: Core, shared: Shared) -> None:
    wanted = opening("moving")
    async with connected(owner(core, wanted).url) as connection:
        own = "update accounts_owned_slots set owned = $1 where slot = $2"
        await connection.execute(own, False, wanted.slot)
        waiting = asyncio.create_task(shared.writes.write(wanted))
        await asyncio.wait([waiting], timeout=0.3)
        assert not waiting.done()
        assert await connection.fetch("select from claims where key = 'moving'") == []
        await connection.execute(own, True, wanted.slot)
        assert await waiting is not None


async def test_more_than_may_wait_is_refused_and_what_waits_is_refused_at_the_end(
    core: Core, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = asyncio.Event()

    async def wait(connection: asyncpg.Connection, writes: Sequence[Opening]) -> Sequence[ClaimRow | None]:
        await free.wait()
        return [None] * len(writes)

    monkeypatch.setattr(shared_writes, "BOUNDS", replace(shared_writes.BOUNDS, waiting=3, together=2))
    writes: SharedWrites[Opening, ClaimRow | None] = SharedWrites(core.slots, "accounts", wait)
    first = [asyncio.create_task(writes.write(opening("first"))) for _ in range(2)]
    await asyncio.sleep(0.1)
    more = [asyncio.create_task(writes.write(opening("first"))) for _ in range(4)]
    await asyncio.sleep(0)
    outcomes = await asyncio.gather(more[3], return_exceptions=True)
    assert isinstance(outcomes[0], Overloaded)
    await writes.close()
    ended = await asyncio.gather(*first, *more[:3], return_exceptions=True)
    assert [type(outcome) for outcome in ended] == [Overloaded] * 5, "no commit was sent"


def owner(core: Core, write: Opening) -> Database:
    return core.slots.owner("accounts", write.slot)
