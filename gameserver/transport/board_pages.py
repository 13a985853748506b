"""A cache of top pages as encoded bytes, each for a moment, and for longer while Redis is away.

Law: a page is at most PAGE_SECONDS older than its `as_of` says, unless it says that it is stale. Requests for one page
share one read of it; that isn't `gameserver.coalescing`, which joins different questions in one call and keeps no
answer.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from gameserver.rules.errors import BoardUnavailable
from gameserver.transport import answers
from gameserver.transport.answers import BoardAnswer

PAGE_SECONDS = 0.2
"""How long a page is served without a new read."""
STALE_SECONDS = 3600.0
"""How old a page may be that is served while Redis is away."""
RETRY_SECONDS = 1.0
"""How long a stale page is served before the board is read again."""
PAGES = 512
"""How many pages are cached; the one that was read longest ago goes first."""
STALE = b',"stale":true}'
"""The end of a page that is marked as stale."""
Key = tuple[str, str, int]
"""A board, a season as it was asked for, and the length of the page."""


@dataclass(slots=True)
class BoardPage:
    """A page as encoded bytes, read at the monotonic time `read`, and served without a new read before `until`."""

    body: bytes
    etag: str
    """A hash of what the page shows, leaving out `as_of`."""
    read: float
    until: float
    _compressed: bytes | None = None

    def compressed(self, compress: Callable[[bytes], bytes]) -> bytes:
        """The body as `compress` makes it; made once for all clients."""
        if self._compressed is None:
            self._compressed = compress(self.body)
        return self._compressed


class BoardPages:
    """One per node."""

    def __init__(self) -> None:
        self._pages: OrderedDict[Key, BoardPage] = OrderedDict()
        self._reading: dict[Key, asyncio.Task[BoardPage]] = {}

    def has(self, key: Key) -> bool:
        """Whether reading it now looks nothing up for the caller."""
        page = self._pages.get(key)
        return key in self._reading or (page is not None and time.monotonic() < page.until)

    async def read(self, key: Key, read: Callable[[], Awaitable[BoardAnswer]]) -> BoardPage:
        """The cached page while it is young, or one that `read` gets.

        Raises what `read` raises; BoardUnavailable only if there is no older page that will do.
        """
        page = self._pages.get(key)
        if page is not None and time.monotonic() < page.until:
            return page
        if key not in self._reading:
            task = self._reading[key] = asyncio.create_task(self._renew(key, read))
            task.add_done_callback(lambda _: self._reading.pop(key, None))
        return await asyncio.shield(self._reading[key])

    async def _renew(self, key: Key, read: Callable[[], Awaitable[BoardAnswer]]) -> BoardPage:
        try:
            answer = await read()
        except BoardUnavailable:
            if (stale := self._stale(key)) is None:
                raise
            return stale
        now = time.monotonic()
        digest = hashlib.blake2b(answers.encode({**answer, "as_of": None}), digest_size=12).hexdigest()
        page = self._pages[key] = BoardPage(answers.encode(answer), f'W/"{digest}"', now, now + PAGE_SECONDS)
        self._pages.move_to_end(key)
        if len(self._pages) > PAGES:
            self._pages.popitem(last=False)
        return page

    def _stale(self, key: Key) -> BoardPage | None:
        """The cached page, marked as stale; None if there is none, or it is too old even for that."""
        page, now = self._pages.get(key), time.monotonic()
        if page is None or now - page.read > STALE_SECONDS:
            return None
        if not page.body.endswith(STALE):
            page.body, page.etag = page.body[:-1] + STALE, page.etag.removesuffix('"') + '-stale"'
            page._compressed = None
        page.until = now + RETRY_SECONDS
        return page


BOARD_PAGES = web.AppKey("board_pages", BoardPages)
