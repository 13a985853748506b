"""Erasing a player for good, with a receipt: deleted first, then every name and text of it is erased in every store.

Law: every step may be repeated, under any command id, until the receipt says that nothing is left. What time was too
short for is gone on with by the next repetition. Figures stay, as others' ledgers and boards add up with them. The
audit log says what each repetition has erased, until one says that nothing is left. Backups aren't touched: they have
what they had until they expire.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType

from gameserver.commands import identity
from gameserver.commands.accounts import Accounts
from gameserver.commands.backup_dates import KnownBackups
from gameserver.commands.boards import Leaderboards
from gameserver.commands.corrections import ChangedBy
from gameserver.commands.erasure_receipts import ErasureReceipt, recorded, unfinished
from gameserver.commands.keys import name_keys
from gameserver.commands.own_history import ErasedHistory, OwnHistory
from gameserver.rules.errors import BoardUnavailable, Unavailable
from gameserver.storage.accounts.bans import Bans
from gameserver.storage.accounts.claims import Key
from gameserver.storage.accounts.erased_letters import ErasedLetter
from gameserver.storage.accounts.erasure import Erasure, Traces
from gameserver.storage.accounts.erasure_search import Elsewhere
from gameserver.storage.operators.audit import COMPLETE, Audit, AuditedChange
from gameserver.storage.operators.mentions import Mentions
from gameserver.storage.operators.notes import Notes
from gameserver.storage.rooms import LiveRoom, SocialRoom
from gameserver.storage.seasons.records import SeasonRecords

ARRIVAL_SECONDS, PAUSE = 5.0, 0.1
"""How long letters on their way, and followers of boards, are waited for."""
LEDGER_SECONDS, LONG_LEDGER_SECONDS = 5.2, 9.0
"""How long after its beginning an erasure has to have erased the player's ledger, if it is to do all else; one that
takes longer is erased until then, and all else is the repetition's."""
OWN_SECONDS, ALL_SECONDS = 5.5, 9.0
"""How long after its beginning an erasure has found what else is the player's, and has searched for what is left.
Boards may take ARRIVAL_SECONDS then."""
LONGEST_SECONDS = ALL_SECONDS + ARRIVAL_SECONDS
"""How long after its beginning it looks for anything: whoever asked still waits (HAProxy's `timeout server`)."""
NO_DETAILS: Mapping[str, object] = MappingProxyType({})
MENTIONS = "mentions"
"""What isn't searched once the player's names have been erased: nobody knows them any more."""


@dataclass(frozen=True, slots=True)
class Erasures:
    """One per node."""

    accounts: Accounts
    erasure: Erasure
    records: SeasonRecords
    notes: Notes
    bans: Bans
    social: SocialRoom
    live: LiveRoom
    leaderboards: Leaderboards
    audit: Audit
    mentions: Mentions
    backups: KnownBackups


