"""A node: the doors over a core, the background work beside them, and serving until a signal."""

from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

import gameserver
from gameserver import garbage, vitals
from gameserver.app import backup_watch, open_files, starting
from gameserver.app.bounds import pace_in_windows, pace_of
from gameserver.app.core import Core, open_core
from gameserver.app.rollouts import warn_of_file
from gameserver.commands import game_names
from gameserver.commands.pacing import ActionPacing
from gameserver.config.limits import LimitSettings
from gameserver.config.settings import Settings
from gameserver.storage.boards.follower import FollowedBoards, Follower
from gameserver.storage.boards.writer import BoardWriter
from gameserver.storage.items.grants import Grants
from gameserver.storage.ledger.retention import Debtors
from gameserver.storage.mail.courier import Courier, Deliverer
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.frozen_sessions import FrozenSessions
from gameserver.storage.sharding import provision
from gameserver.storage.sharding.primaries import PrimaryMemory
from gameserver.storage.slots.attendance import attend
from gameserver.times import HttpDate
from gameserver.tracing.opening import opened
from gameserver.transport import openapi
from gameserver.transport.board_pages import BOARD_PAGES, BoardPages
from gameserver.transport.callers.callers import CALLERS, Callers
from gameserver.transport.callers.denials import DenialWatch
from gameserver.transport.callers.origins import ORIGINS, Origins
from gameserver.transport.callers.sources import SourceLimits, Sources
from gameserver.transport.callers.turns import LONGEST_TURN
from gameserver.transport.console.pages import CONSOLE_PATHS, ConsolePages
from gameserver.transport.draining import NOTICED_SECONDS, Draining
from gameserver.transport.http.following import tracing_with
from gameserver.transport.http.inputs import expect
from gameserver.transport.http.marks import mark_begun
from gameserver.transport.http.middleware import Handler, wrap_request
from gameserver.transport.http.replies import LastingAnswer
from gameserver.transport.keys import CLOCK, COMMANDS, READINESS, RULES, TRACER, NodeName, Readiness
from gameserver.transport.routes import ROUTES
from gameserver.transport.service import Stop, serving
from gameserver.transport.socket.memory import MemoryLimits
from gameserver.transport.socket.places import SocketLimits
from gameserver.transport.socket.sockets import SOCKETS, Sockets
from gameserver.transport.wire import LARGEST_BODY
from gameserver.upkeep import loops, reconciling, takeover
from gameserver.upkeep.campaigns import Sending, send_for_ever
from gameserver.upkeep.closing import Closing
from gameserver.upkeep.live import Live
from gameserver.upkeep.postman import Postman
from gameserver.upkeep.rules import RulesUpkeep
from gameserver.upkeep.stillness import Stillness


def build_app(core: Core) -> web.Application:
    """The application with every door."""
    tracing = [] if core.tracer is None else [tracing_with(core.tracer)]
    app = web.Application(middlewares=[*tracing, wrap_request], client_max_size=LARGEST_BODY)
    app[TRACER] = core.tracer
    app[COMMANDS] = core.commands
    app[RULES] = core.rules
    app[CLOCK] = core.commands.accounts.policy.now
    name, databases = NodeName.of(core.settings.node.name), core.databases
    app[READINESS] = Readiness(
        node=name,
        date=HttpDate(core.rooms.clock.seconds),
        problems=databases.problems,
        primaries=databases.primaries,
        deployment=databases.deployment,
        left=databases.left,
    )
    app.on_response_prepare.append(mark_begun)
    app[BOARD_PAGES] = BoardPages()
    app[SOCKETS] = _sockets(core.settings, app[BOARD_PAGES])
    app[ORIGINS] = Origins(core.settings.node.origins)
    app[CALLERS] = callers_of(core.settings)
    document = LastingAnswer(openapi.document(gameserver.__version__))
    for route in ROUTES:
        _add(app, route.method, route.path, route.handler)

    async def read_document(request: web.Request) -> web.StreamResponse:
        return document.response(request)

    _add(app, "GET", "/openapi.json", read_document)
    console = ConsolePages(core.settings.console.environment, core.settings.console.name)
    for path in CONSOLE_PATHS:
        _add(app, "GET", path, console.read)
    return app


