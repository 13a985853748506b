"""Sign-up: a player is made once per command id.

Law: the player's id is derived from the command id, so a retry, on any node, finds the player that the first request
made. The ledger doesn't store the password: a retry has to send the same one again.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace

from gameserver.commands.accounts import Accounts, Application, Welcome
from gameserver.commands.claims import has_waited, resolve, resolve_all
from gameserver.commands.commit import after_commit
from gameserver.commands.drafts import databases_of, draft_of, drafts_of, is_same, keys_of_draft
from gameserver.commands.keys import device_key, may_be_left, rounds_of, taken
from gameserver.commands.reserving import Dead, UnderWay, reserve
from gameserver.rules import names
from gameserver.rules.devices import require_strong
from gameserver.rules.errors import (
    BadInput,
    CommandMismatch,
    DeviceTaken,
    FieldProblem,
    GameError,
    NameTaken,
    OutcomeUnknown,
    Overloaded,
    PlayerNotFound,
    SessionRevoked,
    Unavailable,
)
from gameserver.rules.passwords import require_good
from gameserver.storage.accounts.claims import Claim
from gameserver.storage.accounts.enrolments import Enrolment
from gameserver.storage.sessions.sessions import UNKNOWN, Origin

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
    *,
    repeatable: bool = True,
) -> Welcome:
    """Makes a player, once per command id, and opens a session.

    Limited by `address`, if there is one. One that is `repeatable` may come again under its command id.
    Raises RateLimited, BadInput (UnknownClass, CommandMismatch, CommandExpired), NameTaken, DeviceTaken,
    PlayerNotFound if the player has been deleted since, Banned, SessionRevoked if a retry's password is changed
    meanwhile or its device was taken from the player, and what is unavailable.
    """
    with accounts.entrance.place(*databases_of(accounts, application, command_id)):
        await accounts.attempts.sign_up(address)
        await accounts.sessions.require_open()
        application = replace(application, address=address)
        return await _sign_up(accounts, application, command_id, origin, repeatable=repeatable)


async def _sign_up(
    accounts: Accounts, application: Application, command_id: str, origin: Origin, *, repeatable: bool
) -> Welcome:
    begun = time.monotonic()
    enrolment, replayed = await enroll(accounts, application, command_id, repeatable=repeatable)
    player = enrolment.player
    with after_commit(_MADE):
        # A new player's epoch is that of its birth.
        epoch, seen = (await _proved(accounts, application, enrolment), None) if replayed else (enrolment.epoch, begun)
        by_password = application.password is not None
        token, session = await accounts.sessions.open(player.id, epoch, replace(origin, by_password=by_password), seen)
    if application.password is not None:
        with contextlib.suppress(Unavailable):
            await accounts.attempts.remember(application.address, player.name)
    return Welcome(player, enrolment.max_hp, token, session, replayed)


async def _proved(accounts: Accounts, application: Application, enrolment: Enrolment) -> int:
    """The epoch at which a retry has proved that the player is there, as any sign-in has to.

    Its password was checked at the enrolment's; its device counts if the player signs in by it at this moment.
    Raises Banned, SessionRevoked, PlayerNotFound.
    """
    device = None if application.device is None else device_key(application.device)
    entrant = await accounts.room.entrants.find(enrolment.player.id, device)
    if entrant is None:
        raise PlayerNotFound("The player was deleted.")
    entrant.require_not_banned()
    if application.password is not None:
        return enrolment.epoch
    if not entrant.has_device:
        raise SessionRevoked("The player doesn't sign in by this device any more.")
    return entrant.session_epoch


_MADE = "The player exists, but no session could be opened: send this again under the same command id, or sign in."


async def enroll(
    accounts: Accounts, application: Application, command_id: str, *, repeatable: bool = True
) -> tuple[Enrolment, bool]:
    """A sign-up without its session; whether the player had been made before.

    One that is `repeatable` may come again under its command id, so its refusal is recorded.
    """
    if application.device is None and application.password is None:
        problem = "at least one of device and password is needed"
        raise BadInput(errors=[FieldProblem("device", problem), FieldProblem("password", problem)])
    opened, begun = list[Claim](), time.monotonic()
    try:
        return await _enrolled(accounts, application, command_id, opened, repeatable=repeatable)
    except GameError as error:
        if opened and not has_waited(error, begun):
            await resolve_all(accounts, opened[0].player_id, dict.fromkeys(claim.key for claim in opened))
        raise


async def _enrolled(
    accounts: Accounts, application: Application, command_id: str, opened: list[Claim], *, repeatable: bool
) -> tuple[Enrolment, bool]:
    """Round after round; `opened` takes the claims that are left open under the command's first id."""
    try:
        for _ in range(ROUNDS):
            with contextlib.suppress(UnderWay):
                if (made := await _make_at_once(accounts, application, command_id, opened)) is not None:
                    return made, False
                return await _enroll(accounts, application, command_id)
            await asyncio.sleep(UNDER_WAY_PAUSE)
    except (NameTaken, DeviceTaken) as refusal:
        if not repeatable:
            raise
        return await _refused(accounts, application, command_id, refusal), True
    raise OutcomeUnknown("The same sign-up is under way elsewhere: send it again.", retry_after=1)


