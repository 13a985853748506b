"""Sign-up, sign-in, and the ends of sessions.

A sign-up's command id leads to its player's id, so a retry, on any node, finds what the first one made. The password
isn't part of what the ledger keeps: a retry has to know it again.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gameserver.commands.backend import Backend
from gameserver.commands.claims import resolve, settle
from gameserver.rules import names
from gameserver.rules.errors import (
    BadInput,
    CommandMismatch,
    DatabaseUnavailable,
    DeviceTaken,
    FieldProblem,
    NameTaken,
    PlayerNotFound,
    WrongCredentials,
)
from gameserver.rules.player import Player
from gameserver.storage.accounts.births import Birth
from gameserver.storage.accounts.claims import Claim, Key, Kind
from gameserver.storage.accounts.identities import Fate
from gameserver.storage.sessions.sessions import UNKNOWN, Listed, Origin, Session

ATTEMPTS = 4
ROUNDS = 20
UNDER_WAY_PAUSE = 0.05
"""Seconds; while the same command, sent twice at once, makes the player."""


@dataclass(frozen=True, slots=True)
class Application:
    """Who wants to be a player; at least one credential. `hp` and `exp` are for an operator's imports."""

    name: str
    class_name: str
    device: str | None = None
    password: str | None = None
    hp: int | None = None
    exp: int = 0
    shortest_name: int = 2


@dataclass(frozen=True, slots=True)
class Welcome:
    """A player and his new session."""

    player: Player
    max_hp: int
    token: str
    session: Session
    replayed: bool = False


async def sign_up(
    backend: Backend,
    application: Application,
    command_id: str,
    address: str | None = None,
    origin: Origin = UNKNOWN,
) -> Welcome:
    """Makes a player, once per command id, and opens a session.

    Limited by `address`, if there is one.
    Raises RateLimited, BadInput (UnknownClass, CommandMismatch, CommandExpired), NameTaken, DeviceTaken,
    PlayerNotFound if the player has been deleted since, SessionRevoked if a retry's password was changed meanwhile,
    and what is unavailable.
    """
    await backend.attempts.sign_up(address)
    birth, replayed = await enroll(backend, application, command_id)
    await backend.players.session_epoch(birth.player.id)
    token, session = await backend.sessions.open(birth.player.id, birth.epoch, origin)
    return Welcome(birth.player, birth.max_hp, token, session, replayed)


class _UnderWay(Exception):
    """The same command, sent twice at once, has reserved for another id of its own."""


async def enroll(backend: Backend, application: Application, command_id: str) -> tuple[Birth, bool]:
    """A sign-up without its session; whether it had been made before."""
    if application.device is None and application.password is None:
        problem = "at least one of device and password is needed"
        raise BadInput(errors=[FieldProblem("device", problem), FieldProblem("password", problem)])
    for _ in range(ROUNDS):
        with contextlib.suppress(_UnderWay):
            return await _enroll(backend, application, command_id)
        await asyncio.sleep(UNDER_WAY_PAUSE)
    raise DatabaseUnavailable("The sign-up is under way elsewhere: send it again.", retry_after=1)


async def _enroll(backend: Backend, application: Application, command_id: str) -> tuple[Birth, bool]:
    """One round. Raises _UnderWay."""
    draft = draft_of(backend, application, command_id, 0)
    claims = [claim for key in _keys(draft) if (claim := await backend.claims.find(key)) is not None]
    if (earlier := await _earlier(backend, draft, claims)) is not None:
        return await _retried(backend, application, draft, earlier), True
    backend.window.refuse(command_id, backend.now())
    for claim in claims:
        if claim.command_id != command_id and not claim.overdue:
            raise taken(claim.key)
    hashed = await _hashed(backend, application)
    for draft in _drafts(backend, application, command_id, claims):
        if await _make(backend, draft, hashed):
            return draft, False
        if (born := await backend.players.born(draft.player.id, command_id)) is not None:
            return await _retried(backend, application, draft, born), True
    raise DatabaseUnavailable("The sign-up took too long: send it again.", retry_after=1)


