"""What commands return, for the doors, which don't know storage."""

from gameserver.commands.accounts import Welcome
from gameserver.commands.boards import Ranked
from gameserver.commands.crowd import Progress as Loaded
from gameserver.commands.mail import MailPage
from gameserver.commands.play import History
from gameserver.commands.seasons import Preview
from gameserver.storage.bans import Judged, Judgement
from gameserver.storage.batch import Receipt
from gameserver.storage.board_check import Verdict
from gameserver.storage.board_layout import Contest
from gameserver.storage.inventory import Stack
from gameserver.storage.leaderboards import Page, Standing
from gameserver.storage.membership import Member
from gameserver.storage.mover import Progress as MoveProgress
from gameserver.storage.moves import Move, Plan
from gameserver.storage.players import Entry
from gameserver.storage.presence import LiveNode
from gameserver.storage.pushes import Kept, Opened, Seen
from gameserver.storage.reports import Count, Question, Ranking
from gameserver.storage.season_book import Chapter
from gameserver.storage.sessions import Listed, Origin, Session
from gameserver.storage.survey import Holding, Share, SlotRange

__all__ = [
    "Chapter",
    "Contest",
    "Count",
    "Entry",
    "History",
    "Holding",
    "Judged",
    "Judgement",
    "Kept",
    "Listed",
    "LiveNode",
    "Loaded",
    "MailPage",
    "Member",
    "Move",
    "MoveProgress",
    "Opened",
    "Origin",
    "Page",
    "Plan",
    "Preview",
    "Question",
    "Ranked",
    "Ranking",
    "Receipt",
    "Seen",
    "Session",
    "Share",
    "SlotRange",
    "Stack",
    "Standing",
    "Verdict",
    "Welcome",
]
