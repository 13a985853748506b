"""Types that commands take and return, for doors, which don't import storage."""

from gameserver.commands.accounts import Welcome
from gameserver.commands.admins import KnownKeys
from gameserver.commands.backup_dates import BackupDates
from gameserver.commands.boards import Ranked
from gameserver.commands.campaigns import CampaignPreview, CampaignWaiting
from gameserver.commands.correction_plans import Order
from gameserver.commands.corrections import ChangedBy, Corrected
from gameserver.commands.crowd import LoadProgress
from gameserver.commands.erasure_receipts import ErasureReceipt
from gameserver.commands.fleet import NodeCondition, WantedMoves
from gameserver.commands.foresight import ErasureForeseen, Foreseen
from gameserver.commands.mail import MailPage
from gameserver.commands.play import HistoryPage
from gameserver.commands.player_export import ExportPart
from gameserver.commands.player_lists import Letters, PastPlaces
from gameserver.commands.player_page import PastState, PlayerPage, Timeline
from gameserver.commands.rank_changes import RankChange
from gameserver.commands.rollouts import RolloutPlan, RulesOverview
from gameserver.commands.seasons import Preview
from gameserver.storage.accounts.bans import Ban, BanChange, BanState
from gameserver.storage.accounts.player_keys import Device
from gameserver.storage.boards.check import CheckReport
from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.standings import Page, Standing
from gameserver.storage.items.inventory import Stack
from gameserver.storage.ledger.history import HistoryEntry
from gameserver.storage.ledger.past import PastRow, TimelineFilter
from gameserver.storage.live.presence import LiveNode
from gameserver.storage.live.pushes import Opened, Seen
from gameserver.storage.live.stored_push import StoredPush
from gameserver.storage.operators.admin_keys import AdminKey, NewKey
from gameserver.storage.operators.audit import AuditedChange
from gameserver.storage.operators.audit_log import AuditEntry, AuditQuestion
from gameserver.storage.operators.campaigns import CampaignRecord
from gameserver.storage.operators.exports import COLUMNS as PLAYER_COLUMNS
from gameserver.storage.operators.notes import Note
from gameserver.storage.operators.questions import MOMENTS, By, Question, Segment
from gameserver.storage.operators.reports import Count, Ranking
from gameserver.storage.operators.rule_orders import RuleOrder
from gameserver.storage.operators.rulebooks import RecordedRulebook
from gameserver.storage.operators.saved_queries import SavedQuery
from gameserver.storage.operators.spreads import RankedPlace, Spread, SpreadQuestion
from gameserver.storage.operators.survey import GroupUsage, Holding, SlotRange
from gameserver.storage.players.command import Receipt
from gameserver.storage.players.replica_reads import Wanted
from gameserver.storage.seasons.records import PastPlace, SeasonRecord
from gameserver.storage.sessions.sessions import Listed, Origin, Session
from gameserver.storage.sharding.attempt import MoveProgress
from gameserver.storage.sharding.membership import Member
from gameserver.storage.sharding.move import MoveRecord, PlannedMove, SlotStep
from gameserver.storage.social.blocks import Block

__all__ = [
    "MOMENTS",
    "PLAYER_COLUMNS",
    "AdminKey",
    "AuditEntry",
    "AuditQuestion",
    "AuditedChange",
    "BackupDates",
    "Ban",
    "BanChange",
    "BanState",
    "Block",
    "By",
    "CampaignPreview",
    "CampaignRecord",
    "CampaignWaiting",
    "ChangedBy",
    "CheckReport",
    "Contest",
    "Corrected",
    "Count",
    "Device",
    "ErasureForeseen",
    "ErasureReceipt",
    "ExportPart",
    "Foreseen",
    "GroupUsage",
    "HistoryEntry",
    "HistoryPage",
    "Holding",
    "KnownKeys",
    "Letters",
    "Listed",
    "LiveNode",
    "LoadProgress",
    "MailPage",
    "Member",
    "MoveProgress",
    "MoveRecord",
    "NewKey",
    "NodeCondition",
    "Note",
    "Opened",
    "Order",
    "Origin",
    "Page",
    "PastPlace",
    "PastPlaces",
    "PastRow",
    "PastState",
    "PlannedMove",
    "PlayerPage",
    "Preview",
    "Question",
    "RankChange",
    "Ranked",
    "RankedPlace",
    "Ranking",
    "Receipt",
    "RecordedRulebook",
    "RolloutPlan",
    "RuleOrder",
    "RulesOverview",
    "SavedQuery",
    "SeasonRecord",
    "Seen",
    "Segment",
    "Session",
    "SlotRange",
    "SlotStep",
    "Spread",
    "SpreadQuestion",
    "Stack",
    "Standing",
    "StoredPush",
    "Timeline",
    "TimelineFilter",
    "Wanted",
    "WantedMoves",
    "Welcome",
]
