"""Renames and deletions: a player changes its own name, or ends itself.

Law: before the commit every claim that it may make wrong is open, and the commit succeeds only if the player's
`claims_epoch` is still the one that was read (storage/accounts/identities.py). So a command that is killed or stalls
at any step leaves open claims that the sweeper resolves by what the player then is, and the command's retry, on any
node, gets the first answer or starts again.
"""

from collections.abc import Collection
from dataclasses import replace

from gameserver.commands.accounts import Accounts
from gameserver.commands.claims import resolve_all, resolve_stale
from gameserver.commands.commit import after_commit
from gameserver.commands.keys import name_keys, taken
from gameserver.commands.proof import require_proof
from gameserver.commands.sessions import authenticate
from gameserver.rules import names
from gameserver.rules.errors import DeviceTaken, NameTaken, NotAuthenticated, PlayerNotFound, TooManyChanges
from gameserver.storage.accounts.claims import Key, KeyKind
from gameserver.storage.accounts.identities import Change, Identity
from gameserver.storage.players.command import Receipt
from gameserver.storage.sessions.sessions import Session
from gameserver.storage.sessions.tokens import identify

ROUNDS = 5
"""How often a change is tried because other commands change or resolve the player's claims meanwhile."""


async def rename(accounts: Accounts, session: Session, text: str, command_id: str) -> Receipt:
    """Gives the caller's player another name, once per command id.

    Raises BadInput (CommandMismatch, CommandExpired), NameTaken, SessionRevoked, PlayerNotFound, TooManyChanges and
    what is unavailable.
    """
    async with accounts.turns.turn(session.player_id):
        return await _rename(accounts, session, text, command_id)


async def _rename(accounts: Accounts, session: Session, text: str, command_id: str) -> Receipt:
    name = names.read(text)
    change = Change(command_id, session.player_id, "rename", {"name": name.shown}, session.epoch)
    wanted = name_keys(name.shown)
    opened: set[Key] = set()
    try:
        for _ in range(ROUNDS):
            # Read the player and its claims_epoch; a retry ends here with the first answer.
            identity = await accounts.room.identities.find(change)
            if identity.earlier is not None:
                opened |= {*wanted, *name_keys(identity.earlier.events[0]["from"])}
                return identity.earlier
            names.parse(text)
            # Open the claims that the commit makes wrong: on the new name, and on the present one.
            if new := [key for key in wanted if key not in identity.keys]:
                if (earlier := await reserve_all(accounts, new, change, opened)) is not None:
                    return earlier
                await _doubt(accounts, identity, {KeyKind.NAME}, opened)
            # Commit, unless the epoch has changed.
            if (receipt := await accounts.room.identities.rename(change, identity.claims_epoch)) is not None:
                return receipt
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
        # Refused for good, unless another copy of the command was faster.
        if (earlier := await accounts.room.identities.refuse(change, refusal)) is None:
            raise
        return earlier
    return None


async def _reserve(accounts: Accounts, key: Key, change: Change) -> None:
    """Reserves a key. Raises NameTaken, DeviceTaken."""
    claim = await accounts.room.claims.retake(key, change.player_id, change.command_id)
    if claim.player_id != change.player_id and await resolve_stale(accounts, claim):
        claim = await accounts.room.claims.retake(key, change.player_id, change.command_id)
    if claim.player_id != change.player_id:
        raise taken(key)


async def _doubt(accounts: Accounts, identity: Identity, kinds: Collection[KeyKind], opened: set[Key]) -> None:
    """Reopens the player's claims of these kinds, which it is about to lose."""
    for key in identity.keys:
        if key.kind in kinds:
            opened.add(key)
            await accounts.room.claims.doubt(key, identity.player.id)


async def delete(accounts: Accounts, token: str, command_id: str, address: str | None = None) -> None:
    """Deletes the player of a session, once per command id, and ends its sessions on every node within a second.

    A retry comes with the token of a session that the first request ended; it succeeds under the same command id.
    Attempts with a token that has ended are limited by `address`, if there is one.
    Raises ProofNeeded, RateLimited, TooManyChanges, NotAuthenticated, BadInput (CommandMismatch, CommandExpired) and
    what is unavailable.
    """
    player_id, name = identify(token)
    change = Change(command_id, player_id, "delete", {"session": name}, session_epoch=0)
    try:
        session = await authenticate(accounts, token)
        await require_proof(accounts, session)
        async with accounts.turns.turn(player_id):
            await _delete(accounts, replace(change, session_epoch=session.epoch))
    except (NotAuthenticated, PlayerNotFound):
        # Has this very command deleted the player before?
        await accounts.attempts.sign_in(address)
        if (keys := await accounts.room.identities.removed(change)) is None:
            raise
        await resolve_all(accounts, player_id, keys)
    with after_commit("The player was deleted, but its sessions may go on for some seconds: send this again."):
        await accounts.sessions.revoke_all(player_id)


async def _delete(accounts: Accounts, change: Change) -> None:
    opened: set[Key] = set()
    try:
        for _ in range(ROUNDS):
            # The same steps as a rename: read, open every claim, commit if the epoch is unchanged.
            identity = await accounts.room.identities.find(change)
            await _doubt(accounts, identity, set(KeyKind), opened)
            if await accounts.room.identities.remove(change, identity.claims_epoch):
                return
    finally:
        await resolve_all(accounts, change.player_id, opened)
    raise TooManyChanges(retry_after=1)
