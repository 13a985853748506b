"""The one place where objects meet: opens the storage, builds the application, serves it and drains it.

Start: databases must be at their migrations' head and every slot have an owner; only then does the node listen.
Stop: readiness off, sockets told to go elsewhere, requests in flight answered, background work ended, pools closed,
each step with a deadline. A second signal skips the waiting.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web
from redis.asyncio import Redis

import gameserver
from gameserver.commands import upkeep
from gameserver.commands.backend import Backend
from gameserver.commands.passwords import Passwords
from gameserver.config import Settings
from gameserver.rules.rulebook import Rulebook
from gameserver.storage import migrations, scripts, slots
from gameserver.storage.batch import Window
from gameserver.storage.claims import Claims
from gameserver.storage.committer import Limits
from gameserver.storage.databases import Database, Databases
from gameserver.storage.follower import Follower
from gameserver.storage.leaderboards import Boards, BoardWriter
from gameserver.storage.players import Players
from gameserver.storage.reports import Reports
from gameserver.storage.sessions import Sessions
from gameserver.storage.slots import Slots
from gameserver.transport import openapi
from gameserver.transport.asking import answer
from gameserver.transport.keys import ADMIN_KEYS, BACKEND, ORIGINS, READINESS, SOCKETS, Readiness
from gameserver.transport.middleware import explain, identify
from gameserver.transport.routes import ROUTES
from gameserver.transport.sockets import Sockets
from gameserver.transport.wire import LARGEST_BODY

log = structlog.get_logger()

KEEP_ALIVE_SECONDS = 75


@dataclass(frozen=True, slots=True)
class Core:
    """The storage and the commands' backend of one process, without its doors."""

    settings: Settings
    databases: Databases
    slots: Slots
    redis: Redis
    backend: Backend

    def members(self, group: str) -> list[Database]:
        return self.slots.databases(group)


def members_of(settings: Settings, databases: Databases) -> dict[str, list[Database]]:
    """The databases of every group, and of the control tables."""
    groups = {name: [databases[each] for each in group.databases] for name, group in settings.groups.items()}
    return {"control": [databases[settings.control.database]], **groups}


async def migrate(settings: Settings) -> None:
    """Brings every database to its head and gives every slot an owner. Raises driver errors as they are."""
    databases = Databases({name: settings.database_url(name) for name in settings.databases})
    try:
        members = members_of(settings, databases)
        for group, each_member in members.items():
            for database in each_member:
                await migrations.upgrade(database, group)
        sizes = {name: group.slots for name, group in settings.groups.items()}
        groups = {group: each_member for group, each_member in members.items() if group != "control"}
        await slots.assign(members["control"][0], groups, sizes)
    finally:
        await databases.close()


@contextlib.asynccontextmanager
async def open_core(settings: Settings) -> AsyncIterator[Core]:
    """Everything below the doors. Raises ConfigFault, GameFault, OutdatedDatabase,
    IncompleteMap, DatabaseUnavailable.
    """
    rulebook = Rulebook.parse(settings.game_mapping())
    async with contextlib.AsyncExitStack() as stack:
        databases = Databases({name: settings.database_url(name) for name in settings.databases})
        stack.push_async_callback(databases.close)
        redis = scripts.connect(settings.redis_url())
        stack.push_async_callback(redis.aclose)
        await migrations.require_heads(members_of(settings, databases))
        sizes = {name: group.slots for name, group in settings.groups.items()}
        own_slots = Slots(databases[settings.control.database], databases, sizes)
        await own_slots.refresh()
        passwords = Passwords()
        stack.callback(passwords.close)
        backend = _backend(settings, rulebook, databases, own_slots, redis, passwords)
        core = Core(settings, databases, own_slots, redis, backend)
        await upkeep.make_partitions(backend, core.members("players"))
        yield core