async def _make(backend: Backend, draft: Birth, hashed: str | None) -> bool:
    """Makes the sign-up's player under this id, unless the id is taken. Raises NameTaken, DeviceTaken."""
    held = await _reserve(backend, draft)
    made = await backend.players.create(draft, hashed)
    for claim in held:
        await (backend.claims.confirm(claim) if made else resolve(backend, claim))
    return made


async def _earlier(backend: Backend, draft: Birth, claims: Sequence[Claim]) -> Birth | None:
    """What this command has made before: under its first id, or under the one that its claims name."""
    command_id = draft.command_id
    ids = [draft.player.id, *(claim.player_id for claim in claims if claim.command_id == command_id)]
    for player_id in dict.fromkeys(ids):
        if (born := await backend.players.born(player_id, command_id)) is not None:
            return born
    return None


def _drafts(backend: Backend, application: Application, command_id: str, claims: Sequence[Claim]) -> Sequence[Birth]:
    """The players that may be tried, one after the other; only those that an earlier try reserved for, if one did."""
    drafts = [draft_of(backend, application, command_id, attempt) for attempt in range(ATTEMPTS)]
    reserved_for = {claim.player_id for claim in claims if claim.command_id == command_id}
    return [draft for draft in drafts if not reserved_for or draft.player.id in reserved_for]


def draft_of(backend: Backend, application: Application, command_id: str, attempt: int) -> Birth:
    """What this command would make at its `attempt`, from 0. Raises BadInput."""
    name = names.parse(application.name, application.shortest_name)
    player = backend.rulebook.new_player(
        backend.players.id_of(command_id, attempt),
        name.shown,
        application.class_name,
        backend.now(),
        application.hp,
        application.exp,
    )
    keys = [Key(Kind.NAME, name.key)]
    if application.device is not None:
        keys.append(_device_key(application.device))
    args = {"name": name.shown, "class": player.class_name, "hp": application.hp, "exp": application.exp}
    max_hp = backend.rulebook.game.max_hp(player.class_name, player.level)
    return Birth(command_id, args, [str(key) for key in keys], player, max_hp)


def _keys(birth: Birth) -> list[Key]:
    return [Key.parse(each) for each in birth.keys]


def _device_key(device: str) -> Key:
    return Key(Kind.DEVICE, hashlib.sha256(device.encode()).hexdigest())


async def _hashed(backend: Backend, application: Application) -> str | None:
    return None if application.password is None else await backend.passwords.hash(application.password)


async def _retried(backend: Backend, application: Application, draft: Birth, earlier: Birth) -> Birth:
    """The first answer of a sign-up that was sent again.

    Raises CommandMismatch if it isn't the same one, and PlayerNotFound if its player has been deleted since.
    """
    if not await backend.players.exists(earlier.player.id):
        raise PlayerNotFound("The player was deleted.")
    same = (earlier.args, list(earlier.keys)) == (draft.args, list(draft.keys))
    hashed, epoch = await backend.players.password(earlier.player.id)
    if same and application.password is not None:
        same = await backend.passwords.verify(hashed, application.password)
    elif hashed is not None:
        same = False
    if not same:
        raise CommandMismatch("The command id was used before, for another sign-up.")
    await settle(backend, earlier.player.id, _keys(earlier))
    return replace(earlier, epoch=epoch)


async def _reserve(backend: Backend, draft: Birth) -> list[Claim]:
    """Reserves every key, or none. Raises NameTaken, DeviceTaken, _UnderWay.

    The same command, sent twice at once, may rely on what is reserved here: it is freed only when the sign-up is
    sure to make no player under this id any more.
    """
    command_id, player_id = draft.command_id, draft.player.id
    held: list[Claim] = []
    for key in _keys(draft):
        claim = await _claim(backend, key, player_id, command_id)
        if (claim.command_id, claim.player_id) != (command_id, player_id):
            for each in held:
                await resolve(backend, each)
            raise _UnderWay if claim.command_id == command_id else taken(key)
        held.append(claim)
    return held


