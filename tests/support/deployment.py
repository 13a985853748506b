"""What the storage's tests do with a deployment: nodes' storage, players, commands, and what the databases hold."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import orjson
from pydantic import SecretStr

from gameserver import app as application
from gameserver.app import Core
from gameserver.commands.accounts import Application
from gameserver.commands.sign_up import enroll
from gameserver.config.limits import PerMinute
from gameserver.config.settings import Settings
from gameserver.rules.errors import GameError
from gameserver.rules.player import Player
from gameserver.rules.player_data import NO_DATA, dump
from gameserver.rules.replay import Record, replay
from gameserver.storage.boards.follower import FollowedBoards, Follower
from gameserver.storage.boards.writer import BoardWriter
from gameserver.storage.ids import slot_of
from gameserver.storage.mail.courier import Deliverer
from gameserver.storage.players.command import Command, Receipt
from gameserver.storage.postgres.locks import FENCES
from gameserver.storage.slots.attendance import attend
from gameserver.waiting import cancel_and_wait
from tests.support.client import command_id
from tests.support.devices import device_of
from tests.support.servers import SLOTS, Servers, database_of
from tests.support.wait import wait_until

FENCE = FENCES["players"]
_numbers = iter(range(1, 1 << 62))


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[Core]:
    """A node's storage and commands without doors; its queues are worked off."""
    async with application.open_core(settings) as opened:
        task = asyncio.create_task(opened.rooms.players.run())
        yield opened
        await cancel_and_wait([task])


@asynccontextmanager
async def carrying(core: Core, deliverer: Deliverer | None = None) -> AsyncIterator[None]:
    """A node's couriers at work."""
    deliverers = [deliverer or application.postman_of(core)]
    work = attend(core.slots, "players", lambda each: application.courier(core, each, deliverers).run())
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        assert not task.done(), "the couriers have ended by themselves"
        await cancel_and_wait([task])


@asynccontextmanager
async def connected(url: SecretStr) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own."""
    connection = await asyncpg.connect(url.get_secret_value())
    try:
        yield connection
    finally:
        connection.terminate()


@asynccontextmanager
async def superuser(servers: Servers, core: Core, database: str) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection to a database of the deployment."""
    name = database_of(core.databases[database].url)
    url = servers.postgres[database].superuser_url.rsplit("/", 1)[0] + f"/{name}"
    async with connected(SecretStr(url)) as connection:
        yield connection


def with_actions(settings: Settings, folder: Path, boards: str = "", **actions: str) -> Settings:
    """The settings with more actions, and more boards, in the game."""
    return with_rules(settings, folder, actions, {}, boards)


def with_rules(
    settings: Settings, folder: Path, actions: Mapping[str, str], mail: Mapping[str, str], boards: str = ""
) -> Settings:
    """The settings with more actions, rules of letters, and boards, in the game."""
    text, game = settings.game.read_text("utf-8"), folder / "game.toml"
    for table, rules in (("[actions]\n", actions), ("[mail]\n", mail)):
        text = text.replace(table, table + "".join(f'{name} = "{each}"\n' for name, each in rules.items()))
    game.write_text(f"{text}\n{boards}", "utf-8")
    return settings.model_copy(update={"game": game})


def widely_limited(settings: Settings) -> Settings:
    """The settings with limits on letters that no test of something else meets."""
    wide = PerMinute(per_minute=1_000_000, burst=1_000_000)
    limits = dict.fromkeys(("letters_per_sender", "letters_per_pair", "letters_per_recipient"), wide)
    return settings.model_copy(update={"limits": settings.limits.model_copy(update=limits)})


async def enlist(core: Core, class_name: str = "warrior", exp: int = 0, database: str | None = None) -> Player:
    """A new player, on a certain database if one is named."""
    while True:
        number = next(_numbers)
        wanted = Application(f"Player {number}", class_name, device=device_of(f"device-{number:06}"), exp=exp)
        key = command_id()
        if database is None or owner(core, core.rooms.accounts.enrolments.id_of(key, 0)) == database:
            birth, _ = await enroll(core.commands.accounts, wanted, key)
            return birth.player


async def enlist_many(core: Core, count: int, database: str | None = None) -> list[Player]:
    return list(await asyncio.gather(*(enlist(core, database=database) for _ in range(count))))


def owner(core: Core, player_id: int) -> str:
    """The name of the database that has the player, as the node's map has it."""
    return core.slots.owner("players", slot_of(player_id)).name


def order(core: Core, player_id: int, action: str = "hunt", key: str | None = None, **args: Any) -> Command:
    """A command as the doors make it."""
    if action == "hunt":
        args.setdefault("foe", "slime")
    rulebook = core.rulebook
    model = rulebook.arguments(action, args)
    takes = rulebook.takes(action, model)
    return Command(key or command_id(), player_id, action, model, 0, takes=takes, repeatable=True)


async def act(core: Core, player_id: int, action: str = "hunt", key: str | None = None, **args: Any) -> Receipt:
    return await core.rooms.players.act(order(core, player_id, action, key, **args))


