"""Background work that any node may do at any time: overdue claims and reservations, partitions, and old mail."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta

import structlog

from gameserver.commands import board_care, seasons
from gameserver.commands.backend import Backend
from gameserver.commands.postman import Postman
from gameserver.rules.errors import Unavailable
from gameserver.storage.claims import Claim, Key, Kind
from gameserver.storage.databases import Database
from gameserver.storage.identities import Fate
from gameserver.storage.inbox import forget_old
from gameserver.storage.ledger import ensure_partitions
from gameserver.telemetry import RESOLVED_CLAIMS

log = structlog.get_logger()

SWEEP_SECONDS = 5.0
CHECK_SECONDS = 5.0
SEASON_SECONDS = 1.0
PARTITION_SECONDS = 3600.0
CLAIMS_A_SWEEP = 200
RESERVATIONS_A_SWEEP = 200
OLD_MAIL_SECONDS = 60.0
OLD_MAIL_CHUNK = 1000


async def resolve(backend: Backend, claim: Claim) -> None:
    """Settles an open claim by what its player is; whatever sign-up or rename still counted on it fails.

    A deleted player's sessions are ended first, since his claims are what tells that it has to be done.
    """
    fate = await backend.players.judge(claim)
    if fate is Fate.DELETED:
        await backend.sessions.revoke_all(claim.player_id)
    blocked = fate is Fate.DELETED and claim.key.kind is Kind.NAME and backend.deleted_names == "blocked"
    if fate is Fate.HELD or blocked:
        await backend.claims.confirm(claim)
    else:
        await backend.claims.release(claim)
    RESOLVED_CLAIMS.labels("confirmed" if fate is Fate.HELD else "blocked" if blocked else "freed").inc()


async def settle(backend: Backend, player_id: int, keys: Iterable[Key]) -> None:
    """Settles those of the keys whose claims are this player's and open; what isn't reached is left to the sweeper."""
    for key in keys:
        try:
            claim = await backend.claims.find(key)
            if claim is not None and claim.player_id == player_id and not claim.confirmed:
                await resolve(backend, claim)
        except Unavailable as error:
            log.warning("a claim waits", claim=str(key), error=error.detail)


async def sweep(backend: Backend) -> int:
    """Settles overdue claims; how many."""
    settled = 0
    for claim in await backend.claims.overdue(CLAIMS_A_SWEEP):
        try:
            await resolve(backend, claim)
            settled += 1
        except Unavailable as error:
            log.warning("a claim waits", claim=str(claim.key), error=error.detail)
    return settled


async def sweep_for_ever(backend: Backend) -> None:
    await _for_ever("claims", SWEEP_SECONDS, lambda: sweep(backend))


async def attend_seasons_for_ever(backend: Backend, postman: Postman) -> None:
    """Begins seasons, and closes those that are over."""
    await _for_ever("seasons", SEASON_SECONDS, lambda: seasons.attend(backend, postman))


async def check_boards_for_ever(backend: Backend) -> None:
    """Compares a few places with the databases now and then, and puts right what differs."""
    await _for_ever("board places put right", CHECK_SECONDS, lambda: board_care.check_some(backend))


async def sweep_items_for_ever(backend: Backend) -> None:
    """Settles reservations of items whose nodes died before they did."""
    await _for_ever("items", SWEEP_SECONDS, lambda: backend.players.payments.sweep(RESERVATIONS_A_SWEEP))


async def forget_old_items_for_ever(backend: Backend) -> None:
    """Deletes what item ledgers have kept for long enough."""

    async def work() -> int:
        done = 0
        while gone := await backend.players.inventory.forget_old(OLD_MAIL_CHUNK):
            done += gone
        return done

    await _for_ever("old items", OLD_MAIL_SECONDS, work)


async def make_partitions_for_ever(backend: Backend, databases: Callable[[], Sequence[Database]]) -> None:
    """Keeps the ledger's partitions ahead of time."""

    async def work() -> int:
        return await make_partitions(backend, databases())

    await _for_ever("partitions", PARTITION_SECONDS, work)


async def make_partitions(backend: Backend, databases: Sequence[Database]) -> int:
    """Makes the partitions that are missing; how many."""
    back = timedelta(milliseconds=backend.window.back)
    return sum([await ensure_partitions(each, backend.now(), back) for each in databases])


async def forget_old_mail_for_ever(backend: Backend, databases: Callable[[], Sequence[Database]], keep: float) -> None:
    """Deletes mail that is older than `keep` seconds."""

    async def work() -> int:
        return await forget_old_mail(backend, databases(), keep)

    await _for_ever("old mail", OLD_MAIL_SECONDS, work)


async def forget_old_mail(backend: Backend, databases: Sequence[Database], keep: float) -> int:
    """Deletes what is too old, a chunk at a time so that nobody waits for it; how many."""
    done = 0
    for database in databases:
        while gone := await forget_old(database, backend.now() - timedelta(seconds=keep), OLD_MAIL_CHUNK):
            done += gone
    return done


async def _for_ever(what: str, seconds: float, work: Callable[[], Awaitable[int]]) -> None:
    while True:
        try:
            if done := await work():
                log.info("upkeep", what=what, done=done)
        except Unavailable as error:
            log.warning("upkeep waits", what=what, error=error.detail)
        except Exception:
            log.exception("upkeep failed", what=what)
        await asyncio.sleep(seconds)