async def _claim(backend: Backend, key: Key, player_id: int, command_id: str) -> Claim:
    claim = await backend.claims.reserve(key, player_id, command_id)
    if claim.overdue and claim.command_id != command_id:
        await resolve(backend, claim)
        claim = await backend.claims.reserve(key, player_id, command_id)
    return claim


def taken(key: Key) -> NameTaken | DeviceTaken:
    """Why a key can't be had."""
    if key.kind is Kind.NAME:
        return NameTaken("Another player has this name.")
    return DeviceTaken("Another player has this device.")


async def sign_in_by_device(
    backend: Backend, device: str, address: str | None = None, origin: Origin = UNKNOWN
) -> Welcome:
    """Limited by `address`, if there is one. Raises RateLimited, WrongCredentials."""
    await backend.attempts.sign_in(address)
    claim = await backend.claims.find(_device_key(device))
    if claim is None or not await _holds(backend, claim):
        raise WrongCredentials("These credentials don't fit any player.")
    return await _welcome(backend, claim.player_id, origin)


async def _holds(backend: Backend, claim: Claim) -> bool:
    """Whether the key is its player's: of an open claim that isn't sure, and it may name somebody else's id."""
    return claim.confirmed or await backend.players.fate(claim) is Fate.HELD


async def sign_in_by_password(
    backend: Backend, name: str, password: str, address: str | None = None, origin: Origin = UNKNOWN
) -> Welcome:
    """Limited by `address`, if there is one, and then by `name`, too.

    Raises RateLimited, WrongCredentials after about the same time whether the name exists or not, and SessionRevoked
    when the password was changed meanwhile.
    """
    await backend.attempts.sign_in(address, name)
    claim = await backend.claims.find(Key(Kind.NAME, _name_key(name)))
    hashed, epoch = (None, 0) if claim is None else await backend.players.password(claim.player_id)
    fits = await backend.passwords.verify(hashed, password)
    if not fits or claim is None or not await _holds(backend, claim):
        raise WrongCredentials("These credentials don't fit any player.")
    return await _welcome(backend, claim.player_id, origin, epoch)


def _name_key(name: str) -> str:
    """The key of a name; of one that nobody can have, a key that nobody has."""
    try:
        return names.parse(name, 1).key
    except BadInput:
        return ""


async def _welcome(backend: Backend, player_id: int, origin: Origin, proven: int | None = None) -> Welcome:
    """Opens a session of the epoch at which a password was `proven`: if it was changed since, it has ended already."""
    try:
        epoch = await backend.players.session_epoch(player_id)
        player = (await backend.players.read([player_id]))[player_id]
    except (PlayerNotFound, KeyError):
        raise WrongCredentials("These credentials don't fit any player.") from None
    token, session = await backend.sessions.open(player_id, epoch if proven is None else proven, origin)
    return Welcome(player, max_hp_of(backend, player), token, session)


def max_hp_of(backend: Backend, player: Player) -> int:
    return backend.rulebook.game.max_hp(player.class_name, player.level)


async def sessions(backend: Backend, session: Session) -> list[Listed]:
    """The caller's sessions, oldest first."""
    return await backend.sessions.listed(session.player_id, session.epoch)


async def sign_out(backend: Backend, session: Session) -> None:
    """Ends this session, on every node within a second."""
    await backend.sessions.revoke(session)


async def sign_out_elsewhere(backend: Backend, session: Session, listed_id: str) -> None:
    """Ends the caller's session of this id, on every node within a second. Raises SessionNotFound."""
    await backend.sessions.revoke_listed(session, listed_id)


async def sign_out_everywhere(backend: Backend, session: Session) -> None:
    """Ends all sessions of the caller, also in a Redis that forgets it: Postgres is told first."""
    await backend.players.raise_session_epoch(session.player_id)
    await backend.sessions.revoke_all(session.player_id)


async def authenticate(backend: Backend, token: str) -> Session:
    """The session of a token. Raises NotAuthenticated, SessionsUnavailable, DatabaseUnavailable, Overloaded."""
    return await backend.sessions.check(token)
