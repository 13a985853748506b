"""Renames and deletions: a player's own changes of who he is.

Law: before the commit every claim that it may make wrong is open, and the commit holds only if nobody has judged or
changed the player's claims since his state was read (storage/identities.py). So a command that is killed or frozen at
any step leaves claims that the sweeper settles by what the player then is, and the command's retry, on any node, gets
its first answer or begins anew.
"""

from collections.abc import Collection
from dataclasses import replace

from gameserver.commands.accounts import authenticate, taken
from gameserver.commands.backend import Backend
from gameserver.commands.claims import resolve, settle
from gameserver.rules import names
from gameserver.rules.errors import DatabaseUnavailable, NotAuthenticated, PlayerNotFound
from gameserver.storage.accounts.claims import Key, Kind
from gameserver.storage.accounts.identities import Change, Standing
from gameserver.storage.players.command import Receipt
from gameserver.storage.sessions.sessions import Session, identify

ROUNDS = 5
"""How often a change is begun anew because others change or judge the player's claims."""


async def rename(backend: Backend, session: Session, text: str, command_id: str) -> Receipt:
    """Gives the caller's player another name, once per command id.

    Raises RateLimited, BadInput (CommandMismatch, CommandExpired), NameTaken, SessionRevoked, PlayerNotFound and what
    is unavailable.
    """
    if backend.pacing is not None:
        backend.pacing.spend(session.player_id)
    name = names.parse(text)
    change = Change(command_id, session.player_id, "rename", {"name": name.shown}, session.epoch)
    wanted = Key(Kind.NAME, name.key)
    opened: set[Key] = set()
    try:
        for _ in range(ROUNDS):
            standing = await backend.players.standing(change)
            if standing.earlier is not None:
                opened |= {wanted, _former(standing.earlier)}
                return standing.earlier
            if wanted not in standing.keys:
                opened.add(wanted)
                await _take(backend, wanted, change)
                await _doubt(backend, standing, {Kind.NAME}, opened)
            if (receipt := await backend.players.rename(change, standing.claims_epoch)) is not None:
                return receipt
    finally:
        await settle(backend, change.player_id, opened)
    raise _outpaced()


def _former(receipt: Receipt) -> Key:
    """The key of the name that a rename took from its player."""
    return Key(Kind.NAME, names.key_of(receipt.events[0]["from"]))


async def _take(backend: Backend, key: Key, change: Change) -> None:
    """Reserves a key. Raises NameTaken."""
    claim = await backend.claims.retake(key, change.player_id, change.command_id)
    if claim.player_id != change.player_id and claim.overdue:
        await resolve(backend, claim)
        claim = await backend.claims.retake(key, change.player_id, change.command_id)
    if claim.player_id != change.player_id:
        raise taken(key)


async def _doubt(backend: Backend, standing: Standing, kinds: Collection[Kind], opened: set[Key]) -> None:
    """Opens the claims of these kinds that the player is about to lose."""
    for key in standing.keys:
        if key.kind in kinds:
            opened.add(key)
            await backend.claims.doubt(key, standing.player.id)


async def delete(backend: Backend, token: str, command_id: str, address: str | None = None) -> None:
    """Deletes the player of a session, once per command id, and ends his sessions on every node within a second.

    A retry shows the token whose session the first one ended, and is taken for it under the same command id; asking so
    is limited by `address`, if there is one.
    Raises RateLimited, NotAuthenticated, BadInput (CommandMismatch, CommandExpired) and what is unavailable.
    """
    player_id, name = identify(token)
    change = Change(command_id, player_id, "delete", {"session": name}, session_epoch=0)
    try:
        session = await authenticate(backend, token)
        await _delete(backend, replace(change, session_epoch=session.epoch))
    except (NotAuthenticated, PlayerNotFound):
        await backend.attempts.sign_in(address)
        if (keys := await backend.players.removed(change)) is None:
            raise
        await settle(backend, player_id, keys)
    await backend.sessions.revoke_all(player_id)


async def _delete(backend: Backend, change: Change) -> None:
    opened: set[Key] = set()
    try:
        for _ in range(ROUNDS):
            standing = await backend.players.standing(change)
            await _doubt(backend, standing, set(Kind), opened)
            if await backend.players.remove(change, standing.claims_epoch):
                return
    finally:
        await settle(backend, change.player_id, opened)
    raise _outpaced()


def _outpaced() -> DatabaseUnavailable:
    return DatabaseUnavailable("Other commands change the player's name just now: send it again.", retry_after=1)
