"""The storage and the commands of one process: every object below the doors is made here, in one linear order."""

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import NamedTuple

from redis.asyncio import Redis

from gameserver.app.bounds import attempts_of, pace_of, passwords_of, reserved_names_of, staleness_of, window_of
from gameserver.app.correcting import corrections_of, erasures_of, player_pages_of
from gameserver.app.operators import admins_of, campaigns_of, operators_room
from gameserver.app.rollouts import KnownRules, rollouts_of, rules_at_start
from gameserver.app.sharding import sharding_of
from gameserver.commands import seasons
from gameserver.commands.accounts import Accounts, Policy
from gameserver.commands.board_repair import BoardRepair
from gameserver.commands.boards import Leaderboards
from gameserver.commands.commands import Commands
from gameserver.commands.entrance import Entrance
from gameserver.commands.export_places import OperatorPlaces
from gameserver.commands.fleet import FleetOrders
from gameserver.commands.friends import Friendships
from gameserver.commands.live import LivePlayers
from gameserver.commands.operations import Operations
from gameserver.commands.passwords import Passwords
from gameserver.commands.play import Play
from gameserver.commands.player_changes import PlayerChanges
from gameserver.commands.player_export import PlayerExports
from gameserver.commands.seasons import Seasons
from gameserver.commands.sharding import Sharding
from gameserver.config.settings import Settings
from gameserver.rules.editions import RulesInForce
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.rules.reserved_names import ReservedNames
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.accounts.bans import Bans
from gameserver.storage.accounts.claims import Claims
from gameserver.storage.accounts.credentials import Credentials
from gameserver.storage.accounts.devices import Devices
from gameserver.storage.accounts.enrolments import Enrolments
from gameserver.storage.accounts.entrants import Entrants
from gameserver.storage.accounts.identities import Identities
from gameserver.storage.accounts.intake import Intake
from gameserver.storage.accounts.looks import Looks
from gameserver.storage.boards.check import BoardCheck
from gameserver.storage.boards.lifecycle import BoardLifecycle
from gameserver.storage.boards.standings import Boards
from gameserver.storage.boards.writer import BoardWriter
from gameserver.storage.ledger.history import History
from gameserver.storage.ledger.past import Pasts
from gameserver.storage.live.mail_pushes import MailPushes
from gameserver.storage.live.presence import Presence
from gameserver.storage.live.pushes import Pushes
from gameserver.storage.live.vitals import Vitals
from gameserver.storage.mail.bounds import LetterLimits
from gameserver.storage.mail.inbox import Inbox
from gameserver.storage.players.batches import BatchTerms
from gameserver.storage.players.pending import CommitLimits
from gameserver.storage.players.players import Players
from gameserver.storage.players.replica_reads import ReplicaReads
from gameserver.storage.postgres.clocks import NodeClock
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.postgres.replica import Replicas
from gameserver.storage.redis import clients
from gameserver.storage.rooms import AccountsRoom, BoardsRoom, LiveRoom, Rooms, SeasonsRoom, SocialRoom
from gameserver.storage.seasons.calendar import Calendar
from gameserver.storage.seasons.end import SeasonEnd
from gameserver.storage.seasons.past import PastStandings
from gameserver.storage.seasons.records import SeasonRecords
from gameserver.storage.sessions.attempts import Attempts
from gameserver.storage.sessions.sessions import Sessions
from gameserver.storage.sharding import provision
from gameserver.storage.slots.slot_map import Slots
from gameserver.storage.social.blocks import Blocks
from gameserver.storage.social.feeds import Feeds
from gameserver.storage.social.friends import Friends
from gameserver.storage.social.lists import Lists
from gameserver.times import rfc3339
from gameserver.tracing.tracer import Tracer
from gameserver.upkeep import loops


@dataclass(frozen=True, slots=True)
class RedisClients:
    """Clients with connections of their own: for commands, for followers and presence, for session revocations."""

    commands: Redis
    following: Redis
    revoking: Redis


@dataclass(frozen=True, slots=True)
class Ground:
    """What the rooms of storage stand on."""

    databases: Databases
    replicas: Replicas
    slots: Slots
    redis: RedisClients
    clock: NodeClock
    tracer: Tracer | None


