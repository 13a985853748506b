"""Periodic work that any node may do at any time: overdue claims and reservations, partitions, old mail, seasons."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog

from gameserver.commands import board_repair, moderation
from gameserver.commands.accounts import Accounts, Policy
from gameserver.commands.board_repair import BoardRepair
from gameserver.commands.claims import resolve
from gameserver.commands.operations import Operations
from gameserver.commands.seasons import Seasons
from gameserver.rules.errors import Unavailable
from gameserver.storage.accounts.claims import Claim
from gameserver.storage.accounts.due_bans import DueBan, due_bans
from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.lifecycle import BoardLifecycle
from gameserver.storage.ledger import retention
from gameserver.storage.ledger.partitions import ensure_partitions
from gameserver.storage.ledger.retention import Debtors
from gameserver.storage.mail.bounds import forget_rested
from gameserver.storage.mail.inbox import forget_old
from gameserver.storage.players.players import Players
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.shares import Purpose, using
from gameserver.storage.seasons import old_scores
from gameserver.storage.sessions import sightings
from gameserver.storage.sessions.sightings import Sightings
from gameserver.storage.sharding.records import MoveRecords
from gameserver.storage.slots.slot_map import Slots
from gameserver.upkeep import closing
from gameserver.upkeep.closing import Closing
from gameserver.upkeep.each import each_alone
from gameserver.waiting import all_ended

log = structlog.get_logger()

SWEEP_SECONDS = 5.0
CHECK_SECONDS = 5.0
SEASON_SECONDS = 1.0
SIGHTING_SECONDS = 60.0
BAN_SECONDS = 2.0
PARTITION_SECONDS = 3600.0
SELDOM_SECONDS, SETTLED_SECONDS = 60.0, 3.0
"""What is done so seldom begins so long after a node: one that starts has enough to do, and so have its databases."""
RETRY_SECONDS = 10.0
"""How soon seldom work is tried again after something was unavailable."""
CLAIMS_A_SWEEP = 200
RESERVATIONS_A_SWEEP = 200
BANS_A_SWEEP = 100
OLD_MAIL_SECONDS = 60.0
OLD_MAIL_CHUNK = 1000
OLD_MOVES_SECONDS = 600.0
IDLE_BOARD_SECONDS = 600.0
OLD_SCORES_SECONDS = 86_400.0
OLD_MOVES_CHUNK = 100


async def sweep(accounts: Accounts) -> int:
    """Resolves overdue claims; how many.

    Claims that need the same databases are resolved one after another, until one of these is away or the time is up;
    the next sweep goes on.
    """
    parts: dict[object, list[Claim]] = {}
    for claim in await accounts.room.claims.overdue(CLAIMS_A_SWEEP):
        parts.setdefault(accounts.room.claims.databases_of(claim), []).append(claim)
    return sum(await asyncio.gather(*(_sweep_part(accounts, part) for part in parts.values())))


async def _sweep_part(accounts: Accounts, claims: Sequence[Claim]) -> int:
    resolved, until = 0, time.monotonic() + SWEEP_SECONDS
    for claim in claims:
        try:
            await resolve(accounts, claim)
        except Unavailable as error:
            log.warning("claims not resolved yet", claims=len(claims) - resolved, error=error.detail)
            break
        except Exception:
            log.exception("a claim can't be resolved", kind=claim.key.kind, player=str(claim.player_id))
        else:
            resolved += 1
        if time.monotonic() > until:
            break
    return resolved


async def sweep_for_ever(accounts: Accounts) -> None:
    """Resolves overdue claims."""
    await _for_ever("claims", SWEEP_SECONDS, lambda: sweep(accounts))


async def lift_bans_for_ever(
    operations: Operations, policy: Policy, databases: Callable[[], Sequence[Database]]
) -> None:
    """Follows bans up, and lifts those whose time is over."""

    await _for_ever("bans followed up", BAN_SECONDS, lambda: lift_bans(operations, policy, databases()))


async def lift_bans(operations: Operations, policy: Policy, databases: Sequence[Database]) -> int:
    """Lifts some of those whose time is over, and follows new ones up; how many. One that fails holds up no other."""

    async def follow(ban: DueBan) -> int:
        if ban.is_over:
            await moderation.lift_due(operations, ban, policy.now())
        else:
            await moderation.follow_ban(operations, ban)
        return 1

    async def lift_all(database: Database) -> int:
        return await each_alone("bans followed up", await due_bans(database, BANS_A_SWEEP), follow)

    return await on_each(databases, lift_all)


async def attend_seasons_for_ever(course: Closing) -> None:
    """Begins seasons, and closes those that are over."""
    await _for_ever("seasons", SEASON_SECONDS, lambda: closing.attend(course))


async def check_boards_for_ever(repair: BoardRepair) -> None:
    """Compares a few players on boards with the databases now and then, and corrects what differs."""
    board_repair.count_from_zero(repair)
    await _for_ever("board entries corrected", CHECK_SECONDS, lambda: board_repair.check_some(repair))


async def drop_idle_boards_for_ever(boards: BoardLifecycle, contests: Callable[[], Collection[Contest]]) -> None:
    """Deletes the keys of boards that the game has no more."""
    await _for_ever("idle boards", IDLE_BOARD_SECONDS, lambda: boards.drop_idle(contests()))


async def sweep_items_for_ever(players: Players) -> None:
    """Resolves reservations of items whose nodes died before they confirmed or gave them back."""
    await _for_ever("items", SWEEP_SECONDS, lambda: players.payments.sweep(RESERVATIONS_A_SWEEP))


async def forget_old_items_for_ever(players: Players) -> None:
    """Deletes rows of item ledgers that are older than they have to be kept."""
    await _for_ever("old items", OLD_MAIL_SECONDS, lambda: forget_old_items(players))


async def forget_old_items(players: Players) -> int:
    """Deletes what is too old; how many. Raises DatabaseUnavailable: nothing is while any database of players is away.

    A grant that is delivered again is told by its row.
    """
    needed = await players.inventory.oldest_grant()
    forget = partial(players.inventory.forget_old, most=OLD_MAIL_CHUNK, needed=needed)
    return await on_each(players.inventory.databases(), partial(_chunk_by_chunk, forget))


async def forget_old_moves_for_ever(moves: MoveRecords) -> None:
    """Deletes the records of moves of slots that have long been over."""
    await _for_ever("old moves", OLD_MOVES_SECONDS, lambda: moves.forget_old(OLD_MOVES_CHUNK))


async def write_sightings_for_ever(slots: Slots, seen: Sightings) -> None:
    """Writes when players were last seen."""

    async def work() -> int:
        return await on_each(slots.databases("players"), partial(sightings.write, slots, seen))

    await asyncio.sleep(SIGHTING_SECONDS)  # a node that starts has seen nobody
    await _for_ever("sightings", SIGHTING_SECONDS, work)


async def make_partitions_for_ever(policy: Policy, databases: Callable[[], Sequence[Database]]) -> None:
    """Keeps the ledger's partitions ahead of time."""

    async def work() -> int:
        return await make_partitions(policy, databases())

    await _for_ever("partitions", PARTITION_SECONDS, work)