async def settled(core: Core, commands: Sequence[Command]) -> list[Receipt | GameError]:
    """What came of each of the commands, submitted in their order."""
    found = await asyncio.gather(*(core.rooms.players.act(command) for command in commands), return_exceptions=True)
    return [_expected(outcome) for outcome in found]


def _expected(found: Receipt | BaseException) -> Receipt | GameError:
    if isinstance(found, Receipt | GameError):
        return found
    raise found


async def ledger(core: Core, player_id: int) -> list[Mapping[str, Any]]:
    """The commands of a player that took effect, on the database of the map, oldest first."""
    async with connected(core.slots.owner("players", slot_of(player_id)).url) as connection:
        asked = "select *, command_id::text as key from ledger where slot = $1 and player_id = $2 order by version"
        rows = await connection.fetch(asked, slot_of(player_id), player_id)
        return [dict(row) for row in rows if row["seed"] >= 0]


async def waiting(core: Core) -> int:
    """How many letters lie in the outboxes of the databases that own them."""
    owned, count = "select count(*) from outbox join players_owned_slots using (slot) where owned", 0
    for database in ("one", "two"):
        async with connected(core.databases[database].url) as connection:
            count += await connection.fetchval(owned)
    return count


async def drained(core: Core) -> None:
    """Every letter has arrived, somewhere."""

    async def is_empty() -> bool:
        return not await waiting(core)

    await wait_until(is_empty, what="the outboxes are empty")


async def present(core: Core, player_id: int) -> Player:
    return (await core.rooms.players.read([player_id]))[player_id]


async def assert_ledger_explains(core: Core, player_id: int) -> list[Mapping[str, Any]]:
    """Its versions are consecutive from the sign-up on, and replaying it gives the present player."""
    rows = await ledger(core, player_id)
    assert [row["version"] for row in rows] == list(range(1, len(rows) + 1))
    born, *acted = rows
    shown, at = orjson.loads(born["outcome"]), born["at"]
    first = Player(player_id, shown["name"], shown["class"], shown["level"], shown["hp"], shown["exp"], 1, at, at)
    records = [
        Record(row["action"], orjson.loads(row["args"]), row["seed"], row["at"], orjson.loads(row["outcome"]))
        for row in acted
    ]
    last = replay(core.rulebook, first, records)
    assert last._replace(data=NO_DATA) == await present(core, player_id)
    assert dump(last.data) == await stored_data(core, player_id)
    return rows


async def stored_data(core: Core, player_id: int) -> str | None:
    """The JSON text of what the rules remember of the player."""
    async with connected(core.slots.owner("players", slot_of(player_id)).url) as connection:
        where = "where slot = $1 and id = $2"
        text: str | None = await connection.fetchval(f"select data from players {where}", slot_of(player_id), player_id)
        return text


@asynccontextmanager
async def following(core: Core) -> AsyncIterator[None]:
    """A node's followers of all its databases."""
    followed_boards = FollowedBoards(
        lambda: core.rooms.seasons.calendar.contests(core.commands.accounts.policy.now()),
        lambda: names_of(core),
        core.rules,
    )
    writer, presence = BoardWriter(core.redis.following), core.rooms.live.presence
    followers = [Follower(database, writer, presence, followed_boards) for database in core.slots.databases("players")]
    tasks = [asyncio.create_task(follower.run()) for follower in followers]
    yield
    await cancel_and_wait(tasks)
    assert all(task.cancelled() for task in tasks), [task.exception() for task in tasks if not task.cancelled()]


def names_of(core: Core) -> list[str]:
    return [database.name for database in core.slots.databases("players")]


async def move_slot(core: Core, slot: int, target: str) -> None:
    """Moves a slot of players with its rows, as a cut-over does: the fence, the rows, the owners, the map."""
    await core.slots.refresh()
    source = core.slots.owner("players", slot)
    async with (
        connected(source.url) as old,
        connected(core.databases[target].url) as new,
        connected(core.databases[core.settings.control.database].url) as control,
        old.transaction(),
    ):
        await old.execute(f"select pg_advisory_xact_lock({FENCE})")
        for table in ("players", "credentials", "devices", "ledger", "scores", "season_floors", "outbox", "inbox",
                      "blocks", "letter_counts"):  # fmt: skip
            rows = await old.fetch(f"select * from {table} where slot = $1", slot)
            await new.execute(f"delete from {table} where slot = $1", slot)
            await new.copy_records_to_table(table, records=[tuple(row) for row in rows])
        own = "insert into players_owned_slots values ($1, true, 2) on conflict (slot) do update set owned = true"
        await new.execute(own, slot)
        await old.execute("update players_owned_slots set owned = false, epoch = 2 where slot = $1", slot)
        moved = """update slots set database = $1, epoch = 2 where "group" = 'players' and slot = $2"""
        await control.execute(moved, target, slot)


def slots_of(core: Core, database: str, group: str = "players") -> list[int]:
    return [slot for slot in range(SLOTS) if core.slots.owner(group, slot).name == database]
