"""One's friends, the board among them, and what one did last."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gameserver.commands import boards, play
from gameserver.commands.backend import Backend
from gameserver.commands.boards import Ranked
from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.rules.player import Player
from gameserver.storage.sessions.sessions import Session
from gameserver.storage.social.friends import Befriending


async def befriend(backend: Backend, session: Session, friend_id: int) -> None:
    """Adds a friend of the caller's; again is harmless.

    Raises RateLimited, BadInput for oneself, PlayerNotFound, TooManyFriends, SessionRevoked and what is unavailable.
    """
    if backend.pacing is not None:
        backend.pacing.spend(session.player_id)
    if friend_id == session.player_id:
        raise BadInput("You can't be your own friend.", errors=[FieldProblem("id", "is your own")])
    await play.read(backend, friend_id)
    await backend.friends.add(Befriending(session.player_id, session.epoch, friend_id))


async def unfriend(backend: Backend, session: Session, friend_id: int) -> None:
    """Takes a friend of the caller's away; again is harmless.

    Raises RateLimited, SessionRevoked and what is unavailable.
    """
    if backend.pacing is not None:
        backend.pacing.spend(session.player_id)
    await backend.friends.remove(Befriending(session.player_id, session.epoch, friend_id))


async def friends(backend: Backend, session: Session) -> Sequence[Player]:
    """The caller's friends who still exist, by name. Raises DatabaseUnavailable."""
    found = await backend.players.read(await backend.friends.of(session.player_id))
    return sorted(found.values(), key=lambda each: (each.name.lower(), each.id))


async def board_of_friends(backend: Backend, session: Session, board: str) -> Ranked:
    """The caller and his friends as they stand on a board, in its order.

    Raises BoardNotFound, BoardUnavailable, DatabaseUnavailable.
    """
    ids = [session.player_id, *await backend.friends.of(session.player_id)]
    found = await boards.ranks(backend, board, boards.CURRENT, ids)
    standings = sorted(found.page.standings, key=lambda each: (each.rank, each.player_id))
    return replace(found, page=replace(found.page, standings=standings))


async def feed(backend: Backend, session: Session, limit: int) -> list[dict[str, Any]]:
    """What the caller did last, the newest first. Raises PlayerNotFound, DatabaseUnavailable."""
    player = await play.read(backend, session.player_id)
    return await backend.feeds.of(player.id, player.version, limit)