def _sockets(settings: Settings, pages: BoardPages) -> Sockets:
    chosen, limits = settings.sockets, settings.limits
    places = SocketLimits(
        chosen.per_node,
        limits.sockets_per_address,
        limits.sockets_without_hello_per_address,
        _pacing(limits, "ended_sockets_per_address"),
    )
    memory = MemoryLimits(chosen.held_bytes_per_socket, limits.held_bytes_per_address, chosen.held_bytes_per_node)
    return Sockets(chosen.per_player, pages, places, memory)


def _add(app: web.Application, method: str, path: str, handler: Handler) -> None:
    """HEAD is answered wherever GET is, without the body."""
    resource = app.router.add_resource(path)
    for name in ("GET", "HEAD") if method == "GET" else (method,):
        resource.add_route(name, handler, expect_handler=expect)


def callers_of(settings: Settings) -> Callers:
    """How the settings tell callers apart, and limit them."""
    limits, denials = settings.limits, DenialWatch()
    long = _pacing(limits, "steady_actions_per_player", "Too many actions of this player over a long time.")
    actions = _pacing(limits, "actions_per_player", "Too many actions of this player.", longer=long)
    keys, lists = "changes of this player's name and devices", "changes of this player's friends, blocks and inbox"
    unlimited = (*settings.node.trusted_proxies, *limits.exempt)
    sources = SourceLimits(
        limits.connections_per_address,
        pace_of(limits.new_connections_per_address),
        pace_of(limits.requests_per_address),
        pace_in_windows(limits.requests_per_address),
        turn=min(limits.requests_per_address.interval, limits.frames_per_address.interval, LONGEST_TURN),
    )
    return Callers(
        proxies=settings.node.trusted_proxies,
        exempt=limits.exempt,
        keys=settings.backend.keys,
        frames=pace_of(limits.frames_per_socket),
        address_frames=_pacing(limits, "frames_per_address"),
        actions=actions,
        reads=_pacing(limits, "reads_per_player", "Too many reads of what is this player's own."),
        exports=_pacing(limits, "exports_per_player", "Too many exports of this player."),
        entries=_pacing(limits, "entries_per_address", "Too many players are looked up from this address."),
        key_changes=_pacing(limits, "key_changes_per_player", f"Too many {keys}.", longer=actions),
        list_changes=_pacing(limits, "list_changes_per_player", f"Too many {lists}.", longer=actions),
        hellos=_pacing(limits, "hellos_per_player", "Too many sockets of this player were opened."),
        wrong_keys=_pacing(limits, "wrong_keys_per_address", "Too many wrong keys from this address."),
        sources=Sources(sources, unlimited, denials),
        denials=denials,
    )


def _pacing(limits: LimitSettings, kind: str, refused: str = "", longer: ActionPacing | None = None) -> ActionPacing:
    """The pacing of the limit of this name; `refused` is what a client is told, where it is told anything."""
    return ActionPacing(pace_of(getattr(limits, kind)), limit=kind, refused=refused, longer=longer)


def debtors_of(core: Core) -> Debtors:
    """The databases that know what of the ledger is needed still."""
    control = core.databases[core.settings.control.database]
    return Debtors(core.slots.members("players"), core.slots.members("items"), control)