async def erase(
    erasures: Erasures, player_id: int, by: ChangedBy, details: Mapping[str, object] = NO_DETAILS
) -> ErasureReceipt:
    """Deletes a player, unless it was deleted before, and erases what is left of it; `details` are for the audit log.

    Raises PlayerNotFound if there never was one, CommandExpired, CommandMismatch, OutcomeUnknown, TooManyChanges, and
    Unavailable while something can't be reached, letters of it are on their way, or a season is being counted: send it
    again.
    """
    entry = AuditedChange(by.admin, "erase", str(player_id), by.reason, details, by.command_id, {COMPLETE: False})
    begun = asyncio.get_running_loop().time()
    async with erasures.audit.recorded(entry) as end:
        await identity.end(erasures.accounts, player_id, by.command_id)
        end.after = unfinished({})  # what tells an order that deleted the player from one that was refused
        traces = await _arrived(erasures, player_id, begun + ARRIVAL_SECONDS)
        await _require_counted(erasures)
        history = ErasedHistory(traces.progress)
        try:
            await _erase_history(erasures, player_id, history, begun)
        finally:
            end.after = unfinished(history.progress.erased)
        known = traces.names | history.progress.names
        names = sorted({*known, *await erasures.records.names_of(player_id)})
        erased = await _erase(erasures, player_id, names, history, begun + OWN_SECONDS)
        end.after = unfinished(erased)
        elsewhere, (written, unsearched) = await asyncio.gather(
            erasures.erasure.elsewhere(player_id, names, begun + ALL_SECONDS),
            erasures.mentions.of(names, begun + ALL_SECONDS),
        )
        left = await _left(erasures, player_id, names, elsewhere, begun + LONGEST_SECONDS)
        left["players"] += history.progress.left
        mentions = elsewhere.mentions | written
        receipt = ErasureReceipt(
            player_id,
            by.command_id,
            len(names),
            erased,
            left,
            {store: count for store, count in mentions.items() if count},
            [*([] if known else [MENTIONS]), *elsewhere.unsearched, *unsearched],
            elsewhere.is_sure,
        )
        if receipt.complete:
            receipt = replace(receipt, backups=await erasures.backups.dates(erasures.leaderboards.now()))
        end.after = recorded(receipt)
    return receipt


async def foresee(erasures: Erasures, player_id: int) -> dict[str, int | str]:
    """How much there still is of a player that was deleted, by what it is; of a long ledger, how much at least.

    Raises PlayerNotFound for one that exists, or never did, DatabaseUnavailable.
    """
    traces = await erasures.erasure.traces(player_id)
    own = OwnHistory(erasures.erasure.ledger, player_id, asyncio.get_running_loop().time() + OWN_SECONDS)
    in_ledger, letters, are_all = await own.foresee(traces.progress)
    names = {*traces.names, *in_ledger, *await erasures.records.names_of(player_id)}
    counted = {"names": len(names), "letters": letters + traces.on_its_way}
    return {
        **(counted if are_all else {what: f"at least {count}" for what, count in counted.items()}),
        **await written_of(erasures, player_id),
    }


async def written_of(erasures: Erasures, player_id: int) -> dict[str, int]:
    """How much operators have written of a player. Raises PlayerNotFound for an id that none can have."""
    return {"bans": await erasures.bans.count(player_id), "notes": await erasures.notes.count(player_id)}


async def _arrived(erasures: Erasures, player_id: int, deadline: float) -> Traces:
    now = asyncio.get_running_loop().time
    while True:
        traces = await erasures.erasure.traces(player_id)
        if not traces.on_its_way:
            return traces
        if now() >= deadline:
            problem = "The player is deleted, but letters of it are on their way: send this again."
            raise Unavailable(problem, retry_after=5)
        await asyncio.sleep(PAUSE)


async def _require_counted(erasures: Erasures) -> None:
    """Names on past standings are erased last, which waits for a count: by then nobody could search for them."""
    if await erasures.records.are_being_counted():
        raise Unavailable("The player is deleted, but a season is being counted: send this again.", retry_after=5)


async def _erase_history(erasures: Erasures, player_id: int, history: ErasedHistory, begun: float) -> None:
    """Raises Unavailable unless there is time for all that comes after it."""

    async def forget(letters: Sequence[ErasedLetter]) -> int:
        return await _forget_letters(erasures, player_id, letters)

    await OwnHistory(erasures.erasure.ledger, player_id, begun + LONG_LEDGER_SECONDS).erase(history, forget)
    if asyncio.get_running_loop().time() >= begun + LEDGER_SECONDS:
        problem = "The player's ledger is erased, but there is no time left for all else: send this again."
        raise Unavailable(problem, retry_after=1)


