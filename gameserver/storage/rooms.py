"""One small dataclass per room: what the application opens, and what commands are given."""

from dataclasses import dataclass

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
from gameserver.storage.live.mail_pushes import MailPushes
from gameserver.storage.live.presence import Presence
from gameserver.storage.live.pushes import Pushes
from gameserver.storage.live.vitals import Vitals
from gameserver.storage.operators.admin_keys import AdminKeys
from gameserver.storage.operators.audit import Audit
from gameserver.storage.operators.campaigns import CampaignRecords
from gameserver.storage.operators.exports import Exports
from gameserver.storage.operators.game_names import GameNames
from gameserver.storage.operators.mentions import Mentions
from gameserver.storage.operators.notes import Notes
from gameserver.storage.operators.recipients import Recipients
from gameserver.storage.operators.reports import Reports
from gameserver.storage.operators.saved_queries import SavedQueries
from gameserver.storage.operators.spreads import Spreads
from gameserver.storage.operators.survey import Survey
from gameserver.storage.players.players import Players
from gameserver.storage.players.replica_reads import ReplicaReads
from gameserver.storage.postgres.clocks import NodeClock
from gameserver.storage.seasons.calendar import Calendar
from gameserver.storage.seasons.end import SeasonEnd
from gameserver.storage.seasons.past import PastStandings
from gameserver.storage.seasons.records import SeasonRecords
from gameserver.storage.sessions.sessions import Sessions
from gameserver.storage.social.blocks import Blocks
from gameserver.storage.social.feeds import Feeds
from gameserver.storage.social.friends import Friends
from gameserver.storage.social.lists import Lists


@dataclass(frozen=True, slots=True)
class AccountsRoom:
    """Who a player is."""

    claims: Claims
    enrolments: Enrolments
    entrants: Entrants
    identities: Identities
    devices: Devices
    credentials: Credentials
    bans: Bans
    intake: Intake
    looks: Looks


@dataclass(frozen=True, slots=True)
class BoardsRoom:
    """Boards as Redis has them, their comparison with the databases, and their generations."""

    standings: Boards
    checks: BoardCheck
    lifecycle: BoardLifecycle


@dataclass(frozen=True, slots=True)
class SeasonsRoom:
    """Seasons as this node knows them and as the control database has them, how they end, and past standings."""

    calendar: Calendar
    records: SeasonRecords
    end: SeasonEnd
    past: PastStandings


@dataclass(frozen=True, slots=True)
class LiveRoom:
    """Who is connected where, and the pushes stored for them."""

    presence: Presence
    pushes: Pushes
    mail: MailPushes
    vitals: Vitals


@dataclass(frozen=True, slots=True)
class SocialRoom:
    """Friends, feeds and blocks, and what changes friends and blocks."""

    friends: Friends
    feeds: Feeds
    blocks: Blocks
    lists: Lists


@dataclass(frozen=True, slots=True)
class OperatorsRoom:
    """Questions over all databases, the audit log, operators' keys and notes, and the names that the data holds."""

    reports: Reports
    spreads: Spreads
    exports: Exports
    survey: Survey
    audit: Audit
    keys: AdminKeys
    names: GameNames
    notes: Notes
    mentions: Mentions
    campaigns: CampaignRecords
    recipients: Recipients
    queries: SavedQueries


@dataclass(frozen=True, slots=True)
class Rooms:
    """Every room of one process."""

    clock: NodeClock
    players: Players
    reads: ReplicaReads
    accounts: AccountsRoom
    boards: BoardsRoom
    seasons: SeasonsRoom
    sessions: Sessions
    live: LiveRoom
    social: SocialRoom
    operators: OperatorsRoom
