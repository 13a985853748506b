"""Sign-up: a player is made once per command id.

Law: the player's id is derived from the command id, so a retry, on any node, finds the player that the first request
made. The ledger doesn't store the password: a retry has to send the same one again.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from unicodedata import normalize

import structlog

from gameserver.commands.accounts import Accounts, Application, Welcome
from gameserver.commands.claims import resolve, resolve_all, resolve_stale
from gameserver.commands.commit import after_commit
from gameserver.commands.keys import device_key, is_look, name_keys, taken
from gameserver.rules import names
from gameserver.rules.devices import require_strong
from gameserver.rules.errors import (
    BadInput,
    CommandMismatch,
    DeviceTaken,
    FieldProblem,
    NameTaken,
    OutcomeUnknown,
    Overloaded,
    PlayerNotFound,
    Unavailable,
)
from gameserver.rules.passwords import require_good
from gameserver.storage.accounts.claims import Claim, Key, KeyKind
from gameserver.storage.accounts.enrolments import Enrolment
from gameserver.storage.sessions.sessions import UNKNOWN, Origin

log = structlog.get_logger()

ATTEMPTS = 4
"""How many ids a sign-up tries."""
CLAIM_TRIES = 3
"""How often a key is reserved again after a claim that stood in the way was resolved."""
ROUNDS = 20
"""How often a sign-up waits for the same command on another node."""
UNDER_WAY_PAUSE = 0.05
"""Seconds between these rounds."""


async def sign_up(
    accounts: Accounts,
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
    await accounts.attempts.sign_up(address)
    await accounts.sessions.require_open()
    enrolment, replayed = await enroll(accounts, application, command_id)
    player = enrolment.player
    with after_commit(_MADE):
        await accounts.room.credentials.session_epoch(player.id)  # raises Banned
        proved = replace(origin, by_password=application.password is not None)
        token, session = await accounts.sessions.open(player.id, enrolment.epoch, proved)
    if application.password is not None:
        with contextlib.suppress(Unavailable):
            await accounts.attempts.remember(address, player.name)
    return Welcome(player, enrolment.max_hp, token, session, replayed)


_MADE = "The player exists, but no session could be opened: send this again under the same command id, or sign in."


class _UnderWay(Exception):
    """The same command, sent several times at once, changes the claims faster than this request does."""


class _Dead(Exception):
    """This id can't be the player's: another request of the same command has gone on to a later one."""


async def enroll(accounts: Accounts, application: Application, command_id: str) -> tuple[Enrolment, bool]:
    """A sign-up without its session; whether the player had been made before."""
    if application.device is None and application.password is None:
        problem = "at least one of device and password is needed"
        raise BadInput(errors=[FieldProblem("device", problem), FieldProblem("password", problem)])
    for _ in range(ROUNDS):
        with contextlib.suppress(_UnderWay):
            return await _enroll(accounts, application, command_id)
        await asyncio.sleep(UNDER_WAY_PAUSE)
    raise OutcomeUnknown("The same sign-up is under way elsewhere: send it again.", retry_after=1)


async def _enroll(accounts: Accounts, application: Application, command_id: str) -> tuple[Enrolment, bool]:
    """One round. Raises _UnderWay."""
    draft = draft_of(accounts, application, command_id, 0)
    found = await asyncio.gather(*(accounts.room.claims.find(key) for key in _keys(draft)))
    claims = [claim for claim in found if claim is not None]
    # A retry gets the first answer.
    if (earlier := await _earlier(accounts, draft, claims)) is not None:
        return await _retried(accounts, application, draft, earlier), True
    # A new command: refuse what can be refused before a password is hashed.
    accounts.policy.window.check(command_id, accounts.policy.now())
    _require_good(application)
    for claim in claims:
        if claim.command_id != command_id and not claim.overdue and not is_look(claim.key):
            raise taken(claim.key)
    hashed = await _hashed(accounts, application)
    # Try one id after the other until there is a player, made here or by the same command on another node.
    for draft in _drafts(accounts, application, command_id, claims):
        with contextlib.suppress(_Dead):
            if await _make(accounts, draft, hashed):
                return draft, False
        if (made := await accounts.room.enrolments.find(draft.player.id, command_id)) is not None:
            return await _retried(accounts, application, draft, made), True
    raise Overloaded("The sign-up took too long: send it again.", retry_after=1)


def _require_good(application: Application) -> None:
    """What is asked of new players only. Raises BadInput."""
    names.parse(application.name, application.shortest_name)
    if application.device is not None and not application.device_is_trusted:
        require_strong(application.device)
    if application.password is not None:
        require_good(application.password, application.name)


async def _make(accounts: Accounts, draft: Enrolment, hashed: str | None) -> bool:
    """Makes the sign-up's player under this id; False if the id is dead. Raises NameTaken, DeviceTaken, _Dead."""
    held = await _reserve(accounts, draft)
    # The commit point; killed here, the sweeper confirms or frees the claims.
    made = await accounts.room.enrolments.create(draft, hashed)
    if made:
        await asyncio.gather(*(_confirm(accounts, claim) for claim in held))
        return True
    for claim in held:
        await resolve(accounts, claim)
    return False


async def _confirm(accounts: Accounts, claim: Claim) -> None:
    """Confirms a claim of a player that has been made; what can't be reached is left to the sweeper."""
    try:
        await accounts.room.claims.confirm(claim)
    except Unavailable as error:
        log.warning("claim not confirmed yet", claim=str(claim.key), error=error.detail)