async def _erase(
    erasures: Erasures, player_id: int, names: Sequence[str], history: ErasedHistory, deadline: float
) -> dict[str, int]:
    claims = [await _free(erasures, player_id, key) for name in names for key in name_keys(name)]
    redis = [history.redis, *[await _forget_addresses(erasures, name) for name in names]]
    # From here on its names aren't known any more to one who repeats it.
    counted = history.progress.erased
    rows = counted | await erasures.erasure.forget(player_id)
    redis += [
        await erasures.social.feeds.forget(player_id),
        await erasures.social.friends.forget(player_id),
        await erasures.live.pushes.forget(player_id),
    ]
    # What only a search finds holds up nothing that is known: it may take long.
    own = await erasures.erasure.own_elsewhere(player_id, deadline)
    claims += [await _free(erasures, player_id, key) for key in own.claims]
    redis.append(await _forget_letters(erasures, player_id, own.letters))
    return {
        "claims": sum(claims),
        **rows,
        "letters": counted["letters"] + len({*own.letters} - history.letters),
        "standings": await erasures.records.forget_name(player_id),
        "notes": await erasures.notes.forget(player_id),
        "redis": sum(redis),
    }


async def _forget_letters(erasures: Erasures, player_id: int, letters: Sequence[ErasedLetter]) -> int:
    """How many keys of Redis had them, too."""
    for letter in letters:
        await erasures.erasure.forget_letter(letter, player_id)
    forgotten = 0
    for recipient in sorted({letter.recipient for letter in letters}):
        forgotten += await erasures.live.pushes.forget_letters(recipient, player_id)
        forgotten += await erasures.social.feeds.forget(recipient)
    return forgotten


async def _free(erasures: Erasures, player_id: int, key: Key) -> bool:
    """Frees the player's claim on a name, also on one that stays blocked otherwise; whether there was one."""
    claims = erasures.accounts.room.claims
    claim = await claims.doubt(key, player_id)
    if claim is not None:
        await claims.release(claim)
    return claim is not None


async def _forget_addresses(erasures: Erasures, name: str) -> int:
    """From where a name was signed in to, unless another player has it by now; how many keys."""
    if await erasures.accounts.room.claims.find(name_keys(name)[0]) is not None:
        return 0
    return await erasures.accounts.attempts.forget(name)


async def _left(
    erasures: Erasures, player_id: int, names: Sequence[str], elsewhere: Elsewhere, deadline: float
) -> dict[str, int]:
    """What a search still finds, by store."""

    async def is_claimed(key: Key) -> bool:
        claim = await erasures.accounts.room.claims.find(key)
        return claim is not None and claim.player_id == player_id

    known = {key for name in names for key in name_keys(name)}
    return {
        "claims": len({*elsewhere.claims, *[key for key in known if await is_claimed(key)]}),
        "players": await erasures.erasure.left(player_id),
        "standings": len(await erasures.records.names_of(player_id)),
        "notes": await erasures.notes.count(player_id),
        "sessions": len(await erasures.accounts.sessions.listed(player_id)),
        "boards": await _soon_none(lambda: _places(erasures, player_id), deadline),
        "letters": len(elsewhere.letters) + elsewhere.waiting,
    }


async def _places(erasures: Erasures, player_id: int) -> int:
    """On how many boards the player still is: also on those of seasons that are counted and not dropped yet."""
    leaderboards = erasures.leaderboards
    contests = await leaderboards.standings.present(leaderboards.seasons.calendar.known(leaderboards.now()))
    pages = [await leaderboards.standings.ranks(contest, [player_id]) for contest in contests]
    return sum(len(page.standings) for page in pages)


async def _soon_none(count: Callable[[], Awaitable[int]], deadline: float) -> int:
    """Followers of boards are a moment behind, and a board that is being built can't tell yet.

    Raises BoardUnavailable if none has told before the deadline, or before ARRIVAL_SECONDS have passed.
    """
    counted = None
    with suppress(TimeoutError):
        async with asyncio.timeout_at(min(deadline, asyncio.get_running_loop().time() + ARRIVAL_SECONDS)):
            while True:
                with suppress(BoardUnavailable):
                    if not (counted := await count()):
                        return 0
                await asyncio.sleep(PAUSE)
    if counted is None:
        raise BoardUnavailable
    return counted
