"""Renames and deletions: a player changes its own name, or ends itself (the law is in commands/key_changes.py)."""

from dataclasses import replace
from typing import NamedTuple

from gameserver.commands.accounts import Accounts
from gameserver.commands.claims import resolve_all
from gameserver.commands.commit import after_commit
from gameserver.commands.devices import ANY_EPOCH
from gameserver.commands.key_changes import Opened, change_keys, doubt, reserve_all, settle
from gameserver.commands.keys import name_keys
from gameserver.commands.proof import require_for_name, require_fresh, require_password
from gameserver.commands.sessions import authenticate
from gameserver.rules import names
from gameserver.rules.errors import NotAuthenticated, PlayerNotFound
from gameserver.rules.player import Player
from gameserver.storage.accounts.claims import KeyKind
from gameserver.storage.accounts.identities import Change, Identity
from gameserver.storage.players.command import Receipt
from gameserver.storage.sessions.sessions import Session
from gameserver.storage.sessions.tokens import identify


async def rename(accounts: Accounts, session: Session, text: str, command_id: str) -> Receipt:
    """Gives the caller's player another name, once per command id.

    Raises ProofNeeded, BadInput (CommandMismatch, CommandExpired), NameTaken, SessionRevoked, PlayerNotFound,
    TooManyChanges and what is unavailable.
    """
    name = names.read(text).shown
    change = Change(command_id, session.player_id, "rename", {"name": name}, session.epoch)
    return await _rename(accounts, change, text, session)


async def rename_for(
    accounts: Accounts, player_id: int, text: str, command_id: str, expected_version: int | None = None
) -> Receipt:
    """The same for an operator, whatever sessions the player has. Raises PlayerChanged for one of another version."""
    name = names.read(text).shown
    change = Change(command_id, player_id, "rename", {"name": name, "by": "an operator"}, ANY_EPOCH, expected_version)
    return await _rename(accounts, change, text)


async def _rename(accounts: Accounts, change: Change, text: str, session: Session | None = None) -> Receipt:
    """Without a session it is an operator who renames."""
    wanted = name_keys(change.args["name"])

    async def attempt(identity: Identity, opened: Opened) -> Receipt | None:
        if identity.earlier is not None:
            opened.update(dict.fromkeys((*wanted, *name_keys(identity.earlier.events[0]["from"]))))
            return identity.earlier
        names.parse(text, reserved=accounts.policy.reserved)
        if session is not None:
            require_for_name(accounts, session, identity)
        # The claims that the commit makes wrong: on the new name, and on the present one.
        present = [key for key in identity.keys if key.kind is KeyKind.NAME]
        new = [key for key in wanted if key not in present]
        if new and (earlier := await reserve_all(accounts, new, change, opened)) is not None:
            return earlier
        if {*wanted} != {*present}:
            await doubt(accounts, identity, present, opened)
        renamed = await accounts.room.identities.rename(change, identity.claims_epoch)
        if renamed is not None and not renamed.replayed:
            await settle(accounts, opened, wanted)
        return renamed

    async with accounts.turns.change(change.player_id):
        return await change_keys(accounts, change, attempt)


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
        async with accounts.turns.change(player_id):
            require_fresh(accounts, session)
            await _delete(accounts, session, replace(change, session_epoch=session.epoch))
    except (NotAuthenticated, PlayerNotFound):
        # Has this very command deleted the player before?
        await accounts.attempts.sign_in(address)
        if (removed := await accounts.room.identities.removed(change)) is None:
            raise
        await resolve_all(accounts, player_id, removed.keys)
    with after_commit("The player was deleted, but its sessions may go on for some seconds: send this again."):
        await accounts.sessions.revoke_all(player_id)


class Ended(NamedTuple):
    """A player as it was before a command deleted it, now or, `replayed`, before."""

    player: Player
    replayed: bool


async def end(accounts: Accounts, player_id: int, command_id: str) -> Ended | None:
    """Deletes a player for an operator, once; None if another command has deleted it.

    A player that was deleted before stays so. Raises TooManyChanges, BadInput (CommandMismatch, CommandExpired)
    and what is unavailable.
    """
    change = Change(command_id, player_id, "delete", {"by": "an operator"}, ANY_EPOCH)

    async def attempt(identity: Identity, opened: Opened) -> Ended | None:
        await doubt(accounts, identity, identity.keys, opened)
        removed = await accounts.room.identities.remove(change, identity.claims_epoch)
        return Ended(identity.player, replayed=False) if removed else None

    ended = None
    try:
        async with accounts.turns.change(player_id):
            ended = await change_keys(accounts, change, attempt)
    except PlayerNotFound:
        # Has this very command deleted the player before?
        if (removed := await accounts.room.identities.removed(change)) is not None:
            await resolve_all(accounts, player_id, removed.keys)
            ended = Ended(removed.player, replayed=True)
    with after_commit("The player was deleted, but its sessions may go on for some seconds: send this again."):
        await accounts.sessions.revoke_all(player_id)
    return ended


async def _delete(accounts: Accounts, session: Session, change: Change) -> None:
    async def attempt(identity: Identity, opened: Opened) -> bool | None:
        require_password(session, identity)
        await doubt(accounts, identity, identity.keys, opened)
        return await accounts.room.identities.remove(change, identity.claims_epoch) or None

    await change_keys(accounts, change, attempt)
