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
from gameserver.commands.backend import Backend
from gameserver.commands.pacing import ActionPacing
from gameserver.commands.passwords import Passwords
from gameserver.commands.sharding import Sharding
from gameserver.config.limits import PerMinute, PerSecond
from gameserver.config.settings import Settings
from gameserver.rules.pacing import SECOND_NS, Pace
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.accounts.claims import Claims
from gameserver.storage.accounts.credentials import Credentials
from gameserver.storage.accounts.intake import Intake
from gameserver.storage.boards.check import BoardCheck
from gameserver.storage.boards.follower import Boarding, Follower
from gameserver.storage.boards.standings import Boards
from gameserver.storage.boards.writer import BoardWriter
from gameserver.storage.items.grants import Grants
from gameserver.storage.ledger.window import Window
from gameserver.storage.live.presence import Presence
from gameserver.storage.live.pushes import Pushes
from gameserver.storage.mail.courier import Courier, Deliverer
from gameserver.storage.operators.audit import Audit
from gameserver.storage.operators.reports import Reports
from gameserver.storage.operators.survey import Survey
from gameserver.storage.players.pending import Limits
from gameserver.storage.players.players import Players
from gameserver.storage.postgres.database import Database, Databases
from gameserver.storage.redis import scripts
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
from gameserver.times import rfc3339
from gameserver.transport import openapi
from gameserver.transport.board_pages import BOARD_PAGES, BoardPages
from gameserver.transport.callers.callers import CALLERS, Callers
from gameserver.transport.http.middleware import surround
from gameserver.transport.http.replies import answer
from gameserver.transport.keys import ADMIN_KEYS, BACKEND, ORIGINS, READINESS, Readiness
from gameserver.transport.routes import ROUTES
from gameserver.transport.service import Stop, serving
from gameserver.transport.socket.sockets import SOCKETS, Sockets
from gameserver.transport.wire import LARGEST_BODY
from gameserver.upkeep import loops, moves
from gameserver.upkeep.live import Live
from gameserver.upkeep.postman import Postman


@dataclass(frozen=True, slots=True)
class Core:
    """The storage and the commands' backend of one process, without its doors."""

    settings: Settings
    databases: Databases
    slots: Slots
    redis: Redis
    following: Redis
    """The Redis client of the followers and of presence."""
    backend: Backend
    sharding: Sharding


@contextlib.asynccontextmanager
async def open_core(settings: Settings) -> AsyncIterator[Core]:
    """Everything below the doors.

    Raises ConfigFault, GameFault, OutdatedDatabase, IncompleteMap, DatabaseUnavailable.
    """
    rulebook = Rulebook.parse(settings.game_mapping())
    async with contextlib.AsyncExitStack() as stack:
        databases = provision.open_databases(settings)
        stack.push_async_callback(databases.close)
        access = settings.redis_access()
        redis, following, revoking = (scripts.connect(settings.redis_url(), access) for _ in range(3))
        stack.push_async_callback(redis.aclose)
        stack.push_async_callback(following.aclose)
        stack.push_async_callback(revoking.aclose)
        await provision.require_ready(settings, databases)
        slots = Slots(databases[settings.control.database], databases, provision.sizes(settings))
        stack.push_async_callback(slots.close)
        await slots.refresh()
        passwords = Passwords()
        stack.callback(passwords.close)
        calendar = Calendar(rulebook.game.boards)
        players = _players(settings, rulebook, slots, calendar)
        sessions = _sessions(settings, redis, revoking, players)
        friends, feeds = Friends(redis, slots, settings.friends.per_player), Feeds(redis, slots)
        attempts, pushes, presence = _attempts(settings, redis), Pushes(redis), _presence(settings, following)
        backend = _backend(
            settings,
            rulebook,
            databases,
            slots,
            passwords,
            players,
            sessions,
            redis,
            calendar,
            friends,
            feeds,
            attempts,
            presence,
            pushes,
        )
        core = Core(settings, databases, slots, redis, following, backend, _sharding(settings, databases, slots))
        await loops.make_partitions(core.backend, slots.members("players"))
        await seasons.learn(core.backend)
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


def _sessions(settings: Settings, redis: Redis, revoking: Redis, players: Players) -> Sessions:
    kept = settings.sessions
    return Sessions(redis, revoking, players.epochs, (kept.idle_seconds, kept.longest_seconds), kept.per_player)


