"""Who operators are: their keys, those of the settings and those that were made, and their sessions of the console."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from gameserver.commands.pacing import ActionPacing
from gameserver.rules import one_time
from gameserver.rules.errors import WrongCredentials
from gameserver.rules.roles import Role
from gameserver.storage.operators.admin_keys import AdminKey, AdminKeys, KnownKey, NewKey, hash_of
from gameserver.storage.operators.audit import Audit, AuditedChange


class Admin(NamedTuple):
    """An operator, by the name that the audit log shows; `expires_at` is when its session ends, if it has one."""

    name: str
    role: Role
    expires_at: datetime | None = None
    needs_code: bool = False
    """Whether it has shown a key that opens sessions of the console alone, with a one-time password."""


@dataclass(frozen=True, slots=True, repr=False)
class Admins:
    """One per process. `settings` are the keys of the settings by their names; each is an operator's."""

    stored: AdminKeys
    audit: Audit
    settings: Mapping[str, KnownKey]
    session_seconds: float
    now: Callable[[], datetime]
    codes: ActionPacing
    """The pacing of one-time passwords, by key."""


def of_settings(keys: Mapping[str, str]) -> dict[str, KnownKey]:
    """The keys of the settings, by their names, as their holders are known."""
    return {name: KnownKey("", name, Role.OPERATOR, hash_of(key)) for name, key in keys.items()}


async def authenticate(admins: Admins, token: str) -> Admin | None:
    """Whose key this is; None if it is nobody's. Raises DatabaseUnavailable."""
    key = await _key_of(admins, token)
    return Admin(key.name, key.role, needs_code=key.totp is not None) if key is not None else None


async def session(admins: Admins, secret: str) -> Admin | None:
    """Whose session of the console this is; None if it has ended. Raises DatabaseUnavailable."""
    found = await admins.stored.session_key(secret, admins.settings)
    return Admin(found[0].name, found[0].role, found[1]) if found is not None else None


async def sign_in(admins: Admins, token: str, code: str) -> tuple[str, Admin] | None:
    """A session of the console for the holder of a key, and its secret; None if it is nobody's key.

    `code` is the one-time password, for a key that needs one. Raises WrongCredentials, RateLimited,
    DatabaseUnavailable, OutcomeUnknown.
    """
    key = await _key_of(admins, token)
    if key is None:
        return None
    if key.totp is not None:
        admins.codes.spend(key.id)
        step = one_time.step_of(key.totp, code, admins.now().timestamp())
        if step is None or not await admins.stored.spend_code(key, step):
            raise WrongCredentials("This one-time password doesn't hold: use the next one of the app.")
    entry = AuditedChange(key.name, "console_sign_in", key.name, "the console", {"role": key.role})
    async with admins.audit.recorded(entry):
        secret, expires_at = await admins.stored.open_session(key, admins.session_seconds)
    return secret, Admin(key.name, key.role, expires_at)


async def sign_out(admins: Admins, secret: str) -> None:
    """Ends a session of the console. Raises DatabaseUnavailable, OutcomeUnknown."""
    await admins.stored.close_session(secret)


async def make(admins: Admins, actor: str, new: NewKey, reason: str) -> tuple[AdminKey, str]:
    """A new key, and its secret. Raises Conflict, DatabaseUnavailable, OutcomeUnknown."""
    details = {"role": new.role, "days": new.days, "one_time_passwords": new.totp is not None}
    async with admins.audit.recorded(AuditedChange(actor, "key_create", new.name, reason, details)) as end:
        key, secret = await admins.stored.make(new, actor)
        end.after = {"key": key.id}
    return key, secret


async def rotate(admins: Admins, actor: str, name: str, seconds: float, reason: str) -> tuple[AdminKey, str]:
    """A new key in place of the old one, which goes on for so long. Raises NotFound and what `make` does."""
    async with admins.audit.recorded(
        AuditedChange(actor, "key_rotate", name, reason, {"old_key_ends_in": seconds})
    ) as end:
        key, secret = await admins.stored.rotate(name, actor, seconds)
        end.after = {"key": key.id}
    return key, secret


async def revoke(admins: Admins, actor: str, name: str, reason: str) -> int:
    """Ends all keys of this name; how many. Raises NotFound, DatabaseUnavailable, OutcomeUnknown."""
    async with admins.audit.recorded(AuditedChange(actor, "key_revoke", name, reason)) as end:
        count = await admins.stored.revoke(name)
        end.after = {"revoked": count}
    return count


async def _key_of(admins: Admins, token: str) -> KnownKey | None:
    # Compares with every key, so that the time taken doesn't tell which one is nearly right.
    given = hash_of(token)
    same = [key for key in admins.settings.values() if hmac.compare_digest(key.hash, given)]
    return same[0] if same else await admins.stored.holder(token)
