"""Sign-in, by a device or by name and password."""

import asyncio
import contextlib
import time
from dataclasses import replace

from gameserver.commands.accounts import Accounts, Welcome, max_hp_of
from gameserver.commands.keys import device_key, is_look, name_keys
from gameserver.rules import names
from gameserver.rules.errors import BadInput, Unavailable, WrongCredentials
from gameserver.storage.accounts.claims import Claim, Key, KeyKind
from gameserver.storage.accounts.entrants import Entrant
from gameserver.storage.accounts.identities import Fate
from gameserver.storage.sessions.sessions import UNKNOWN, Origin


async def sign_in_by_device(
    accounts: Accounts, device: str, address: str | None = None, origin: Origin = UNKNOWN
) -> Welcome:
    """Opens a session. Limited by `address`, if there is one.

    Raises RateLimited, Overloaded, WrongCredentials, Banned, and SessionRevoked when the player's sessions were ended
    meanwhile.
    """
    key = device_key(device)
    first = accounts.room.claims.database_of(key)
    with accounts.entrance.place(first):
        await accounts.attempts.sign_in(address)
        claim = await accounts.room.claims.find(key)
        if claim is not None and (then := accounts.room.claims.databases_of(claim)[1]) != first:
            accounts.entrance.require_room(then)  # at the first one it has its place
        # Between this and the session the device may be taken away, which raises the epoch.
        seen = time.monotonic()
        entrant = None if claim is None else await accounts.room.entrants.find(claim.player_id, claim.key)
        if entrant is None or not entrant.has_device:
            raise WrongCredentials("These credentials don't fit any player.")
        return await _welcome(accounts, entrant, origin, seen)


async def _holds(accounts: Accounts, claim: Claim) -> bool:
    """Whether the key is the player's: an open claim may name the id of another sign-up's player."""
    return claim.confirmed or await accounts.room.identities.fate(claim) is Fate.HELD


async def sign_in_by_password(
    accounts: Accounts, name: str, password: str, address: str | None = None, origin: Origin = UNKNOWN
) -> Welcome:
    """Opens a session. Limited by `address`, if there is one, and by `name`.

    Raises RateLimited, Overloaded, WrongCredentials after about the same time whether the name exists or not, Banned,
    and SessionRevoked when the password was changed, or the player banned or deleted, meanwhile.
    """
    accounts.passwords.require_place(address)
    await accounts.attempts.sign_in(address, name)
    claim = await _find_name(accounts, name)
    seen = time.monotonic()
    entrant = None if claim is None else await accounts.room.entrants.find(claim.player_id)
    hashed = None if entrant is None else entrant.password_hash
    checked = await accounts.passwords.check(hashed, password, address)
    if not checked.fits or claim is None or entrant is None or not await _holds(accounts, claim):
        raise WrongCredentials("These credentials don't fit any player.")
    if checked.outdated and hashed is not None:
        await _renew(accounts, claim.player_id, hashed, password, address)
    welcome = await _welcome(accounts, entrant, replace(origin, by_password=True), seen)
    with contextlib.suppress(Unavailable):
        await accounts.attempts.remember(address, name)
    return welcome


async def _renew(accounts: Accounts, player_id: int, hashed: str, password: str, address: str | None) -> None:
    """Hashes a password anew as this version does; if that can't be done now, the next sign-in does it."""
    with contextlib.suppress(Unavailable):
        renewed = await accounts.passwords.hash(password, address)
        await accounts.room.credentials.renew(player_id, hashed, renewed)


async def _find_name(accounts: Accounts, name: str) -> Claim | None:
    """The claim on a name; a key that only earlier versions had comes before today's."""
    try:
        keys = [key for key in name_keys(names.read(name).shown) if not is_look(key)]
    except BadInput:
        keys = [Key(KeyKind.NAME, "")]  # no player has it, and to look takes as long
    found = await asyncio.gather(*(accounts.room.claims.find(key) for key in reversed(keys)))
    return next((claim for claim in found if claim is not None), None)


async def _welcome(accounts: Accounts, entrant: Entrant, origin: Origin, seen: float) -> Welcome:
    """Opens a session of the epoch at which the credentials were verified, which was after `seen`.

    Raises Banned, and SessionRevoked if the epoch was raised since.
    """
    entrant.require_not_banned()
    token, session = await accounts.sessions.open(entrant.player.id, entrant.session_epoch, origin, seen)
    return Welcome(entrant.player, max_hp_of(accounts, entrant.player), token, session)