def _players(settings: Settings, rulebook: Rulebook, slots: Slots, calendar: Calendar) -> Players:
    writes = settings.writes
    limits = Limits(writes.batch, writes.in_flight, writes.queue, writes.deadline_seconds, writes.transaction_seconds)
    return Players(slots, rulebook, _window(settings), limits, Scoring(calendar))


def _window(settings: Settings) -> Window:
    return Window(settings.ledger.window_back_seconds * 1000, settings.ledger.window_ahead_seconds * 1000)


def _presence(settings: Settings, redis: Redis) -> Presence:
    node = settings.node
    address = f"{node.host}:{node.own_port or node.port}"
    return Presence(redis, node.name or address, address, rfc3339(datetime.now(UTC)))


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


def _backend(  # noqa: PLR0913 (everything meets here)
    settings: Settings, rulebook: Rulebook, databases: Databases, slots: Slots, passwords: Passwords,
    players: Players, sessions: Sessions, redis: Redis, calendar: Calendar, friends: Friends, feeds: Feeds,
    attempts: Attempts, presence: Presence, pushes: Pushes,
) -> Backend:  # fmt: skip
    control = databases[settings.control.database]
    return Backend(
        players=players,
        claims=Claims(slots),
        credentials=Credentials(slots),
        intake=Intake(slots),
        sessions=sessions,
        boards=Boards(redis),
        calendar=calendar,
        checks=BoardCheck(redis, slots, BoardWriter(redis)),
        seasons=SeasonBook(control),
        season_end=SeasonEnd(slots),
        past=PastStandings(control),
        friends=friends,
        feeds=feeds,
        presence=presence,
        pushes=pushes,
        reports=Reports(slots),
        survey=Survey(databases, control),
        audit=Audit(control),
        rulebook=rulebook,
        passwords=passwords,
        attempts=attempts,
        pacing=ActionPacing(_pace(settings.limits.actions_per_player)),
        window=_window(settings),
        deleted_names=settings.accounts.deleted_names,
        now=lambda: datetime.now(UTC),
    )


def build_app(core: Core) -> web.Application:
    """The application with every door."""
    app = web.Application(middlewares=[surround], client_max_size=LARGEST_BODY)
    app[BACKEND] = core.backend
    app[READINESS] = Readiness()
    app[BOARD_PAGES] = BoardPages()
    app[SOCKETS] = Sockets(core.settings.sockets.per_player, app[BOARD_PAGES])
    app[ADMIN_KEYS] = core.settings.admin_keys()
    app[ORIGINS] = frozenset(core.settings.node.origins)
    app[CALLERS] = _callers(core.settings)
    document = openapi.document(gameserver.__version__)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, route.guarded())

    async def read_document(_: web.Request) -> web.Response:
        return answer(document)

    app.router.add_route("GET", "/openapi.json", read_document)
    return app


def _callers(settings: Settings) -> Callers:
    limits = settings.limits
    return Callers(settings.node.trusted_proxies, limits.exempt, settings.backend.keys, _pace(limits.frames_per_socket))


def background(core: Core, app: web.Application) -> list[Coroutine[Any, Any, None]]:
    """The work that goes on as long as the node; none of it ever ends by itself."""
    backend, slots, settings = core.backend, core.slots, core.settings
    postman, grants = Postman(backend, slots), Grants(backend.players.inventory)

    def owners() -> list[str]:
        return [each.name for each in slots.databases("players")]

    writer = BoardWriter(core.following)
    boarding = Boarding(lambda: backend.calendar.contests(backend.now()), owners)
    return [
        backend.players.run(),
        backend.sessions.run(app[SOCKETS]),
        backend.feeds.run(),
        loops.sweep_for_ever(backend),
        loops.check_boards_for_ever(backend),
        loops.attend_seasons_for_ever(backend, postman),
        loops.sweep_items_for_ever(backend),
        loops.forget_old_items_for_ever(backend),
        loops.make_partitions_for_ever(backend, lambda: slots.members("players")),
        postman.tell_for_ever(),
        loops.forget_old_mail_for_ever(backend, lambda: slots.databases("players"), settings.mail.keep_seconds),
        attend(slots, "players", lambda each: courier(core, each, [postman, grants]).run()),
        *Live(backend, app[SOCKETS]).work(),
        slots.run(),
        moves.take_over_for_ever(core.sharding),
        attend(slots, "players", lambda each: Follower(each, writer, backend.presence, boarding).run()),
    ]


def courier(core: Core, database: Database, deliverers: Sequence[Deliverer]) -> Courier:
    """Empties the outbox of one database of players."""
    return Courier(database, core.slots, deliverers, core.backend.players.posted(database))


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
