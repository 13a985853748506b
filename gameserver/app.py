"""The one place where objects meet: opens the storage, builds the application, and serves it.

Databases must be at their migrations' head and every slot have an owner; only then does a node listen.
"""

import contextlib
import math
import os
import secrets
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from redis.asyncio import Redis

import gameserver
from gameserver.commands import seasons
from gameserver.commands.accounts import Accounts, Policy
from gameserver.commands.admin import Operations
from gameserver.commands.bans import BanCare
from gameserver.commands.board_care import BoardCare
from gameserver.commands.boards import Leaderboards
from gameserver.commands.commands import Commands
from gameserver.commands.friends import Friendships
from gameserver.commands.live import LivePlayers
from gameserver.commands.pacing import ActionPacing
from gameserver.commands.passwords import Passwords
from gameserver.commands.play import Play
from gameserver.commands.seasons import SeasonCare
from gameserver.commands.sharding import Sharding
from gameserver.config.settings import PerMinute, PerSecond, Settings
from gameserver.rules.pacing import SECOND_NS, Pace
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.accounts.bans import Bans
from gameserver.storage.accounts.births import Births
from gameserver.storage.accounts.claims import Claims
from gameserver.storage.accounts.credentials import Credentials
from gameserver.storage.accounts.identities import Identities
from gameserver.storage.accounts.intake import Intake
from gameserver.storage.boards.check import BoardCheck
from gameserver.storage.boards.follower import Boarding, Follower
from gameserver.storage.boards.standings import Boards
from gameserver.storage.boards.writer import BoardWriter
from gameserver.storage.items.grants import Grants
from gameserver.storage.ledger.history import History
from gameserver.storage.ledger.window import Window
from gameserver.storage.live.presence import Presence
from gameserver.storage.live.pushes import Pushes
from gameserver.storage.mail.courier import Courier, Deliverer
from gameserver.storage.mail.inbox import Inbox
from gameserver.storage.operators.audit import Audit
from gameserver.storage.operators.reports import Reports
from gameserver.storage.operators.survey import Survey
from gameserver.storage.players.pending import Limits
from gameserver.storage.players.players import Players
from gameserver.storage.postgres.database import Database, Databases
from gameserver.storage.redis import scripts
from gameserver.storage.rooms import AccountsRoom, BoardsRoom, LiveRoom, OperatorsRoom, Rooms, SeasonsRoom, SocialRoom
from gameserver.storage.seasons.book import SeasonBook
from gameserver.storage.seasons.calendar import Calendar
from gameserver.storage.seasons.end import SeasonEnd
from gameserver.storage.seasons.past import PastStandings
from gameserver.storage.seasons.scoring import Scoring
from gameserver.storage.sessions.attempts import AttemptPaces, Attempts
from gameserver.storage.sessions.sessions import Sessions
from gameserver.storage.sharding import provision
from gameserver.storage.sharding.membership import Membership
from gameserver.storage.sharding.mover import Mover
from gameserver.storage.sharding.record import Moves
from gameserver.storage.slots.attendance import attend
from gameserver.storage.slots.slot_map import Slots
from gameserver.storage.social.feeds import Feeds
from gameserver.storage.social.friends import Friends
from gameserver.storage.tables import migrations
from gameserver.transport import openapi
from gameserver.transport.board_pages import BOARD_PAGES, BoardPages
from gameserver.transport.callers.callers import CALLERS, Callers
from gameserver.transport.http.middleware import surround
from gameserver.transport.http.replies import answer
from gameserver.transport.keys import ADMIN_KEYS, CLOCK, COMMANDS, ORIGINS, READINESS, RULEBOOK, Readiness
from gameserver.transport.routes import ROUTES
from gameserver.transport.service import Stop, serving
from gameserver.transport.socket.sockets import SOCKETS, Sockets
from gameserver.transport.wire import LARGEST_BODY
from gameserver.upkeep import loops, moves
from gameserver.upkeep.closing import Closing
from gameserver.upkeep.live import Live
from gameserver.upkeep.postman import Postman


@dataclass(frozen=True, slots=True)
class Core:
    """The storage and the commands of one process, without its doors."""

    settings: Settings
    rulebook: Rulebook
    databases: Databases
    slots: Slots
    redis: RedisClients
    rooms: Rooms
    commands: Commands
    sharding: Sharding


@dataclass(frozen=True, slots=True)
class RedisClients:
    """Connections that don't wait for each other: of commands, of followers and presence, of session revocations."""

    commands: Redis
    following: Redis
    revoking: Redis


