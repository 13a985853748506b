"""Resolves open claims: confirms those whose player exists and frees the rest."""

import asyncio
import time
from collections.abc import Iterable

import structlog

from gameserver.commands.accounts import Accounts
from gameserver.commands.keys import may_be_left
from gameserver.rules.errors import DatabaseUnavailable, Unavailable
from gameserver.storage.accounts.claims import Claim, Key, KeyKind
from gameserver.storage.accounts.identities import Fate
from gameserver.telemetry import RESOLVED_CLAIMS

PROMPT_SECONDS = 2.0
"""A command that fails sooner resolves what it has claimed before it is answered."""
log = structlog.get_logger()


async def resolve(accounts: Accounts, claim: Claim) -> None:
    """Confirms or frees an open claim, as its player has it; a sign-up or rename that still relies on it fails.

    A deleted player's sessions are ended before the claim is settled: an open claim is the only record that this is
    still to be done.
    """
    fate = await accounts.room.identities.resolve(claim)
    if fate is Fate.DELETED:
        await accounts.sessions.revoke_all(claim.player_id)
    blocked = fate is Fate.DELETED and claim.key.kind is KeyKind.NAME and accounts.policy.deleted_names == "blocked"
    if fate is Fate.HELD or blocked:
        await accounts.room.claims.confirm(claim)
    else:
        await accounts.room.claims.release(claim)
    RESOLVED_CLAIMS.labels("confirmed" if fate is Fate.HELD else "blocked" if blocked else "freed").inc()


async def resolve_stale(accounts: Accounts, claim: Claim) -> bool:
    """Resolves another player's claim if it may be stale; whether it may have been.

    That is an overdue one; and one that earlier versions may have left, whose nodes may run beside this one.
    """
    if may_be_left(claim.key) and claim.confirmed:
        doubted = await accounts.room.claims.doubt(claim.key, claim.player_id)
        if doubted is not None:
            await resolve(accounts, doubted)
        return True
    if claim.overdue:
        await resolve(accounts, claim)
    return claim.overdue


async def resolve_all(accounts: Accounts, player_id: int, keys: Iterable[Key]) -> None:
    """Resolves the player's open claims on these keys; what can't be reached is left to the sweeper.

    Silence is waited for once: all keys are looked up together, and the claims hang on one player's database.
    """
    claims = await asyncio.gather(*(_own_open(accounts, player_id, key) for key in keys))
    try:
        for claim in claims:
            if claim is not None:
                await resolve(accounts, claim)
    except Unavailable as error:
        log.warning("claims not resolved yet", player=str(player_id), error=error.detail)


def has_waited(error: BaseException, begun: float) -> bool:
    """Whether a command that began then, by the monotonic clock, has waited for a database that doesn't answer.

    It leaves its claims to the sweeper: to resolve them would wait as long again. One that is only busy answers.
    """
    return isinstance(error, DatabaseUnavailable) and time.monotonic() - begun > PROMPT_SECONDS


async def _own_open(accounts: Accounts, player_id: int, key: Key) -> Claim | None:
    """The player's open claim on this key, as far as can be known."""
    try:
        claim = await accounts.room.claims.find(key)
    except Unavailable as error:
        log.warning("claim not resolved yet", claim=str(key), error=error.detail)
        return None
    return None if claim is None or claim.player_id != player_id or claim.confirmed else claim