@dataclass(frozen=True, slots=True, repr=False)
class Core:
    """The storage and the commands of one process, without its doors."""

    settings: Settings
    rules: RulesInForce
    databases: Databases
    replicas: Replicas
    slots: Slots
    redis: RedisClients
    rooms: Rooms
    commands: Commands
    sharding: Sharding
    tracer: Tracer | None
    """None unless requests are traced."""

    @property
    def rulebook(self) -> Rulebook:
        """The one in force."""
        return self.rules.rulebook


class _Guards(NamedTuple):
    """What stands before sign-up and sign-in."""

    attempts: Attempts
    passwords: Passwords
    reserved: ReservedNames


@contextlib.asynccontextmanager
async def open_core(
    settings: Settings, wall: Callable[[], float] = time.time, tracer: Tracer | None = None
) -> AsyncIterator[Core]:
    """Everything below the doors; `wall` is the machine's clock, in Unix seconds.

    Raises ConfigFault, GameFault, OutdatedDatabase, IncompleteMap, DatabaseUnavailable.
    """
    game = settings.game_mapping()
    Rulebook.parse_new(game)  # what is wrong with it is said before any server is asked, and its code is imported
    reserved = reserved_names_of(settings)
    async with contextlib.AsyncExitStack() as stack:
        databases = provision.open_databases(settings)
        stack.push_async_callback(databases.close)
        replicas = provision.open_replicas(settings, databases)
        stack.push_async_callback(replicas.close)
        redis = RedisClients(
            *(clients.connect(settings.redis_url(), settings.redis_access()) for _ in range(clients.OF_A_NODE))
        )
        for client in (redis.commands, redis.following, redis.revoking):
            stack.push_async_callback(client.aclose)
        await provision.require_ready(settings, databases)
        slots = Slots(databases[settings.control.database], databases, provision.sizes(settings))
        stack.push_async_callback(slots.close)
        await slots.refresh()
        known = await rules_at_start(game, databases[settings.control.database])
        passwords = passwords_of(settings)
        stack.callback(passwords.close)
        clock = NodeClock(databases, settings.control.database, wall)
        await clock.adjust()
        rooms = _rooms(settings, known.rules, Ground(databases, replicas, slots, redis, clock, tracer))
        stack.push_async_callback(rooms.accounts.claims.close)
        stack.push_async_callback(rooms.accounts.enrolments.close)
        stack.push_async_callback(rooms.accounts.entrants.close)
        stack.push_async_callback(rooms.accounts.identities.close)
        stack.push_async_callback(rooms.social.lists.close)
        sharding = sharding_of(settings, databases, slots)
        guards = _Guards(attempts_of(settings, redis.commands), passwords, reserved)
        commands = _commands(settings, known, sharding, rooms, guards)
        stack.push_async_callback(commands.play.inbox.close)
        core = Core(settings, known.rules, databases, replicas, slots, redis, rooms, commands, sharding, tracer)
        with contextlib.suppress(DatabaseUnavailable):  # its own loop makes those of silent databases
            await loops.make_partitions(commands.accounts.policy, slots.members("players"))
        await seasons.learn(commands.seasons)
        yield core


def _rooms(settings: Settings, rules: RulesInForce, ground: Ground) -> Rooms:
    slots, redis, clock, control = ground.slots, ground.redis, ground.clock, ground.databases[settings.control.database]
    calendar, window = Calendar(rules), window_of(settings)
    players, writer = _players(settings, rules, ground, calendar), BoardWriter(redis.commands)
    identities, lists = Identities(slots, window, rules), Lists(slots)
    return Rooms(
        clock=clock,
        players=players,
        reads=ReplicaReads(players, ground.replicas, staleness_of(settings)),
        accounts=AccountsRoom(
            claims=Claims(slots),
            enrolments=Enrolments(slots, window),
            entrants=Entrants(slots),
            identities=identities,
            devices=Devices(identities, settings.accounts.devices_per_player),
            credentials=Credentials(slots),
            bans=Bans(slots, window, rules),
            intake=Intake(slots, window),
            looks=Looks(slots, Intake(slots, window)),
        ),
        boards=BoardsRoom(
            Boards(redis.commands),
            BoardCheck(redis.commands, slots, writer),
            BoardLifecycle(redis.commands, writer),
        ),
        seasons=SeasonsRoom(calendar, SeasonRecords(control), SeasonEnd(slots), PastStandings(control)),
        sessions=_sessions(settings, redis, players, clock),
        live=_live(settings, redis, clock),
        social=SocialRoom(
            Friends(redis.commands, slots, lists, settings.friends.per_player),
            Feeds(redis.commands, slots),
            Blocks(slots, lists, settings.mail.blocks_per_player),
            lists,
        ),
        operators=operators_room(settings, ground.databases, ground.replicas, slots, ground.clock.now),
    )