async def _make_at_once(
    accounts: Accounts, application: Application, command_id: str, opened: list[Claim]
) -> Enrolment | None:
    """Makes the player if nothing is in the way, as for most; what is in the way of the others is for `_enroll` to say.

    Its claims are confirmed behind the answer: an open claim of a player that exists is its own. A password isn't
    hashed before it is known that nothing is in the way.
    """
    if application.password is not None or not _may_be_new(accounts, application, command_id):
        return None
    draft = draft_of(accounts, application, command_id, 0)
    for keys in rounds_of(keys_of_draft(draft)):
        claims = await accounts.room.claims.reserve(keys, draft.player.id, command_id)
        its_own = [claim for claim in claims if (claim.command_id, claim.player_id) == (command_id, draft.player.id)]
        opened += its_own
        if len(its_own) < len(keys):
            return None
    if not await accounts.room.enrolments.create(draft, None):
        return None
    accounts.room.claims.confirm_soon(opened)
    return draft


def _may_be_new(accounts: Accounts, application: Application, command_id: str) -> bool:
    """Whether nothing speaks against a new player: what is asked of these only doesn't concern a retry."""
    try:
        accounts.policy.window.check(command_id, accounts.policy.now())
        _require_good(accounts, application)
    except BadInput:
        return False
    return True


async def _enroll(accounts: Accounts, application: Application, command_id: str) -> tuple[Enrolment, bool]:
    """One round. Raises UnderWay."""
    draft = draft_of(accounts, application, command_id, 0)
    found = await asyncio.gather(*(accounts.room.claims.find(key) for key in keys_of_draft(draft)))
    claims = [claim for claim in found if claim is not None]
    # A retry gets the first answer.
    if (earlier := await _earlier(accounts, draft, claims)) is not None:
        return await _retried(accounts, application, draft, earlier), True
    # A new command: refuse what can be refused before a password is hashed.
    accounts.policy.window.check(command_id, accounts.policy.now())
    _require_good(accounts, application)
    for claim in claims:
        if claim.command_id != command_id and not claim.overdue and not may_be_left(claim.key):
            raise taken(claim.key)
    hashed = await _hashed(accounts, application)
    # Try one id after the other until there is a player, made here or by the same command on another node.
    for draft in drafts_of(accounts, application, command_id, claims):
        with contextlib.suppress(Dead):
            if await _make(accounts, draft, hashed):
                return draft, False
        if (made := await accounts.room.enrolments.find(draft.player.id, command_id)) is not None:
            return await _retried(accounts, application, draft, made), True
    raise Overloaded("The sign-up took too long: send it again.", retry_after=1)


async def _refused(
    accounts: Accounts, application: Application, command_id: str, refusal: NameTaken | DeviceTaken
) -> Enrolment:
    """Records a refusal under the first id that isn't dead: no copy of the sign-up has gone beyond it.

    Returns what another copy has made meanwhile; else raises the refusal that stands in the ledger.
    """
    for draft in drafts_of(accounts, application, command_id, []):
        outcome = await accounts.room.enrolments.refuse(draft, refusal)
        if isinstance(outcome, Enrolment):
            return await _retried(accounts, application, draft, outcome)
        if outcome:
            break
    raise refusal


def _require_good(accounts: Accounts, application: Application) -> None:
    """What is asked of new players only. Raises BadInput."""
    names.parse(application.name, application.shortest_name, accounts.policy.reserved)
    if application.device is not None and not application.device_is_trusted:
        require_strong(application.device)
    if application.password is not None:
        require_good(application.password, application.name)


async def _make(accounts: Accounts, draft: Enrolment, hashed: str | None) -> bool:
    """Makes the sign-up's player under this id; False if the id is dead. Raises NameTaken, DeviceTaken, Dead."""
    held = await reserve(accounts, draft)
    # The commit point; killed here, the sweeper confirms or frees the claims.
    made = await accounts.room.enrolments.create(draft, hashed)
    if made:
        accounts.room.claims.confirm_soon(held)
        return True
    for claim in held:
        await resolve(accounts, claim)
    return False


async def _earlier(accounts: Accounts, draft: Enrolment, claims: Sequence[Claim]) -> Enrolment | None:
    """The player that this command has made before: under its first id, or under the id that its claims name."""
    command_id = draft.command_id
    ids = [draft.player.id, *(claim.player_id for claim in claims if claim.command_id == command_id)]
    for player_id in dict.fromkeys(ids):
        if (made := await accounts.room.enrolments.find(player_id, command_id)) is not None:
            return made
    return None


async def _hashed(accounts: Accounts, application: Application) -> str | None:
    return (
        None
        if application.password is None
        else await accounts.passwords.hash(application.password, application.address)
    )


async def _retried(accounts: Accounts, application: Application, draft: Enrolment, earlier: Enrolment) -> Enrolment:
    """The first answer of a sign-up that was sent again.

    Raises CommandMismatch if it isn't the same sign-up, and PlayerNotFound if its player has been deleted since.
    """
    if not await accounts.room.identities.exists(earlier.player.id):
        raise PlayerNotFound("The player was deleted.")
    # The same fields, and the same password or none.
    same = is_same(earlier, draft)
    hashed, epoch = await accounts.room.credentials.password(earlier.player.id)
    if same and application.password is not None:
        same = await accounts.passwords.verify(hashed, application.password, application.address)
    elif hashed is not None:
        same = False
    if not same:
        raise CommandMismatch("The command id was used before, for another sign-up.")
    # The first request may have been killed before it confirmed its claims.
    await resolve_all(accounts, earlier.player.id, keys_of_draft(earlier))
    return replace(earlier, epoch=epoch)