async def _earlier(accounts: Accounts, draft: Enrolment, claims: Sequence[Claim]) -> Enrolment | None:
    """The player that this command has made before: under its first id, or under the id that its claims name."""
    command_id = draft.command_id
    ids = [draft.player.id, *(claim.player_id for claim in claims if claim.command_id == command_id)]
    for player_id in dict.fromkeys(ids):
        if (made := await accounts.room.enrolments.find(player_id, command_id)) is not None:
            return made
    return None


def _ids(accounts: Accounts, command_id: str) -> list[int]:
    """The ids that this command may make its player under, in the order in which every request of it tries them."""
    return [accounts.room.enrolments.id_of(command_id, attempt) for attempt in range(ATTEMPTS)]


def _drafts(
    accounts: Accounts, application: Application, command_id: str, claims: Sequence[Claim]
) -> Sequence[Enrolment]:
    """The players to try, in order, from the latest id that a request of this command has reserved a key for."""
    ids = _ids(accounts, command_id)
    reserved = [
        ids.index(claim.player_id) for claim in claims if claim.command_id == command_id and claim.player_id in ids
    ]
    first = max(reserved, default=0)
    return [draft_of(accounts, application, command_id, attempt) for attempt in range(first, ATTEMPTS)]


def draft_of(accounts: Accounts, application: Application, command_id: str, attempt: int) -> Enrolment:
    """The enrolment that this command would make at its `attempt`, from 0. Raises BadInput.

    What is asked of new players only isn't checked: it may be a retry of a sign-up that an earlier version accepted.
    """
    name = names.read(application.name, application.shortest_name)
    player = accounts.rulebook.new_player(
        accounts.room.enrolments.id_of(command_id, attempt),
        name.shown,
        application.class_name,
        accounts.policy.now(),
        application.hp,
        application.exp,
    )
    keys = list(name_keys(name.shown))
    if application.device is not None:
        keys.append(device_key(application.device))
    args = {"name": name.shown, "class": player.class_name, "hp": application.hp, "exp": application.exp}
    max_hp = accounts.rulebook.game.max_hp(player.class_name, player.level)
    return Enrolment(command_id, args, [str(key) for key in keys], player, max_hp)


def _keys(enrolment: Enrolment) -> list[Key]:
    return [Key.parse(text) for text in enrolment.keys]


async def _hashed(accounts: Accounts, application: Application) -> str | None:
    return None if application.password is None else await accounts.passwords.hash(application.password)


async def _retried(accounts: Accounts, application: Application, draft: Enrolment, earlier: Enrolment) -> Enrolment:
    """The first answer of a sign-up that was sent again.

    Raises CommandMismatch if it isn't the same sign-up, and PlayerNotFound if its player has been deleted since.
    """
    if not await accounts.room.identities.exists(earlier.player.id):
        raise PlayerNotFound("The player was deleted.")
    # The same fields, and the same password or none.
    same = _is_same(earlier, draft)
    hashed, epoch = await accounts.room.credentials.password(earlier.player.id)
    if same and application.password is not None:
        same = await accounts.passwords.verify(hashed, application.password)
    elif hashed is not None:
        same = False
    if not same:
        raise CommandMismatch("The command id was used before, for another sign-up.")
    # The first request may have been killed before it confirmed its claims.
    await resolve_all(accounts, earlier.player.id, _keys(earlier))
    return replace(earlier, epoch=epoch)


def _is_same(earlier: Enrolment, draft: Enrolment) -> bool:
    """Whether two enrolments have the same fields. Earlier versions stored names in NFKC, and fewer keys of each."""
    shown = draft.args["name"]
    same_name = earlier.args["name"] in (shown, normalize("NFKC", shown))
    return same_name and {**earlier.args, "name": shown} == draft.args and _devices(earlier) == _devices(draft)


def _devices(enrolment: Enrolment) -> list[Key]:
    return [key for key in _keys(enrolment) if key.kind is KeyKind.DEVICE]


async def _reserve(accounts: Accounts, draft: Enrolment) -> list[Claim]:
    """Reserves every key, or none. Raises NameTaken, DeviceTaken, _Dead, _UnderWay.

    The same command, sent several times at once, may rely on what is reserved here, so it isn't released but resolved:
    freed only once this sign-up can't make a player under this id any more.
    """
    held: list[Claim] = []
    for key in _keys(draft):
        try:
            held.append(await _claim(accounts, key, draft))
        except (NameTaken, DeviceTaken, _Dead):
            for reserved in held:
                await resolve(accounts, reserved)
            raise
    return held


async def _claim(accounts: Accounts, key: Key, draft: Enrolment) -> Claim:
    """Reserves a key for the draft. Raises NameTaken, DeviceTaken, _Dead, _UnderWay.

    Law: a request goes on to a later id only when the ids before it are dead: void, or another player's. So of two
    claims of this command the one for the earlier id is stale, and resolving it takes nothing from anybody.
    """
    command_id, player_id = draft.command_id, draft.player.id
    others: set[int] = set()
    for _ in range(CLAIM_TRIES):
        claim = await accounts.room.claims.reserve(key, player_id, command_id)
        if (claim.command_id, claim.player_id) == (command_id, player_id):
            return claim
        ids = _ids(accounts, command_id)
        is_own = claim.command_id == command_id and claim.player_id in ids
        if is_own and ids.index(claim.player_id) > ids.index(player_id):
            raise _Dead
        if is_own:
            await resolve(accounts, claim)
        # Once for each other player: it may hold the key after all.
        elif claim.player_id in others or not await resolve_stale(accounts, claim):
            raise taken(key)
        others.add(claim.player_id)
    raise _UnderWay if is_own else taken(key)
