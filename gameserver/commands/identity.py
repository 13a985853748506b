"""Renames and deletions: a player's own changes of who he is.

Law: before the commit every claim that it may make wrong is open, and the commit holds only if nobody has judged or
changed the player's claims since his state was read (storage/identities.py). So a command that is killed or frozen at
any step leaves claims that the sweeper settles by what the player then is, and the command's retry, on any node, gets
its first answer or begins anew.
"""

from collections.abc import Collection
from dataclasses import replace

from gameserver.commands.accounts import Accounts
from gameserver.commands.claims import resolve, settle
from gameserver.commands.keys import taken
from gameserver.commands.sessions import authenticate
from gameserver.rules import names
from gameserver.rules.errors import DatabaseUnavailable, NotAuthenticated, PlayerNotFound
from gameserver.storage.accounts.claims import Key, KeyKind
from gameserver.storage.accounts.identities import Change, Identity
from gameserver.storage.players.command import Receipt
from gameserver.storage.sessions.sessions import Session
from gameserver.storage.sessions.tokens import identify

ROUNDS = 5
"""How often a change is begun anew because others change or judge the player's claims."""


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
            identity = await accounts.room.identities.find(change)
            if identity.earlier is not None:
                opened |= {wanted, _former(identity.earlier)}
                return identity.earlier
            if wanted not in identity.keys:
                opened.add(wanted)
                await _take(accounts, wanted, change)
                await _doubt(accounts, identity, {KeyKind.NAME}, opened)
            if (receipt := await accounts.room.identities.rename(change, identity.claims_epoch)) is not None:
                return receipt
    finally:
        await settle(accounts, change.player_id, opened)
    raise _outpaced()


def _former(receipt: Receipt) -> Key:
    """The key of the name that a rename took from its player."""
    return Key(KeyKind.NAME, names.key_of(receipt.events[0]["from"]))


async def _take(accounts: Accounts, key: Key, change: Change) -> None:
    """Reserves a key. Raises NameTaken."""
    claim = await accounts.room.claims.retake(key, change.player_id, change.command_id)
    if claim.player_id != change.player_id and claim.overdue:
        await resolve(accounts, claim)
        claim = await accounts.room.claims.retake(key, change.player_id, change.command_id)
    if claim.player_id != change.player_id:
        raise taken(key)


async def _doubt(accounts: Accounts, identity: Identity, kinds: Collection[KeyKind], opened: set[Key]) -> None:
    """Opens the claims of these kinds that the player is about to lose."""
    for key in identity.keys:
        if key.kind in kinds:
            opened.add(key)
            await accounts.room.claims.doubt(key, identity.player.id)


async def delete(accounts: Accounts, token: str, command_id: str, address: str | None = None) -> None:
    """Deletes the player of a session, once per command id, and ends his sessions on every node within a second.

    A retry shows the token whose session the first one ended, and is taken for it under the same command id; asking so
    is limited by `address`, if there is one.
    Raises RateLimited, NotAuthenticated, BadInput (CommandMismatch, CommandExpired) and what is unavailable.
    """
    player_id, name = identify(token)
    change = Change(command_id, player_id, "delete", {"session": name}, session_epoch=0)
    try:
        session = await authenticate(accounts, token)
        await _delete(accounts, replace(change, session_epoch=session.epoch))
    except (NotAuthenticated, PlayerNotFound):
        await accounts.attempts.sign_in(address)
        if (keys := await accounts.room.identities.removed(change)) is None:
            raise
        await settle(accounts, player_id, keys)
    await accounts.sessions.revoke_all(player_id)


async def _delete(accounts: Accounts, change: Change) -> None:
    opened: set[Key] = set()
    try:
        for _ in range(ROUNDS):
            identity = await accounts.room.identities.find(change)
            await _doubt(accounts, identity, set(KeyKind), opened)
            if await accounts.room.identities.remove(change, identity.claims_epoch):
                return
    finally:
        await settle(accounts, change.player_id, opened)
    raise _outpaced()


def _outpaced() -> DatabaseUnavailable:
    return DatabaseUnavailable("Other commands change the player's name just now: send it again.", retry_after=1)
