"""What tests of items share: the two placements, items for players, and the sum that must always come out."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.rules.arguments import Arguments, ItemName, MailArguments, PlayerId
from gameserver.rules.items import Count, takes
from gameserver.rules.player import Letter, Moment, Outcome, Player, sends_mail
from gameserver.storage.ids import slot_of
from gameserver.storage.postgres.locks import FENCES
from gameserver.storage.sharding.digest import moved_tables
from tests.support.deployment import act, connected, with_actions
from tests.support.servers import SLOTS

ACTIONS = ("find", "brew", "burn", "swap", "present")


def with_studio(settings: Settings, folder: Path) -> Settings:
    """The settings with a studio's actions that deal in items, and a letter that brings some."""
    changed = with_actions(settings, folder, **{name: f"tests.storage.items.deployment:{name}" for name in ACTIONS})
    game = changed.game.read_text("utf-8").replace("[mail]\n", '[mail]\ngift = "tests.storage.items.deployment:gift"\n')
    changed.game.write_text(game, "utf-8")
    return changed


class Find(Arguments):
    """So many of an item lie there."""

    item: ItemName
    count: Count = 1


class Present(Arguments):
    """Two potions for another player, out of nothing."""

    player: PlayerId


class Gift(MailArguments):
    """So many potions arrive."""

    count: Count


class Nothing(Arguments):
    """No arguments."""


def find(player: Player, args: Find, moment: Moment) -> Outcome:
    return Outcome(player, ({"type": "found"},), grants=((args.item, args.count),))


@takes({"herb": 2})
def brew(player: Player, args: Nothing, moment: Moment) -> Outcome:
    return Outcome(player, (), grants=(("potion", 1),))


@takes(lambda args: {args.item: args.count})
def burn(player: Player, args: Find, moment: Moment) -> Outcome:
    return Outcome(player, ())


@takes({"potion": 1, "herb": 1})
def swap(player: Player, args: Nothing, moment: Moment) -> Outcome:
    return Outcome(player, (), grants=(("herb", 2), ("potion", 1), ("herb", 1)))


@sends_mail
def present(player: Player, args: Present, moment: Moment) -> Outcome:
    return Outcome(player, (), (Letter(int(args.player), "gift", {"count": 2}),))


def gift(player: Player, args: Gift, moment: Moment) -> Outcome:
    return Outcome(player, ({"type": "gift"},), grants=(("potion", args.count),))


async def part(settings: Settings) -> None:
    """Gives the items of every slot to the database that hasn't its players; nothing may be in them yet."""
    for name in settings.databases:
        async with connected(settings.database_url(name)) as connection:
            if name == settings.control.database:
                moved = """update slots set epoch = 2, database = case database when 'one' then 'two' else 'one' end
                           where "group" = 'items'"""
                await connection.execute(moved)
            statement = """insert into items_owned_slots (slot, owned, epoch)
                     select *, true, 2 from generate_series(0, $1::int)
                     on conflict (slot) do update set owned = not items_owned_slots.owned, epoch = 2"""
            await connection.execute(statement, SLOTS - 1)


async def move(core: Core, group: str, slot: int, target: str) -> None:
    """Moves a slot of a group with its rows, as a cut-over does: the fence, the rows, the owners, the map."""
    await core.slots.refresh()
    source = core.slots.owner(group, slot)
    names = [table.name for table in moved_tables(group)]
    async with (
        connected(source.url) as old,
        connected(core.databases[target].url) as new,
        connected(core.databases[core.settings.control.database].url) as control,
        old.transaction(),
    ):
        await old.execute(f"select pg_advisory_xact_lock({FENCES[group]})")
        for table in names:
            rows = await old.fetch(f"select * from {table} where slot = $1", slot)
            await new.execute(f"delete from {table} where slot = $1", slot)
            await new.copy_records_to_table(table, records=[tuple(row) for row in rows])
        statement = f"""insert into {group}_owned_slots (slot, owned, epoch) values ($1, true, 2)
                  on conflict (slot) do update set owned = true"""
        await new.execute(statement, slot)
        await old.execute(f"update {group}_owned_slots set owned = false, epoch = 2 where slot = $1", slot)
        moved = """update slots set database = $1, epoch = 2 where "group" = $3 and slot = $2"""
        await control.execute(moved, target, slot, group)


async def held(core: Core, player_id: int) -> dict[str, int]:
    """The items that a player is shown, by name."""
    return {stack.item: stack.count for stack in await core.rooms.players.items(player_id) if stack.count}


async def give(core: Core, player_id: int, item: str, count: int = 1) -> None:
    await act(core, player_id, "find", item=item, count=count)


async def assert_sums(core: Core, *players: int) -> None:
    """What a player's ledger granted and took is in its stacks, on its way to them, or reserved: nothing else is.

    Reads each database by itself, so no player may act meanwhile.
    """
    for player_id in players:
        ledger = await ledger_sum(core, player_id)
        stored = await _stored(core, player_id)
        assert stored == ledger, (player_id, dict(stored), dict(ledger))


async def ledger_sum(core: Core, player_id: int) -> Counter[str]:
    """All that the ledger granted, less what it took."""
    total: Counter[str] = Counter()
    async with connected(core.slots.owner("players", slot_of(player_id)).url) as connection:
        query = "select outcome from ledger where slot = $1 and player_id = $2 and seed >= 0"
        for row in await connection.fetch(query, slot_of(player_id), player_id):
            for event in orjson.loads(row["outcome"])["events"]:
                if event["type"] == "items_granted":
                    total.update(event["items"])
                elif event["type"] == "items_taken":
                    total.subtract(event["items"])
    return +total


async def _stored(core: Core, player_id: int) -> Counter[str]:
    """Stacks and what was lost to full ones, grants under way, and reservations without a commit."""
    slot, total = slot_of(player_id), Counter[str]()
    key = (slot, player_id)
    async with (
        connected(core.slots.owner("players", slot).url) as players,
        connected(core.slots.owner("items", slot).url) as items,
    ):
        for row in await items.fetch("select * from stacks where slot = $1 and player_id = $2", *key):
            total[row["item"]] += row["count"] + row["lost"]
        given = {row["command_id"] for row in await _entries(items, *key, "grant")}
        waiting = "select command_id, payload from outbox where slot = $1 and player_id = $2 and kind = 'items'"
        for row in await players.fetch(waiting, *key):
            if row["command_id"] not in given:
                total.update(orjson.loads(row["payload"]))
        for row in await _entries(items, *key, "take"):
            token = "select outcome ->> 'payment' from ledger where slot = $1 and player_id = $2 and command_id = $3"
            if await players.fetchval(token, *key, row["command_id"]) != str(row["token"]):
                assert not row["settled"], "a payment without a command was settled"
                total.update(orjson.loads(row["items"]))
    return +total


async def _entries(items: asyncpg.Connection, slot: int, player_id: int, kind: str) -> list[Mapping[str, Any]]:
    query = "select * from item_ledger where slot = $1 and player_id = $2 and kind = $3"
    return [dict(row) for row in await items.fetch(query, slot, player_id, kind)]
