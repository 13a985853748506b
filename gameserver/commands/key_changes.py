"""How a player's keys are changed: renames, deletions, devices that are added or taken away.

Law: before the commit every claim that it may make wrong is open, and the commit succeeds only if the player's
`claims_epoch` is still the one that was read (storage/accounts/identities.py). So a command that is killed or stalls
at any step leaves open claims that the sweeper resolves by what the player then is, and the command's retry, on any
node, gets the first answer or starts again.
"""

from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

from gameserver.commands.accounts import Accounts
from gameserver.commands.claims import resolve_all, resolve_stale
from gameserver.commands.keys import taken
from gameserver.rules.errors import DeviceTaken, GameError, NameTaken, TooManyChanges
from gameserver.storage.accounts.claims import Key, KeyKind
from gameserver.storage.accounts.identities import Change, Identity
from gameserver.storage.players.command import Receipt

T = TypeVar("T")
ROUNDS = 5
"""How often a change is tried because other commands change or resolve the player's claims meanwhile."""
Attempt = Callable[[Identity, set[Key]], Awaitable[T | None]]
"""Opens the claims that the change makes wrong, noting their keys in the set, and commits it; None if the player's
`claims_epoch` isn't the one of the identity any more."""


async def change_keys(accounts: Accounts, change: Change, attempt: Attempt[T]) -> T:
    """What the first attempt that commits gives.

    Raises TooManyChanges, and what `Identities.find` and `attempt` do.
    """
    opened: set[Key] = set()
    try:
        for _ in range(ROUNDS):
            identity = await accounts.room.identities.find(change)
            if (outcome := await attempt(identity, opened)) is not None:
                return outcome
    finally:
        # However it ended, the open claims are resolved by what the player is now.
        await resolve_all(accounts, change.player_id, opened)
    raise TooManyChanges(retry_after=1)


async def reserve_all(accounts: Accounts, keys: Collection[Key], change: Change, opened: set[Key]) -> Receipt | None:
    """Reserves new keys; the first answer if another copy of the command was faster. Raises NameTaken, DeviceTaken."""
    try:
        for key in keys:
            opened.add(key)
            await _reserve(accounts, key, change)
    except (NameTaken, DeviceTaken) as refusal:
        return await refuse(accounts, change, refusal)
    return None


async def _reserve(accounts: Accounts, key: Key, change: Change) -> None:
    """Reserves a key. Raises NameTaken, DeviceTaken."""
    claim = await accounts.room.claims.retake(key, change.player_id, change.command_id)
    if claim.player_id != change.player_id and await resolve_stale(accounts, claim):
        claim = await accounts.room.claims.retake(key, change.player_id, change.command_id)
    if claim.player_id != change.player_id:
        raise taken(key)


async def doubt(accounts: Accounts, identity: Identity, kinds: Collection[KeyKind], opened: set[Key]) -> None:
    """Reopens the player's claims of these kinds, which it is about to lose."""
    for key in identity.keys:
        if key.kind in kinds:
            opened.add(key)
            await accounts.room.claims.doubt(key, identity.player.id)


async def refuse(accounts: Accounts, change: Change, refusal: GameError) -> Receipt:
    """Records a refusal for good, and raises it (decision 0020); the first answer if another copy was faster."""
    earlier = await accounts.room.identities.refuse(change, refusal)
    if earlier is None:
        raise refusal
    return earlier
