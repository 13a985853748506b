"""What commands return, for the doors, which don't know storage."""

from gameserver.commands.accounts import Welcome
from gameserver.commands.boards import Ranked
from gameserver.commands.play import History
from gameserver.storage.batch import Receipt
from gameserver.storage.leaderboards import Page, Standing
from gameserver.storage.players import Entry
from gameserver.storage.presence import LiveNode
from gameserver.storage.pushes import Kept, Opened, Seen
from gameserver.storage.reports import Count, Question, Ranking
from gameserver.storage.sessions import Listed, Origin, Session

__all__ = [
    "Count",
    "Entry",
    "History",
    "Kept",
    "Listed",
    "LiveNode",
    "Opened",
    "Origin",
    "Page",
    "Question",
    "Ranked",
    "Ranking",
    "Receipt",
    "Seen",
    "Session",
    "Standing",
    "Welcome",
]
