"""What every command needs, by the module it stands in: handed on by the doors, never looked into there."""

from dataclasses import dataclass

from gameserver.commands.accounts import Accounts
from gameserver.commands.admin import Operations
from gameserver.commands.bans import BanCare
from gameserver.commands.board_care import BoardCare
from gameserver.commands.boards import Leaderboards
from gameserver.commands.friends import Friendships
from gameserver.commands.play import Play
from gameserver.commands.seasons import SeasonCare


@dataclass(frozen=True, slots=True)
class Commands:
    """One per node."""

    accounts: Accounts
    play: Play
    friends: Friendships
    leaderboards: Leaderboards
    board_care: BoardCare
    seasons: SeasonCare
    bans: BanCare
    operations: Operations