async def make_partitions(policy: Policy, databases: Sequence[Database]) -> int:
    """Makes the partitions that are missing; how many. Raises DatabaseUnavailable once all others are done."""
    back = timedelta(milliseconds=policy.window.back)
    return await on_each(databases, lambda database: ensure_partitions(database, policy.now(), back))


async def forget_old_ledger_for_ever(policy: Policy, debtors: Callable[[], Debtors], keep: float) -> None:
    """Drops partitions of the ledger that are older than `keep` seconds."""

    async def work() -> int:
        return await forget_old_ledger(policy, debtors(), keep)

    await _for_ever("old partitions", PARTITION_SECONDS, work)


async def forget_old_ledger(policy: Policy, debtors: Debtors, keep: float) -> int:
    """Drops what is too old; how many partitions. Raises DatabaseUnavailable: nothing is while any database is away.

    A letter is deduplicated, and a reservation of items settled, by the row of its command: what one that is still open
    may need stays.
    """
    debt, back = await retention.oldest_debt(debtors), timedelta(milliseconds=policy.window.back)
    needed = None if debt is None else debt._replace(since=debt.since - back)
    terms = retention.RetentionTerms(timedelta(seconds=keep), policy.now(), needed)
    return await on_each(debtors.players, lambda database: retention.forget_old(database, terms))


async def forget_old_mail_for_ever(
    now: Callable[[], datetime], databases: Callable[[], Sequence[Database]], keep: float
) -> None:
    """Deletes mail that is older than `keep` seconds."""

    async def work() -> int:
        return await forget_old_mail(now(), databases(), keep)

    await _for_ever("old mail", OLD_MAIL_SECONDS, work)


async def forget_old_mail(now: datetime, databases: Sequence[Database], keep: float) -> int:
    """Deletes what is too old; how many. Raises DatabaseUnavailable once all others are done."""
    before = now - timedelta(seconds=keep)
    forget = partial(forget_old, before=before, most=OLD_MAIL_CHUNK)
    return await on_each(databases, partial(_chunk_by_chunk, forget))


async def forget_old_scores_for_ever(seasons: Seasons, databases: Callable[[], Sequence[Database]]) -> None:
    """Deletes the scores of seasons that were closed long ago."""

    async def work() -> int:
        closed = old_scores.long_closed(await seasons.room.records.all(), seasons.now())
        return await on_each(databases(), lambda database: old_scores.forget(database, closed))

    await _for_ever("old scores", OLD_SCORES_SECONDS, work)


async def forget_letter_counts_for_ever(databases: Callable[[], Sequence[Database]]) -> None:
    """Deletes counts of letters that have no effect any more."""

    async def work() -> int:
        return await on_each(databases(), partial(_chunk_by_chunk, partial(forget_rested, most=OLD_MAIL_CHUNK)))

    await _for_ever("letter counts", OLD_MAIL_SECONDS, work)


async def on_each(databases: Sequence[Database], work: Callable[[Database], Awaitable[int]]) -> int:
    """Works on all databases at the same time, as one that is silent must not hold up the others; how much was done.

    Raises the first error once all have ended.
    """
    return sum(await all_ended(map(work, databases)))


async def _chunk_by_chunk(forget: Callable[[Database], Awaitable[int]], database: Database) -> int:
    """Deletes a chunk at a time, so that no player waits for it, until nothing is left; how much."""
    deleted = 0
    while chunk := await forget(database):
        deleted += chunk
    return deleted


async def _for_ever(what: str, seconds: float, work: Callable[[], Awaitable[int]]) -> None:
    if seconds >= SELDOM_SECONDS:
        await asyncio.sleep(SETTLED_SECONDS)
    while True:
        try:
            with using(Purpose.UPKEEP):
                done = await work()
            if done:
                log.info("upkeep", what=what, done=done)
        except Unavailable as error:
            log.warning("upkeep waits", what=what, error=error.detail)
            await asyncio.sleep(min(seconds, RETRY_SECONDS))
            continue
        except Exception:
            log.exception("upkeep failed", what=what)
        await asyncio.sleep(seconds)