def background(core: Core, app: web.Application) -> list[Coroutine[Any, Any, None]]:
    """The work that goes on as long as the node runs; none of it ends by itself."""
    rooms, commands, slots, settings = core.rooms, core.commands, core.slots, core.settings
    policy, sockets = commands.accounts.policy, app[SOCKETS]
    draining = Draining(app, settings.node.drain_seconds, max(settings.node.notice_seconds, NOTICED_SECONDS))
    postman = postman_of(core)
    deliverers: list[Deliverer] = [postman, Grants(rooms.players.inventory)]
    live = Live(rooms.live, rooms.players, commands.leaderboards, core.rules, sockets)
    rules = RulesUpkeep(commands.rollouts, policy.now)
    return [
        Stillness().run(),
        rooms.clock.run(),
        FrozenSessions(core.databases).run(),
        rules.run(),
        core.databases.watch_primaries(),
        PrimaryMemory(core.databases[settings.control.database], core.databases).run(),
        core.replicas.run(),
        rooms.players.run(),
        rooms.reads.run(),
        rooms.sessions.run(sockets),
        rooms.social.feeds.run(),
        loops.write_sightings_for_ever(slots, rooms.sessions.sightings),
        loops.sweep_for_ever(commands.accounts),
        loops.check_boards_for_ever(commands.board_repair),
        loops.drop_idle_boards_for_ever(rooms.boards.lifecycle, lambda: rooms.seasons.calendar.contests(policy.now())),
        loops.lift_bans_for_ever(commands.operations, policy, lambda: slots.databases("players")),
        loops.attend_seasons_for_ever(Closing(commands.seasons, rooms.boards.lifecycle, postman)),
        send_for_ever(Sending(commands.campaigns, postman, settings.operators.letters_per_second)),
        loops.sweep_items_for_ever(rooms.players),
        loops.forget_old_items_for_ever(rooms.players),
        loops.forget_old_moves_for_ever(core.sharding.moves),
        loops.make_partitions_for_ever(policy, lambda: slots.members("players")),
        loops.forget_old_ledger_for_ever(policy, lambda: debtors_of(core), settings.ledger.keep_seconds),
        rooms.live.mail.send_for_ever(),
        loops.forget_old_mail_for_ever(policy.now, lambda: slots.databases("players"), settings.mail.keep_seconds),
        loops.forget_old_scores_for_ever(commands.seasons, lambda: slots.databases("players")),
        loops.forget_letter_counts_for_ever(lambda: slots.databases("players")),
        attend(slots, "players", lambda database: courier(core, database, deliverers).run()),
        *live.work(),
        slots.run(),
        takeover.take_over_for_ever(core.sharding),
        draining.run(),
        rooms.live.vitals.tell_for_ever(
            lambda: {
                **vitals.figures(core.databases.left()),
                "moves": core.sharding.progress.shown(),
                "draining": draining.is_on,
                "rules": rules.figures(),
            },
            draining.obey,
        ),
        reconciling.reconcile_for_ever(provision.reconciler_of(settings, core.databases)),
        backup_watch.watch_for_ever(settings, core.databases),
        _follow(core),
    ]


def _follow(core: Core) -> Coroutine[Any, Any, None]:
    """Keeps boards and presence up with the ledger of every database of players."""
    slots, calendar, now = core.slots, core.rooms.seasons.calendar, core.commands.accounts.policy.now
    writer = BoardWriter(core.redis.following)
    followed_boards = FollowedBoards(
        lambda: calendar.contests(now()),
        lambda: [database.name for database in slots.databases("players")],
        core.rules,
    )
    return attend(
        slots,
        "players",
        lambda database: Follower(database, writer, core.rooms.live.presence, followed_boards, core.tracer).run(),
    )


def postman_of(core: Core) -> Postman:
    """Delivers all mail."""
    return Postman(core.rooms.players, core.rooms.live, core.rules, core.commands.accounts.policy, core.slots)


def courier(core: Core, database: Database, deliverers: Sequence[Deliverer]) -> Courier:
    """Empties the outbox of one database of players."""
    return Courier(database, core.slots, deliverers, core.rooms.players.posted(database))


async def serve(settings: Settings, ready_file: Path | None = None) -> None:
    """Runs a node until SIGTERM or SIGINT; makes `ready_file` when it listens.

    Raises what `open_core` does, OutdatedRedis, and GameFault if players hold what the game doesn't have.
    """
    stop = Stop()
    stop.on_signals()
    open_files.allow(settings.sockets.per_node)
    async with opened(settings.tracing, settings.node.title) as tracer, open_core(settings, tracer=tracer) as core:
        await game_names.require(core.rooms.operators.names, core.rulebook.game)
        await starting.look(settings, core.databases, core.redis.commands)
        await warn_of_file(settings, core.commands.rollouts)
        app = build_app(core)
        node = settings.node.model_copy(update={"operators_listen": settings.operators_listen()})
        async with serving(app, node, background(core, app), stop):
            garbage.settle()
            if ready_file is not None:
                ready_file.touch()
            await stop.requested.wait()
