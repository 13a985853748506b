"""The dependencies of all commands, by module; doors hand them on and never look inside."""

from dataclasses import dataclass

from gameserver.commands.accounts import Accounts
from gameserver.commands.admins import Admins
from gameserver.commands.board_repair import BoardRepair
from gameserver.commands.boards import Leaderboards
from gameserver.commands.campaigns import Campaigns
from gameserver.commands.corrections import Corrections
from gameserver.commands.erasure import Erasures
from gameserver.commands.fleet import FleetOrders
from gameserver.commands.friends import Friendships
from gameserver.commands.live import LivePlayers
from gameserver.commands.operations import Operations
from gameserver.commands.play import Play
from gameserver.commands.player_changes import PlayerChanges
from gameserver.commands.player_export import PlayerExports
from gameserver.commands.player_page import PlayerPages
from gameserver.commands.rollouts import Rollouts
from gameserver.commands.seasons import Seasons


@dataclass(frozen=True, slots=True)
class Commands:
    """One per node."""

    accounts: Accounts
    play: Play
    live: LivePlayers
    friends: Friendships
    leaderboards: Leaderboards
    board_repair: BoardRepair
    seasons: Seasons
    operations: Operations
    admins: Admins
    corrections: Corrections
    player_pages: PlayerPages
    player_exports: PlayerExports
    erasures: Erasures
    player_changes: PlayerChanges
    campaigns: Campaigns
    fleet: FleetOrders
    rollouts: Rollouts
