"""What of a caller's requests counts against its player or its address, beside the requests themselves."""

import asyncio
import time
from collections.abc import Callable
from functools import partial

from aiohttp import web

from gameserver.commands.pacing import ActionPacing
from gameserver.commands.results import Session
from gameserver.rules.errors import RateLimited
from gameserver.transport.callers import callers

LONGEST_WAIT = 30.0
"""Seconds that a long answer waits for its next page."""


def action_pacing(request: web.Request) -> ActionPacing | None:
    """The pacing of the caller's actions; None for a back end, whose actions aren't limited."""
    return None if callers.is_backend(request) else request.app[callers.CALLERS].actions


def hello_pacing(request: web.Request) -> ActionPacing | None:
    """The pacing of the sockets that a player opens; None for a back end."""
    return None if callers.is_backend(request) else request.app[callers.CALLERS].hellos


def count_action(request: web.Request, session: Session) -> None:
    """Counts an action of the session's player. Raises RateLimited."""
    pacing = action_pacing(request)
    if pacing is not None:
        pacing.spend(session.player_id)


def read_counter(request: web.Request) -> Callable[[int, int], None]:
    """Counts so many reads of what is a player's own, by the allowance of its session, and charges its address.

    Raises RateLimited; never for a back end.
    """
    if callers.is_backend(request):
        return lambda _, __: None
    return partial(request.app[callers.CALLERS].count_reads, callers.charged_client(request))


def count_read(request: web.Request, session: Session, rows: int = callers.A_READ) -> None:
    """Counts a read of what is the player's own, other than the player itself. Raises RateLimited.

    One of at most so many `rows` counts as one for every A_READ of them.
    """
    if not callers.is_backend(request):
        charged, count = callers.charged_client(request), -(-rows // callers.A_READ)
        request.app[callers.CALLERS].count_reads(charged, session.allowance, count)


async def await_read(request: web.Request, session: Session, rows: int) -> None:
    """Counts a further page of a long answer, as soon as the player may read it. Raises RateLimited after a while."""
    end = time.monotonic() + LONGEST_WAIT
    while True:
        try:
            return count_read(request, session, rows)
        except RateLimited as error:
            if error.retry_after is None or time.monotonic() + error.retry_after > end:
                raise
            await asyncio.sleep(error.retry_after)


def count_export(request: web.Request, session: Session) -> None:
    """Counts an export that a player begins. Raises RateLimited."""
    if not callers.is_backend(request):
        request.app[callers.CALLERS].exports.spend(session.player_id)


def entry_counter(request: web.Request) -> Callable[[int], None]:
    """Counts so many places of a board, or players, that are looked up for the caller's address.

    Raises RateLimited; never for a back end or an exempt address.
    """
    who = callers.address(request)
    if who is None:
        return lambda _: None
    return partial(request.app[callers.CALLERS].count_entries, who, callers.charged_client(request))


def count_key_change(request: web.Request, session: Session) -> None:
    """Counts a change of the player's name or devices, which is a change of its ledger, too. Raises RateLimited."""
    if not callers.is_backend(request):
        request.app[callers.CALLERS].key_changes.spend(session.allowance)


def count_list_change(request: web.Request, session: Session) -> None:
    """Counts a change of the player's friends, blocks or inbox. Raises RateLimited."""
    if not callers.is_backend(request):
        request.app[callers.CALLERS].list_changes.spend(session.player_id)
