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
STALE_SECONDS = 3600.0
"""How old a page may be that is served while Redis is away."""
RETRY_SECONDS = 1.0
PAGES = 512
STALE = b',"stale":true}'
"""How a page ends that says so."""
Key = tuple[str, str, int]


@dataclass(slots=True)
class BoardPage:
    """`etag` is of what the page shows, whatever time it holds for."""

    body: bytes
    etag: str
    read: float
    until: float


class BoardPages:
    """One per node."""

    def __init__(self) -> None:
        self._pages: OrderedDict[Key, BoardPage] = OrderedDict()
        self._asking: dict[Key, asyncio.Task[BoardPage]] = {}

    def fresh(self, key: Key) -> BoardPage | None:
        """The page, if there is one that is young enough."""
        found = self._pages.get(key)
        return found if found is not None and time.monotonic() < found.until else None

    async def read(self, key: Key, ask: Callable[[], Awaitable[BoardAnswer]]) -> BoardPage:
        """The page, asked for if need be. Raises what `ask` does; BoardUnavailable only if no older page will do."""
        if (found := self.fresh(key)) is not None:
            return found
        if key not in self._asking:
            task = self._asking[key] = asyncio.create_task(self._ask(key, ask))
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(self._asking[key])

    async def _ask(self, key: Key, ask: Callable[[], Awaitable[BoardAnswer]]) -> BoardPage:
        try:
            told = await ask()
        except BoardUnavailable:
            if (stale := self._stale(key)) is None:
                raise
            return stale
        now = time.monotonic()
        shown = hashlib.blake2b(answers.encode({**told, "as_of": None}), digest_size=12).hexdigest()
        page = self._pages[key] = BoardPage(answers.encode(told), f'W/"{shown}"', now, now + PAGE_SECONDS)
        self._pages.move_to_end(key)
        if len(self._pages) > PAGES:
            self._pages.popitem(last=False)
        return page

    def _stale(self, key: Key) -> BoardPage | None:
        """The page that there is, marked."""
        found, now = self._pages.get(key), time.monotonic()
        if found is None or now - found.read > STALE_SECONDS:
            return None
        if not found.body.endswith(STALE):
            found.body, found.etag = found.body[:-1] + STALE, found.etag.removesuffix('"') + '-stale"'
        found.until = now + RETRY_SECONDS
        return found


BOARD_PAGES = web.AppKey("board_pages", BoardPages)
