"""What tests of moves do: move slots as an operator does, play meanwhile, and look at everything that may be left."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from gameserver.app import Core
from gameserver.commands import sharding
from gameserver.commands.sharding import Sharding
from gameserver.config.settings import Settings
from gameserver.rules.errors import Refused, Unavailable
from gameserver.rules.player import Player
from gameserver.storage.ids import slot_of
from gameserver.storage.players.command import Receipt
from gameserver.storage.sharding.copying import Copy
from gameserver.storage.sharding.cutover import Cutover
from gameserver.storage.sharding.digest import moved_tables
from gameserver.storage.sharding.move import MoveRecord
from tests.support.client import command_id
from tests.support.deployment import act, assert_ledger_explains, connected, slots_of
from tests.support.standstill import standstill

LEFT = (
    "select (select count(*) from pg_subscription where subdbid = d.oid),"
    " (select count(*) from pg_replication_slots where database = d.datname)"
    " from pg_database d where datname = current_database()"
)
STEPS: dict[str, tuple[type, str]] = {
    "while it is copied": (Copy, "copied"),
    "when it is fenced": (Cutover, "arrived"),
    "when it has flipped": (Cutover, "grant"),
}
"""Methods that a mover calls at these moments of a move."""

SPOIL = """
create function spoil() returns trigger language plpgsql as $$ begin new.exp = new.exp + 1; return new; end $$;
create trigger spoil before insert on players for each row execute function spoil();
alter table players enable always trigger spoil
"""
"""Makes a database store other players than it is sent, also when replication sends them."""
STANDSTILL_SECONDS = 50.0
"""A move of a test takes a few; its own limits are above this."""


async def move(core: Core, slots: Sequence[int], target: str, group: str = "players") -> MoveRecord:
    """Moves slots from wherever they are; the last move at its end."""
    plans = await sharding.plan_move(core.sharding, group, slots, target)
    ids = await sharding.begin(core.sharding, plans)
    carrying = asyncio.create_task(sharding.carry_out(core.sharding, ids, lambda _: None))
    done, _ = await asyncio.wait([carrying], timeout=STANDSTILL_SECONDS)
    assert done, await standstill(core)
    await carrying
    await core.slots.refresh()
    return await core.sharding.moves.find(ids[-1])


def strike(monkeypatch: pytest.MonkeyPatch, step: str, blow: Callable[[], Awaitable[None]]) -> list[asyncio.Task[None]]:
    """Deals one blow, once, when a mover comes to this one of the STEPS; returns its task as soon as there is one."""
    dealt: list[asyncio.Task[None]] = []
    call = getattr(*STEPS[step])

    async def struck(self: Any, *arguments: Any) -> Any:
        if not dealt:
            dealt.append(asyncio.ensure_future(blow()))
            await asyncio.sleep(0)  # it has begun
        return await call(self, *arguments)

    monkeypatch.setattr(*STEPS[step], struck)
    return dealt


def respelt(settings: Settings) -> Settings:
    """The settings with other texts of the same addresses."""
    texts = {name: settings.database_url(name).get_secret_value() for name in settings.databases}
    assert all(":test@" in text for text in texts.values())
    databases = {
        name: database.model_copy(update={"url": SecretStr(texts[name].replace(":test@", ":t%65st@"))})
        for name, database in settings.databases.items()
    }
    return settings.model_copy(update={"databases": databases})


async def lapse(moves: Sharding, control: SecretStr) -> None:
    """Lets every lease lapse, as when its mover has been dead for long enough."""
    async with connected(control) as connection:
        await connection.execute("update moves set lease = now() - interval '1 s' where ended_at is null")


@asynccontextmanager
async def playing(core: Core, players: Sequence[Player]) -> AsyncIterator[dict[int, list[Receipt]]]:
    """Each player acts, one action after the other, while the block runs; yields the receipts by player id."""
    receipts_by_player: dict[int, list[Receipt]] = {player.id: [] for player in players}
    stop = asyncio.Event()

    async def play(player_id: int) -> None:
        while not stop.is_set():
            try:
                receipts_by_player[player_id].append(await act(core, player_id))
            except Refused:
                receipts_by_player[player_id].append(await act(core, player_id, "revive"))

    tasks = [asyncio.create_task(play(player.id)) for player in players]
    try:
        yield receipts_by_player
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def assert_nothing_lost(core: Core, receipts_by_player: dict[int, list[Receipt]]) -> None:
    """Each player's receipts are in its ledger, once and in their order, and the ledger explains the player's state."""
    for player_id, receipts in receipts_by_player.items():
        rows = await assert_ledger_explains(core, player_id)
        assert [row["key"] for row in rows[1:]] == [receipt.command_id for receipt in receipts]


async def assert_settled(core: Core, group: str = "players") -> None:
    """Every slot has the one owner that the map names, rows lie only there, and no copy is left behind."""
    await core.slots.refresh()
    tables = [table.name for table in moved_tables(group)]
    for database in core.slots.members(group):
        owned_slots = slots_of(core, database.name, group)
        async with connected(database.url) as connection:
            owned = await connection.fetch(f"select slot from {group}_owned_slots where owned order by slot")
            assert [row["slot"] for row in owned] == owned_slots
            for table in (*tables, f"{group}_marks"):
                foreign = await connection.fetchval(
                    f"select count(*) from {table} where slot <> all($1::smallint[])", owned_slots
                )
                assert foreign == 0, (database.name, table)
            assert await connection.fetchval("select count(*) from pg_publication") == 0
            assert tuple(await connection.fetchrow(LEFT)) == (0, 0)


def slot_with(players: Sequence[Player]) -> list[int]:
    return sorted({slot_of(player.id) for player in players})


async def play_until(core: Core, player_id: int, stop: asyncio.Event) -> list[Receipt]:
    """Acts until told to stop; sends each command again under its id until it has an answer."""
    receipts: list[Receipt] = []
    while not stop.is_set():
        down = receipts and receipts[-1].player.hp == 0
        receipts.append(await insist(core, player_id, "revive" if down else "hunt"))
    return receipts


async def insist(core: Core, player_id: int, action: str = "hunt") -> Receipt:
    """Sends one command until it is answered."""
    key = command_id()
    while True:
        try:
            return await act(core, player_id, action, key=key)
        except Unavailable:
            await asyncio.sleep(0.05)
