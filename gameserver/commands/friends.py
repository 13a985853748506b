"""A player's friends, the board among them, whom it blocks, and the feed of its last actions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gameserver.commands import boards, play
from gameserver.commands.boards import Leaderboards, Ranked
from gameserver.commands.play import Play
from gameserver.rules.errors import BadInput, FieldProblem, TooManyFriends
from gameserver.rules.player import Player
from gameserver.storage.rooms import SocialRoom
from gameserver.storage.sessions.sessions import Session
from gameserver.storage.social.blocks import Block, BlockChange
from gameserver.storage.social.friends import FriendChange


@dataclass(frozen=True, slots=True)
class Friendships:
    """What friends and feeds need; one per node."""

    room: SocialRoom
    play: Play
    leaderboards: Leaderboards


async def befriend(social: Friendships, session: Session, friend_id: int) -> None:
    """Adds a friend to the caller's; a repeat changes nothing. Friends that were deleted make room for it.

    Raises BadInput for the caller itself, PlayerNotFound, TooManyFriends, TooManyChanges, SessionRevoked and
    what is unavailable.
    """
    if friend_id == session.player_id:
        raise BadInput("You can't be your own friend.", errors=[FieldProblem("id", "is your own")])
    await play.read(social.play, friend_id)
    change = FriendChange(session.player_id, session.epoch, friend_id)
    async with social.play.turns.change(session.player_id):
        try:
            await social.room.friends.add(change)
        except TooManyFriends:
            if not await _remove_deleted(social, session):
                raise
            await social.room.friends.add(change)


async def _remove_deleted(social: Friendships, session: Session) -> bool:
    """Removes the caller's friends that don't exist any more: nobody is shown them. Whether there were any."""
    ids = await social.room.friends.of(session.player_id)
    players = await social.play.players.read(ids)  # raises where a database is silent
    deleted = [friend_id for friend_id in ids if friend_id not in players]
    for friend_id in deleted:
        await social.room.friends.remove(FriendChange(session.player_id, session.epoch, friend_id))
    return bool(deleted)


async def unfriend(social: Friendships, session: Session, friend_id: int) -> None:
    """Removes a friend from the caller's; a repeat changes nothing.

    Raises TooManyChanges, SessionRevoked and what is unavailable.
    """
    async with social.play.turns.change(session.player_id):
        await social.room.friends.remove(FriendChange(session.player_id, session.epoch, friend_id))


async def block(social: Friendships, session: Session, blocked_id: int) -> None:
    """Stops letters of a player to the caller; a repeat changes nothing, and the player isn't told.

    Raises BadInput for the caller itself, PlayerNotFound, TooManyBlocks, TooManyChanges, SessionRevoked and
    what is unavailable.
    """
    if blocked_id == session.player_id:
        raise BadInput("You can't block yourself.", errors=[FieldProblem("id", "is your own")])
    await play.read(social.play, blocked_id)
    async with social.play.turns.change(session.player_id):
        await social.room.blocks.add(BlockChange(session.player_id, session.epoch, blocked_id))


async def unblock(social: Friendships, session: Session, blocked_id: int) -> None:
    """Lets letters of a player through again; a repeat changes nothing.

    Raises TooManyChanges, SessionRevoked and what is unavailable.
    """
    async with social.play.turns.change(session.player_id):
        await social.room.blocks.remove(BlockChange(session.player_id, session.epoch, blocked_id))


async def blocks(social: Friendships, session: Session) -> tuple[Sequence[Block], int]:
    """Whom the caller blocks, by id, and how many it may. Raises RateLimited, DatabaseUnavailable."""
    async with social.play.turns.read(session.player_id, "blocks"):
        return await social.room.blocks.of(session.player_id), social.room.blocks.most


def most_friends(social: Friendships) -> int:
    """How many a player may have, which is what reading them costs at the most."""
    return social.room.friends.most


def most_blocks(social: Friendships) -> int:
    """How many a player may block, which is what reading them costs at the most."""
    return social.room.blocks.most


async def friends(social: Friendships, session: Session) -> tuple[Sequence[Player], int]:
    """The caller's friends that still exist, by name, and how many it may have.

    Raises RateLimited, DatabaseUnavailable.
    """
    players = await social.play.players.read(await _friend_ids(social, session))
    by_name = sorted(players.values(), key=lambda player: (player.name.lower(), player.id))
    return by_name, social.room.friends.most


async def _friend_ids(social: Friendships, session: Session) -> list[int]:
    async with social.play.turns.read(session.player_id, "friends"):
        return await social.room.friends.of(session.player_id)


async def board_of_friends(social: Friendships, session: Session, board: str) -> Ranked:
    """The caller's and its friends' standings on a board, in its order.

    Raises BoardNotFound, BoardUnavailable, RateLimited, DatabaseUnavailable.
    """
    ids = [session.player_id, *await _friend_ids(social, session)]
    ranked = await boards.ranks(social.leaderboards, board, boards.CURRENT, ids)
    standings = sorted(ranked.page.standings, key=lambda each: (each.rank, each.reached_at, each.player_id))
    return replace(ranked, page=replace(ranked.page, standings=standings))


async def feed(social: Friendships, session: Session, limit: int) -> list[bytes]:
    """The caller's last actions as JSON, newest first. Raises PlayerNotFound, RateLimited, DatabaseUnavailable."""
    player = await play.read(social.play, session.player_id)
    async with social.play.turns.read(session.player_id, "feed"):
        return await social.room.feeds.of(player.id, player.version, limit)
