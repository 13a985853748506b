"""Top pages: cached for a moment, and the last one is served while Redis is away, marked as stale."""

import asyncio

import orjson
import pytest

from gameserver.rules.errors import BoardUnavailable
from gameserver.transport import board_pages
from gameserver.transport.answers import BoardAnswer
from gameserver.transport.board_pages import BoardPages

KEY = ("exp", "current", 50)


class Board:
    """A board that counts how often it is read."""

    def __init__(self) -> None:
        self.reads, self.total, self.away = 0, 0, False

    async def __call__(self) -> BoardAnswer:
        self.reads += 1
        await asyncio.sleep(0)
        if self.away:
            raise BoardUnavailable(retry_after=1)
        as_of = f"{self.reads}"
        return {"board": "exp", "season": "all-time", "total": self.total, "as_of": as_of, "entries": [],
                "next_cursor": None}  # fmt: skip


async def test_requests_at_the_same_time_or_soon_after_share_one_read() -> None:
    pages, board = BoardPages(), Board()
    results = await asyncio.gather(*(pages.read(KEY, board) for _ in range(20)))
    results.append(await pages.read(KEY, board))
    assert board.reads == 1
    assert {result.body for result in results} == {results[0].body}


async def test_a_page_that_shows_the_same_has_the_same_etag_whenever_it_was_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(board_pages, "PAGE_SECONDS", 0)
    pages, board = BoardPages(), Board()
    first, second = await pages.read(KEY, board), await pages.read(KEY, board)
    board.total = 1
    third = await pages.read(KEY, board)
    assert first.body != second.body
    assert first.etag == second.etag != third.etag


async def test_while_redis_is_away_the_last_page_is_served_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_pages, "PAGE_SECONDS", 0)
    pages, board = BoardPages(), Board()
    fresh = orjson.loads((await pages.read(KEY, board)).body)
    board.away = True
    for _ in range(3):
        assert orjson.loads((await pages.read(KEY, board)).body) == {**fresh, "stale": True}
    assert board.reads == 2, "for a second it isn't read again"
    with pytest.raises(BoardUnavailable):
        await pages.read(("exp", "current", 51), board)
    monkeypatch.setattr(board_pages, "STALE_SECONDS", -1)
    monkeypatch.setattr(board_pages, "RETRY_SECONDS", -1)
    pages._pages[KEY].until = 0
    with pytest.raises(BoardUnavailable):
        await pages.read(KEY, board)
    board.away = False
    assert "stale" not in orjson.loads((await pages.read(KEY, board)).body)


async def test_pages_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_pages, "PAGES", 3)
    pages, board = BoardPages(), Board()
    for limit in range(1, 9):
        await pages.read(("exp", "current", limit), board)
    assert len(pages._pages) == 3
