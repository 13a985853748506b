"""A player's letters and its places in past seasons, page by page, for operators."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gameserver.commands import play
from gameserver.commands.mail import require_cursor
from gameserver.commands.player_page import PlayerPages, names_of
from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.storage.ids import LARGEST_ID
from gameserver.storage.mail.inbox import Mail
from gameserver.storage.seasons.records import PastPlace


@dataclass(frozen=True, slots=True)
class Letters:
    """From the newest, with the names of those senders that are players still; `cursor` continues, None at the end."""

    rows: Sequence[Mail]
    names: Mapping[int, str]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class PastPlaces:
    """From the newest season; `cursor` continues, None at the end."""

    rows: Sequence[PastPlace]
    cursor: str | None


async def letters(pages: PlayerPages, player_id: int, limit: int, cursor: str | None) -> Letters:
    """Raises PlayerNotFound, BadInput for a malformed cursor, DatabaseUnavailable, Overloaded."""
    require_cursor(cursor)
    await play.read(pages.play, player_id)
    page = await pages.play.inbox.page(player_id, limit, cursor)
    return Letters(page.rows, await names_of(pages, {letter.sender for letter in page.rows}), page.cursor)


async def past_places(pages: PlayerPages, player_id: int, limit: int, cursor: str | None) -> PastPlaces:
    """Raises PlayerNotFound, BadInput for a malformed cursor, DatabaseUnavailable, Overloaded."""
    last = None if cursor is None else _place_of(cursor)
    await play.read(pages.play, player_id)
    rows = await pages.records.past_places(player_id, limit + 1, last)
    shown = rows[:limit]
    return PastPlaces(shown, f"{shown[-1].start}:{shown[-1].board}" if len(rows) > limit else None)


def _place_of(cursor: str) -> tuple[int, str]:
    """The season's start and the board of the last place of a page. Raises BadInput."""
    start, _, board = cursor.partition(":")
    if not (start.isascii() and start.isdigit() and int(start) <= LARGEST_ID and board.isprintable() and board):
        raise BadInput("The cursor can't be used.", errors=[FieldProblem("cursor", "isn't a cursor of places")])
    return int(start), board
