"""One's friends, the board among them, and what one did last."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gameserver.commands import boards, play
from gameserver.commands.boards import Leaderboards, Ranked
from gameserver.commands.play import Play
from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.rules.player import Player
from gameserver.storage.rooms import SocialRoom
from gameserver.storage.sessions.sessions import Session
from gameserver.storage.social.friends import FriendChange


@dataclass(frozen=True, slots=True)
class Friendships:
    """What friends and feeds need; one per node."""

    room: SocialRoom
    play: Play
    leaderboards: Leaderboards


async def befriend(social: Friendships, session: Session, friend_id: int) -> None:
    """Adds a friend of the caller's; again is harmless.

    Raises BadInput for oneself, PlayerNotFound, TooManyFriends, SessionRevoked and what is unavailable.
    """
    if friend_id == session.player_id:
        raise BadInput("You can't be your own friend.", errors=[FieldProblem("id", "is your own")])
    await play.read(social.play, friend_id)
    await social.room.friends.add(FriendChange(session.player_id, session.epoch, friend_id))


async def unfriend(social: Friendships, session: Session, friend_id: int) -> None:
    """Takes a friend of the caller's away; again is harmless.

    Raises SessionRevoked and what is unavailable.
    """
    await social.room.friends.remove(FriendChange(session.player_id, session.epoch, friend_id))


async def friends(social: Friendships, session: Session) -> tuple[Sequence[Player], int]:
    """The caller's friends who still exist, by name, and how many it may have. Raises DatabaseUnavailable."""
    players = await social.play.players.read(await social.room.friends.of(session.player_id))
    by_name = sorted(players.values(), key=lambda player: (player.name.lower(), player.id))
    return by_name, social.room.friends.most


async def board_of_friends(social: Friendships, session: Session, board: str) -> Ranked:
    """The caller and his friends as they stand on a board, in its order.

    Raises BoardNotFound, BoardUnavailable, DatabaseUnavailable.
    """
    ids = [session.player_id, *await social.room.friends.of(session.player_id)]
    found = await boards.ranks(social.leaderboards, board, boards.CURRENT, ids)
    standings = sorted(found.page.standings, key=lambda each: (each.rank, each.player_id))
    return replace(found, page=replace(found.page, standings=standings))


async def feed(social: Friendships, session: Session, limit: int) -> list[dict[str, Any]]:
    """What the caller did last, the newest first. Raises PlayerNotFound, DatabaseUnavailable."""
    player = await play.read(social.play, session.player_id)
    return await social.room.feeds.of(player.id, player.version, limit)
