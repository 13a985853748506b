"""What every command needs, by the module it stands in: handed on by the doors, never looked into there."""

from dataclasses import dataclass

from gameserver.commands.accounts import Accounts
from gameserver.commands.board_repair import BoardRepair
from gameserver.commands.boards import Leaderboards
from gameserver.commands.friends import Friendships
from gameserver.commands.moderation import Moderation
from gameserver.commands.operations import Operations
from gameserver.commands.play import Play
from gameserver.commands.seasons import Seasons


@dataclass(frozen=True, slots=True)
class Commands:
    """One per node."""

    accounts: Accounts
    play: Play
    friends: Friendships
    leaderboards: Leaderboards
    board_repair: BoardRepair
    seasons: Seasons
    moderation: Moderation
    operations: Operations
