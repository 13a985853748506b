"""How a player's keys are changed: renames, deletions, devices that are added or taken away.

Law: before the commit every claim that it may make wrong is open, and the commit succeeds only if the player's
`claims_epoch` is still the one that was read (storage/accounts/identities.py). So a command that is killed or stalls
at any step leaves open claims that the sweeper resolves by what the player then is, and the command's retry, on any
node, gets the first answer or starts again.

A command that has just committed knows what its claims come to, and settles them as it opened them: if anybody has
reopened one since, that one isn't changed. After any other end they are resolved by what the player then is.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import TypeVar

import structlog

from gameserver.commands.accounts import Accounts
from gameserver.commands.claims import has_waited, resolve_all, resolve_stale
from gameserver.commands.keys import may_be_left, rounds_of, taken
from gameserver.rules.errors import DeviceTaken, GameError, NameTaken, TooManyChanges, Unavailable
from gameserver.storage.accounts.claims import Claim, Key
from gameserver.storage.accounts.identities import Change, Identity
from gameserver.storage.players.command import Receipt

T = TypeVar("T")
ROUNDS = 5
"""How often a change is tried because other commands change or resolve the player's claims meanwhile."""
Opened = dict[Key, Claim | None]
"""The keys whose claims a command has opened, or may have; with the claims as it has opened them."""
Attempt = Callable[[Identity, Opened], Awaitable[T | None]]
"""Opens the claims that the change makes wrong, noting them, and commits it; None if the player's `claims_epoch` isn't
the one of the identity any more."""
log = structlog.get_logger()


async def change_keys(accounts: Accounts, change: Change, attempt: Attempt[T]) -> T:
    """What the first attempt that commits gives.

    Raises TooManyChanges, and what `Identities.find` and `attempt` do.
    """
    opened: Opened = {}
    begun = time.monotonic()
    try:
        for _ in range(ROUNDS):
            identity = await accounts.room.identities.find(change)
            if (outcome := await attempt(identity, opened)) is not None:
                return outcome
    except Unavailable as error:
        if has_waited(error, begun):
            opened.clear()
        raise
    finally:
        # However else it ended, the claims that are still open are resolved by what the player is now.
        await resolve_all(accounts, change.player_id, opened)
    raise TooManyChanges(retry_after=1)


async def settle(accounts: Accounts, opened: Opened, held: Iterable[Key]) -> None:
    """Settles the claims of a command that has just committed: `held` are the keys that its player has now.

    What can't be reached is left to the sweeper.
    """
    known, keys = [claim for claim in opened.values() if claim is not None], set(held)
    opened.clear()
    try:
        confirmed = [claim for claim in known if claim.key in keys]
        await accounts.room.claims.settle(confirmed, [claim for claim in known if claim.key not in keys])
    except Unavailable as error:
        log.warning("claims not settled yet", claims=[str(claim.key) for claim in known], error=error.detail)


async def reserve_all(accounts: Accounts, keys: Sequence[Key], change: Change, opened: Opened) -> Receipt | None:
    """Reserves new keys, round by round; the first answer if another copy of the command was faster.

    Raises NameTaken, DeviceTaken.
    """
    opened.update(dict.fromkeys(keys))
    try:
        await _require_free(accounts, keys, change.player_id)
        for together in rounds_of(keys):
            for claim in await accounts.room.claims.retake_all(together, change.player_id, change.command_id):
                opened[claim.key] = await _required(accounts, claim, change)
    except (NameTaken, DeviceTaken) as refusal:
        return await refuse(accounts, change, refusal)
    return None


async def _require_free(accounts: Accounts, keys: Sequence[Key], player_id: int) -> None:
    """Whether another player certainly has one of the keys, before any is reserved. Raises NameTaken, DeviceTaken."""
    for claim in await asyncio.gather(*(accounts.room.claims.find(key) for key in keys)):
        if claim is not None and claim.player_id != player_id and not claim.overdue and not may_be_left(claim.key):
            raise taken(claim.key)


async def _required(accounts: Accounts, claim: Claim, change: Change) -> Claim:
    """The claim on a key for the change, if another player's was stale. Raises NameTaken, DeviceTaken."""
    if claim.player_id != change.player_id and await resolve_stale(accounts, claim):
        claim = await accounts.room.claims.retake(claim.key, change.player_id, change.command_id)
    if claim.player_id != change.player_id:
        raise taken(claim.key)
    return claim


async def doubt(accounts: Accounts, identity: Identity, keys: Collection[Key], opened: Opened) -> None:
    """Reopens the player's claims on these keys, which it is about to lose."""
    wanted = list(keys)
    opened.update(dict.fromkeys(wanted))
    opened.update(zip(wanted, await accounts.room.claims.doubt_all(wanted, identity.player.id), strict=True))


async def refuse(accounts: Accounts, change: Change, refusal: GameError) -> Receipt:
    """Records a refusal for good, and raises it (decision 0020); the first answer if another copy was faster."""
    earlier = await accounts.room.identities.refuse(change, refusal)
    if earlier is None:
        raise refusal
    return earlier
