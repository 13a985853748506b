"""Renames and deletions: a player changes its own name, or ends itself.

Law: before the commit every claim that it may make wrong is open, and the commit succeeds only if the player's
`claims_epoch` is still the one that was read (storage/accounts/identities.py). So a command that is killed or stalls
at any step leaves open claims that the sweeper resolves by what the player then is, and the command's retry, on any
node, gets the first answer or starts again.
"""

from collections.abc import Collection
from dataclasses import replace

from gameserver.commands.accounts import Accounts
from gameserver.commands.claims import resolve, resolve_all
from gameserver.commands.keys import taken
from gameserver.commands.sessions import authenticate
from gameserver.rules import names
from gameserver.rules.errors import DatabaseUnavailable, NameTaken, NotAuthenticated, PlayerNotFound
from gameserver.storage.accounts.claims import Key, KeyKind
from gameserver.storage.accounts.identities import Change, Identity
from gameserver.storage.players.command import Receipt
from gameserver.storage.sessions.sessions import Session
from gameserver.storage.sessions.tokens import identify

ROUNDS = 5
"""How often a change is tried because other commands change or resolve the player's claims meanwhile."""


async def rename(accounts: Accounts, session: Session, text: str, command_id: str) -> Receipt:
    """Gives the caller's player another name, once per command id.

    Raises BadInput (CommandMismatch, CommandExpired), NameTaken, SessionRevoked, PlayerNotFound and what
    is unavailable.
    """
    name = names.parse(text)
    change = Change(command_id, session.player_id, "rename", {"name": name.shown}, session.epoch)
    wanted = Key(KeyKind.NAME, name.key)
    opened: set[Key] = set()
    try:
        for _ in range(ROUNDS):
            # Read the player and its claims_epoch; a retry ends here with the first answer.
            identity = await accounts.room.identities.find(change)
            if identity.earlier is not None:
                opened |= {wanted, _former(identity.earlier)}
                return identity.earlier
            # Open the claims that the commit makes wrong: on the new name, and on the present one.
            if wanted not in identity.keys:
                opened.add(wanted)
                try:
                    await _reserve(accounts, wanted, change)
                except NameTaken as refusal:
                    # Refused for good, unless another copy of the command was faster.
                    if (earlier := await accounts.room.identities.refuse(change, refusal)) is None:
                        raise
                    return earlier
                await _doubt(accounts, identity, {KeyKind.NAME}, opened)
            # Commit, unless the epoch has changed.
            if (receipt := await accounts.room.identities.rename(change, identity.claims_epoch)) is not None:
                return receipt
    finally:
        # However it ended, the open claims are resolved by what the player is now.
        await resolve_all(accounts, change.player_id, opened)
    raise _outpaced()


def _former(receipt: Receipt) -> Key:
    """The key of the name that a rename has replaced."""
    return Key(KeyKind.NAME, names.key_of(receipt.events[0]["from"]))


async def _reserve(accounts: Accounts, key: Key, change: Change) -> None:
    """Reserves a key. Raises NameTaken."""
    claim = await accounts.room.claims.retake(key, change.player_id, change.command_id)
    if claim.player_id != change.player_id and claim.overdue:
        await resolve(accounts, claim)
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
    Raises RateLimited, NotAuthenticated, BadInput (CommandMismatch, CommandExpired) and what is unavailable.
    """
    player_id, name = identify(token)
    change = Change(command_id, player_id, "delete", {"session": name}, session_epoch=0)
    try:
        session = await authenticate(accounts, token)
        await _delete(accounts, replace(change, session_epoch=session.epoch))
    except (NotAuthenticated, PlayerNotFound):
        # Has this very command deleted the player before?
        await accounts.attempts.sign_in(address)
        if (keys := await accounts.room.identities.removed(change)) is None:
            raise
        await resolve_all(accounts, player_id, keys)
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
    raise _outpaced()


def _outpaced() -> DatabaseUnavailable:
    return DatabaseUnavailable("Other commands are changing the player's name: send it again.", retry_after=1)
