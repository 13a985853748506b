"""What the databases can do: the product's own SQL in a bare loop, without HTTP, sessions, rules or queues."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import asyncpg

from gameserver.config.settings import Settings
from gameserver.storage.accounts.birth_writes import Birth, write_births
from gameserver.storage.accounts.claim_writes import Confirmation, Opening, write_claims
from gameserver.storage.ids import new_command_id, slot_of
from gameserver.storage.ledger.window import Window
from gameserver.storage.players.gathering import SQL
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.link import HOT_PATH, Link
from gameserver.storage.sharding import provision
from gameserver.storage.slots.slot_map import Slots
from tests.bench.doors import ACTS, BATCHES

BATCH, CONNECTIONS = 200, 2
WINDOW = Window(back=48 * 3_600_000, ahead=300_000)
_parts = count()
OUTCOME = '{"name":"raw","class":"mage","level":1,"hp":50,"max_hp":70,"exp":5,"events":[{"type":"hunted"}]}'


async def acts(settings: Settings, seconds: float) -> int:
    """Ledger rows committed in so many seconds over all databases: batches of 200, on two connections to each."""
    end = time.monotonic() + seconds
    return await _write(settings, lambda _: time.monotonic() < end)


async def fill(settings: Settings, rows: int) -> None:
    """Commits so many ledger rows, spread over the databases of players, or a few more."""
    names = settings.groups["players"].databases
    await _write(settings, lambda done: done * len(names) * CONNECTIONS < rows)


async def vacuum(settings: Settings) -> None:
    """Vacuums the databases of players after many rows were written, as time would."""
    for name in settings.groups["players"].databases:
        connection = await asyncpg.connect(settings.database_url(name).get_secret_value())
        await connection.execute("vacuum (analyze)")
        await connection.close()


async def _write(settings: Settings, goes_on: Callable[[int], bool]) -> int:
    """Commits ledger rows, in each loop as long as it `goes_on` after so many rows; how many in all."""
    databases = provision.open_databases(settings)
    slots = Slots(databases[settings.control.database], databases, provision.sizes(settings))
    await slots.refresh()
    loops = [_acts(database, goes_on) for database in slots.databases("players") for _ in range(CONNECTIONS)]
    done = sum(await asyncio.gather(*loops))
    await databases.close()
    return done


async def _acts(database: Database, goes_on: Callable[[int], bool]) -> int:
    link = Link(database, HOT_PATH)
    connection = await link.open()
    ids = await _players(connection, next(_parts))
    done = 0
    while goes_on(done):
        await act_in_batch(connection, ids)
        done += len(ids)
    await link.close()
    return done


async def _players(connection: Any, part: int) -> list[int]:
    """New players for each loop, so that no two loops lock the same row."""
    slots = await _slots(connection, "players")
    ids = [part << 40 | slots[number % len(slots)] << 10 | number for number in range(BATCH)]
    await connection.executemany(
        "insert into players values ($1, $2, 'raw', 'mage', 1, 50, 5, 1, 0, false, now(), now())",
        [(slot_of(player), player) for player in ids],
    )
    return sorted(ids)


async def act_in_batch(connection: Any, ids: Sequence[int]) -> None:
    """An action of each player, in one transaction; a later batch on the same connection needs no begin."""
    slots, commands = [slot_of(player) for player in ids], [new_command_id(int(time.time() * 1000)) for _ in ids]
    if not connection.is_in_transaction():
        await connection.execute("begin")
    rows = await connection.fetch(SQL["gather"], slots, ids, slots, ids, commands, min(commands), max(commands))
    players = {row["id"]: row for row in rows}
    count = len(ids)
    versions = [players[player]["version"] + 1 for player in ids]
    exps = [players[player]["exp"] + 5 for player in ids]
    await connection.fetch(
        SQL["write"], rows[-1]["now"],
        slots, ids, commands, ["hunt"] * count, ['{"foe":"slime"}'] * count, [1] * count, [OUTCOME] * count, versions,
        slots, ids, ["mage"] * count, [1] * count, [50] * count, exps, versions, [None] * count, None,
    )  # fmt: skip
    await connection.execute("commit and chain")


async def sign_ups(settings: Settings, seconds: float) -> int:
    """Players made in so many seconds: batches of 200 with two claims each, in the three transactions of a sign-up."""
    databases = provision.open_databases(settings)
    slots = Slots(databases[settings.control.database], databases, provision.sizes(settings))
    await slots.refresh()
    owners = zip(slots.databases("accounts"), slots.databases("players"), strict=False)
    end, first = time.monotonic() + seconds, count(1)
    loops = [_sign_ups(*pair, first, end) for pair in owners for _ in range(CONNECTIONS)]
    done = sum(await asyncio.gather(*loops))
    await databases.close()
    return done


async def _sign_ups(accounts: Database, players: Database, numbers: Iterator[int], end: float) -> int:
    links = [Link(database, HOT_PATH) for database in (accounts, players)]
    claiming, making = [await link.open() for link in links]
    key_slots, slots = [await _slots(claiming, "accounts"), await _slots(making, "players")]
    done = 0
    while time.monotonic() < end:
        births = [_birth(slots, next(numbers)) for _ in range(BATCH)]
        openings = [
            Opening(random.choice(key_slots), kind, f"raw {birth.player_id}", birth.player_id, birth.command_id)
            for birth in births
            for kind in ("name", "device")
        ]
        async with claiming.transaction():
            claims = await write_claims(claiming, openings)
        async with making.transaction():
            await write_births(making, births, WINDOW)
        deadlines = [claim["deadline"] for claim in claims if claim is not None]
        confirmations = [Confirmation(*opening, at) for opening, at in zip(openings, deadlines, strict=True)]
        async with claiming.transaction():
            await write_claims(claiming, confirmations)
        done += len(births)
    for link in links:
        await link.close()
    return done


async def _slots(connection: Any, group: str) -> list[int]:
    rows = await connection.fetch(f"select slot from {group}_owned_slots where owned limit 100")
    return [row["slot"] for row in rows]


def _birth(slots: Sequence[int], number: int) -> Birth:
    player = 1 << 50 | slots[number % len(slots)] << 10 | number % 1024 | number >> 10 << 22
    args, now = '{"name":"raw","class":"mage","hp":null,"exp":0}', datetime.now(UTC)
    command = new_command_id(int(time.time() * 1000))
    return Birth(slot_of(player), player, command, "raw", "mage", 1, 50, 0, now, args, OUTCOME)


LIMITS: dict[str, Callable[[Settings, float], Awaitable[int]]] = {ACTS: acts, BATCHES: sign_ups}