def _commands(
    settings: Settings,
    known: KnownRules,
    sharding: Sharding,
    rooms: Rooms,
    guards: _Guards,
) -> Commands:
    slots, window, chosen = sharding.slots, window_of(settings), settings.accounts
    policy = Policy(window, rooms.clock.now, chosen.deleted_names, chosen.proof_seconds, guards.reserved)
    accounts = Accounts(
        rooms.accounts,
        rooms.players,
        rooms.sessions,
        guards.attempts,
        guards.passwords,
        known.rules,
        policy,
        entrance=Entrance(settings.accounts.under_way),
    )
    play = Play(
        rooms.players, rooms.reads, History(slots), Inbox(slots), rooms.social.feeds, known.rules, accounts.turns
    )
    leaderboards = Leaderboards(rooms.seasons, rooms.boards.standings, policy.now)
    live, audit = LivePlayers(rooms.live, policy.now), rooms.operators.audit
    pasts = Pasts(slots, known.library.earlier)
    pages = player_pages_of(rooms, play, pasts, leaderboards, window)
    changes, exports = PlayerChanges(pages, accounts, live), OperatorPlaces()
    return Commands(
        accounts=accounts,
        play=play,
        live=live,
        friends=Friendships(rooms.social, play, leaderboards),
        leaderboards=leaderboards,
        board_repair=BoardRepair(leaderboards, rooms.boards.checks, rooms.boards.lifecycle, audit),
        seasons=Seasons(rooms.seasons, audit, rooms.operators.reports, policy.now),
        operations=Operations(
            rooms.operators, play, live, rooms.accounts.bans, rooms.seasons.records, rooms.sessions, exports
        ),
        admins=admins_of(settings, rooms.operators, policy.now),
        corrections=corrections_of(play, pasts, leaderboards, audit),
        player_pages=pages,
        player_exports=PlayerExports(pages, accounts, rooms.seasons.records, play.history, exports),
        erasures=erasures_of(settings, rooms, accounts, slots, leaderboards),
        player_changes=changes,
        campaigns=campaigns_of(settings, changes, rooms.operators, policy.now),
        fleet=FleetOrders(sharding, rooms.live, policy),
        rollouts=rollouts_of(known, slots, rooms.operators, policy),
    )


def _sessions(settings: Settings, redis: RedisClients, players: Players, clock: NodeClock) -> Sessions:
    chosen = settings.sessions
    lifetimes = (chosen.idle_seconds, chosen.longest_seconds)
    return Sessions(redis.commands, redis.revoking, players, lifetimes, chosen.per_player, clock.seconds)


def _players(settings: Settings, rules: RulesInForce, ground: Ground, calendar: Calendar) -> Players:
    writes = settings.writes
    limits = CommitLimits(
        writes.batch, writes.in_flight, writes.queue, writes.deadline_seconds, writes.transaction_seconds
    )
    chosen = settings.limits
    letters = LetterLimits(
        pace_of(chosen.letters_per_sender),
        pace_of(chosen.letters_per_pair),
        pace_of(chosen.letters_per_recipient),
        settings.mail.inbox,
    )
    batches = BatchTerms(rules, window_of(settings), calendar, letters)
    return Players(ground.slots, batches, limits, ground.tracer)


def _live(settings: Settings, redis: RedisClients, clock: NodeClock) -> LiveRoom:
    node, pushes = settings.node, Pushes(redis.commands)
    presence = Presence(redis.following, node.title, node.address, rfc3339(clock.now()))
    return LiveRoom(presence, pushes, MailPushes(pushes, presence), Vitals(redis.following, node.address))