@contextlib.asynccontextmanager
async def open_core(settings: Settings) -> AsyncIterator[Core]:
    """Everything below the doors.

    Raises ConfigFault, GameFault, OutdatedDatabase, IncompleteMap, DatabaseUnavailable.
    """
    rulebook = Rulebook.parse(settings.game_mapping())
    async with contextlib.AsyncExitStack() as stack:
        databases = provision.open_databases(settings)
        stack.push_async_callback(databases.close)
        redis = RedisClients(*(scripts.connect(settings.redis_url(), settings.redis_access()) for _ in range(3)))
        for client in (redis.commands, redis.following, redis.revoking):
            stack.push_async_callback(client.aclose)
        await provision.require_ready(settings, databases)
        slots = Slots(databases[settings.control.database], databases, provision.sizes(settings))
        stack.push_async_callback(slots.close)
        await slots.refresh()
        passwords = Passwords()
        stack.callback(passwords.close)
        rooms = _rooms(settings, rulebook, databases, slots, redis)
        commands = _commands(settings, rulebook, slots, redis, rooms, passwords)
        sharding = _sharding(settings, databases, slots)
        core = Core(settings, rulebook, databases, slots, redis, rooms, commands, sharding)
        await loops.make_partitions(commands.accounts.policy, slots.members("players"))
        await seasons.learn(commands.seasons)
        yield core


@contextlib.asynccontextmanager
async def open_sharding(settings: Settings) -> AsyncIterator[Sharding]:
    """The slot map and what moves slots, also while some databases are away, or Redis.

    Raises ConfigFault, OutdatedDatabase, IncompleteMap, DatabaseUnavailable.
    """
    databases = provision.open_databases(settings)
    try:
        control = databases[settings.control.database]
        await migrations.require_heads({"control": [control]})
        slots = Slots(control, databases, provision.sizes(settings))
        await slots.refresh()
        yield _sharding(settings, databases, slots)
    finally:
        await databases.close()


def _sharding(settings: Settings, databases: Databases, slots: Slots) -> Sharding:
    control = databases[settings.control.database]
    moves = Moves(control)
    name = f"{settings.node.name or settings.node.host}, process {os.getpid()}, {secrets.token_hex(4)}"
    return Sharding(slots, Membership(control), moves, Mover(moves, databases, name))


def _rooms(settings: Settings, rulebook: Rulebook, databases: Databases, slots: Slots, redis: RedisClients) -> Rooms:
    control = databases[settings.control.database]
    calendar, window, game = Calendar(rulebook.game.boards), _window(settings), rulebook.game
    players = _players(settings, rulebook, slots, calendar)
    return Rooms(
        players=players,
        accounts=AccountsRoom(
            claims=Claims(slots),
            births=Births(slots),
            identities=Identities(slots, window, game),
            credentials=Credentials(slots),
            bans=Bans(slots, window, game),
            intake=Intake(slots),
        ),
        boards=BoardsRoom(Boards(redis.commands), BoardCheck(redis.commands, slots, BoardWriter(redis.commands))),
        seasons=SeasonsRoom(calendar, SeasonBook(control), SeasonEnd(slots), PastStandings(control)),
        sessions=_sessions(settings, redis, players),
        live=LiveRoom(_presence(settings, redis.following), Pushes(redis.commands)),
        social=SocialRoom(Friends(redis.commands, slots, settings.friends.per_player), Feeds(redis.commands, slots)),
        operators=OperatorsRoom(Reports(slots), Survey(databases, control), Audit(control)),
    )


def _commands(  # noqa: PLR0913 (everything meets here)
    settings: Settings, rulebook: Rulebook, slots: Slots, redis: RedisClients, rooms: Rooms, passwords: Passwords
) -> Commands:
    policy = Policy(_window(settings), lambda: datetime.now(UTC), settings.accounts.deleted_names)
    accounts = Accounts(
        rooms.accounts,
        rooms.players,
        rooms.sessions,
        _attempts(settings, redis.commands),
        passwords,
        rulebook,
        policy,
    )
    play = Play(rooms.players, History(slots), Inbox(slots), rooms.social.feeds, rulebook)
    leaderboards = Leaderboards(rooms.seasons, rooms.boards.standings, policy.now)
    audit = rooms.operators.audit
    return Commands(
        accounts=accounts,
        play=play,
        friends=Friendships(rooms.social, play, leaderboards),
        leaderboards=leaderboards,
        board_care=BoardCare(leaderboards, rooms.boards.checks, audit),
        seasons=SeasonCare(rooms.seasons, audit, policy.now),
        bans=BanCare(rooms.accounts.bans, play, rooms.seasons.book, rooms.sessions, audit),
        operations=Operations(rooms.operators, play, LivePlayers(rooms.live, policy.now)),
    )


def _sessions(settings: Settings, redis: RedisClients, players: Players) -> Sessions:
    chosen = settings.sessions
    lifetimes = (chosen.idle_seconds, chosen.longest_seconds)
    return Sessions(redis.commands, redis.revoking, players.epochs, lifetimes, chosen.per_player)


def _players(settings: Settings, rulebook: Rulebook, slots: Slots, calendar: Calendar) -> Players:
    writes = settings.writes
    limits = Limits(writes.batch, writes.in_flight, writes.queue, writes.deadline_seconds, writes.transaction_seconds)
    return Players(slots, rulebook, _window(settings), limits, Scoring(calendar))


