"""Reading the boards: places with the players who hold them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gameserver.commands.backend import Backend
from gameserver.rules.player import Player
from gameserver.storage.leaderboards import Page


@dataclass(frozen=True, slots=True)
class Ranked:
    """A page of a board; `players` by id, without those that no longer exist."""

    board: str
    page: Page
    players: Mapping[int, Player]


async def top(backend: Backend, board: str, limit: int, cursor: str | None) -> Ranked:
    """Raises BoardNotFound, BadInput for the cursor, BoardUnavailable."""
    return await _with_players(backend, board, await backend.boards.top(board, limit, cursor))


async def around(backend: Backend, board: str, player_id: int, radius: int) -> Ranked:
    """Raises BoardNotFound, NotOnBoard, BoardUnavailable."""
    return await _with_players(backend, board, await backend.boards.around(board, player_id, radius))


async def ranks(backend: Backend, board: str, ids: Sequence[int]) -> Ranked:
    """Those of the ids that are on the board. Raises BoardNotFound, BoardUnavailable."""
    return await _with_players(backend, board, await backend.boards.ranks(board, ids))


async def _with_players(backend: Backend, board: str, page: Page) -> Ranked:
    players = await backend.players.read(standing.player_id for standing in page.standings)
    return Ranked(board, page, players)