def _backend(
    settings: Settings,
    rulebook: Rulebook,
    databases: Databases,
    own_slots: Slots,
    redis: Redis,
    passwords: Passwords,
) -> Backend:
    writes, ledger, kept = settings.writes, settings.ledger, settings.sessions
    window = Window(ledger.window_back_seconds * 1000, ledger.window_ahead_seconds * 1000)
    limits = Limits(writes.batch, writes.in_flight, writes.queue, writes.deadline_seconds, writes.transaction_seconds)
    everyone = [databases[name] for name in databases.names()]
    return Backend(
        players=Players(everyone, own_slots, rulebook, window, limits),
        claims=Claims(own_slots),
        sessions=Sessions(redis, kept.idle_seconds, kept.longest_seconds, kept.per_player),
        boards=Boards(redis, rulebook.game.boards),
        reports=Reports(databases, own_slots),
        rulebook=rulebook,
        passwords=passwords,
        window=window,
        now=lambda: datetime.now(UTC),
    )


def build_app(core: Core) -> web.Application:
    """The application with every door."""
    app = web.Application(middlewares=[identify, explain], client_max_size=LARGEST_BODY)
    app[BACKEND] = core.backend
    app[READINESS] = Readiness()
    app[SOCKETS] = Sockets()
    app[ADMIN_KEYS] = core.settings.admin_keys()
    app[ORIGINS] = frozenset(core.settings.node.origins)
    document = openapi.document(gameserver.__version__)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, route.handler)

    async def read_document(_: web.Request) -> web.Response:
        return answer(document)

    app.router.add_route("GET", "/openapi.json", read_document)
    return app


def _background(core: Core, app: web.Application) -> list[Coroutine[Any, Any, None]]:
    """The work that goes on as long as the node; none of it ever ends by itself."""
    backend = core.backend
    members = core.members("players")
    names = [database.name for database in members]
    writer = BoardWriter(core.redis, backend.rulebook.game.boards)
    return [
        backend.players.run(),
        backend.sessions.run(app[SOCKETS].end_sessions),
        upkeep.sweep_for_ever(backend),
        upkeep.make_partitions_for_ever(backend, members),
        *(Follower(database, writer, names).run() for database in members),
    ]


async def serve(settings: Settings, ready_file: Path | None = None) -> None:
    """Runs a node until SIGTERM or SIGINT; makes `ready_file` when it listens."""
    stop = _Stop()
    async with open_core(settings) as core:
        app = build_app(core)
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            shutdown_timeout=settings.node.drain_seconds,
        )
        background = [asyncio.create_task(each) for each in _background(core, app)]
        try:
            await runner.setup()
            await _listen(runner, settings)
            app[READINESS].ready = True
            if ready_file is not None:
                ready_file.touch()
            log.info("serving", host=settings.node.host, port=settings.node.port, own_port=settings.node.own_port)
            await stop.wait(background)
            log.info("draining")
        finally:
            await stop.unless_hurried(_drain(app, runner, settings.node.drain_seconds))
            await _cancel(background)
            log.info("stopped")
    _raise_first_fault(background)


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    node = settings.node
    await web.TCPSite(runner, node.host, node.port, reuse_port=True, backlog=1024).start()
    if node.own_port is not None:
        await web.TCPSite(runner, node.host, node.own_port).start()


class _Stop:
    """Hears SIGTERM and SIGINT: the first ends the service, the second ends the waiting."""

    def __init__(self) -> None:
        self._signals = 0
        self._heard = asyncio.Event()
        self._hurried = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._hear)

    def _hear(self) -> None:
        (self._hurried if self._heard.is_set() else self._heard).set()

    async def wait(self, background: list[asyncio.Task[None]]) -> None:
        """Until a signal comes, or a part of the background work dies, which it never should."""
        heard = asyncio.create_task(self._heard.wait())
        await asyncio.wait([heard, *background], return_when=asyncio.FIRST_COMPLETED)
        heard.cancel()
        self._heard.set()

    async def unless_hurried(self, work: Coroutine[Any, Any, None]) -> None:
        """Does the work, or drops it at the second signal."""
        task, hurried = asyncio.create_task(work), asyncio.create_task(self._hurried.wait())
        await asyncio.wait([task, hurried], return_when=asyncio.FIRST_COMPLETED)
        await _cancel([task, hurried])


async def _drain(app: web.Application, runner: web.AppRunner, seconds: float) -> None:
    app[READINESS].ready = False
    for site in list(runner.sites):
        await site.stop()
    await app[SOCKETS].go_away(seconds)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds + 1):
            await runner.cleanup()


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=5)


def _raise_first_fault(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            raise error