def _window(settings: Settings) -> Window:
    return Window(settings.ledger.window_back_seconds * 1000, settings.ledger.window_ahead_seconds * 1000)


def _presence(settings: Settings, redis: Redis) -> Presence:
    node = settings.node
    address = f"{node.host}:{node.own_port or node.port}"
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Presence(redis, node.name or address, address, now)


def _attempts(settings: Settings, redis: Redis) -> Attempts:
    asked = settings.limits
    paces = (
        asked.sign_ups_per_address,
        asked.sign_ins_per_address,
        asked.sign_ins_per_name,
        asked.password_changes_per_player,
    )
    return Attempts(redis, AttemptPaces(*map(_pace, paces)))


def _pace(asked: PerMinute | PerSecond) -> Pace:
    return Pace(math.ceil(asked.interval * SECOND_NS), asked.burst)


def build_app(core: Core) -> web.Application:
    """The application with every door."""
    app = web.Application(middlewares=[surround], client_max_size=LARGEST_BODY)
    app[COMMANDS] = core.commands
    app[RULEBOOK] = core.rulebook
    app[CLOCK] = core.commands.accounts.policy.now
    app[READINESS] = Readiness()
    app[BOARD_PAGES] = BoardPages()
    app[SOCKETS] = Sockets(core.settings.sockets.per_player, app[BOARD_PAGES])
    app[ADMIN_KEYS] = core.settings.admin_keys()
    app[ORIGINS] = frozenset(core.settings.node.origins)
    app[CALLERS] = _callers(core.settings)
    document = openapi.document(gameserver.__version__)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, route.handler)

    async def read_document(_: web.Request) -> web.Response:
        return answer(document)

    app.router.add_route("GET", "/openapi.json", read_document)
    return app


def _callers(settings: Settings) -> Callers:
    limits = settings.limits
    return Callers(
        settings.node.trusted_proxies,
        limits.exempt,
        settings.backend.keys,
        _pace(limits.frames_per_socket),
        ActionPacing(_pace(limits.actions_per_player)),
    )


def background(core: Core, app: web.Application) -> list[Coroutine[Any, Any, None]]:
    """The work that goes on as long as the node; none of it ever ends by itself."""
    rooms, commands, slots, settings = core.rooms, core.commands, core.slots, core.settings
    policy, sockets = commands.accounts.policy, app[SOCKETS]
    postman = postman_of(core)
    deliverers: list[Deliverer] = [postman, Grants(rooms.players.inventory)]
    live = Live(rooms.live, rooms.players, commands.leaderboards, core.rulebook.game, sockets)
    return [
        rooms.players.run(),
        rooms.sessions.run(sockets),
        rooms.social.feeds.run(),
        loops.sweep_for_ever(commands.accounts),
        loops.check_boards_for_ever(commands.board_care),
        loops.attend_seasons_for_ever(Closing(commands.seasons, rooms.boards.checks, postman)),
        loops.sweep_items_for_ever(rooms.players),
        loops.forget_old_items_for_ever(rooms.players),
        loops.make_partitions_for_ever(policy, lambda: slots.members("players")),
        postman.tell_for_ever(),
        loops.forget_old_mail_for_ever(policy.now, lambda: slots.databases("players"), settings.mail.keep_seconds),
        attend(slots, "players", lambda database: courier(core, database, deliverers).run()),
        *live.work(),
        slots.run(),
        moves.take_over_for_ever(core.sharding),
        _follow(core),
    ]


def _follow(core: Core) -> Coroutine[Any, Any, None]:
    """Keeps boards and presence up with the ledger of every database of players."""
    slots, calendar, now = core.slots, core.rooms.seasons.calendar, core.commands.accounts.policy.now
    writer = BoardWriter(core.redis.following)
    boarding = Boarding(
        lambda: calendar.contests(now()), lambda: [database.name for database in slots.databases("players")]
    )
    return attend(slots, "players", lambda each: Follower(each, writer, core.rooms.live.presence, boarding).run())


def postman_of(core: Core) -> Postman:
    """Delivers all mail."""
    return Postman(core.rooms.players, core.rooms.live, core.rulebook, core.commands.accounts.policy, core.slots)


def courier(core: Core, database: Database, deliverers: Sequence[Deliverer]) -> Courier:
    """Empties the outbox of one database of players."""
    return Courier(database, core.slots, deliverers, core.rooms.players.posted(database))


async def serve(settings: Settings, ready_file: Path | None = None) -> None:
    """Runs a node until SIGTERM or SIGINT; makes `ready_file` when it listens."""
    stop = Stop()
    stop.on_signals()
    async with open_core(settings) as core:
        app = build_app(core)
        async with serving(app, settings.node, background(core, app), stop):
            if ready_file is not None:
                ready_file.touch()
            await stop.asked.wait()
