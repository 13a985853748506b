"""Who operators are: their keys, those of the settings and those that were made, and their sessions of the console.

Law, for the command line and the console alike: a rotation keeps the role, the last operator's key isn't revoked (one
of the settings counts), and no key takes the name of one of the settings. A command makes one key, whose secret is in
its first answer alone: neither the audit log nor a repeated answer can tell it.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from gameserver.commands.pacing import ActionPacing
from gameserver.rules import one_time
from gameserver.rules.errors import Conflict, WrongCredentials
from gameserver.rules.roles import Role
from gameserver.storage.operators.admin_keys import AdminKey, AdminKeys, KnownKey, NewKey, hash_of
from gameserver.storage.operators.audit import Audit, AuditedChange
from gameserver.times import rfc3339


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
    """The pacing of one-time passwords, by the hash of their secret: a rotation gives no attempts."""


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
        if not code:
            raise WrongCredentials("This key needs the one-time password of its app, too.")
        admins.codes.spend(hash_of(key.totp))
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


async def listed(admins: Admins) -> tuple[Sequence[str], Sequence[AdminKey]]:
    """The names of the settings' keys, and the stored keys by name, of those that have ended the newest.

    Raises DatabaseUnavailable.
    """
    return list(admins.settings), await admins.stored.listed()


async def make(
    admins: Admins, actor: str, new: NewKey, reason: str, command_id: str | None = None
) -> tuple[AdminKey, str]:
    """A new key, and its secret.

    Raises Conflict, also if the command has made its key before, CommandMismatch, DatabaseUnavailable, OutcomeUnknown.
    """
    details = {"role": new.role, "days": new.days, "one_time_passwords": new.totp is not None}
    change = AuditedChange(actor, "key_create", new.name, reason, details, command_id)
    async with admins.audit.once(change) as end:
        # No secret is stored: storage knows what this command has made, and refuses to make it again.
        if new.name in admins.settings:
            raise Conflict(f"A key of the settings has the name {new.name}: the audit log couldn't tell them apart.")
        key, secret = await admins.stored.make(new, actor, command_id)
        end.after = _shown([key])
    return key, secret


async def rotate(
    admins: Admins, actor: str, name: str, seconds: float, reason: str, command_id: str | None = None
) -> tuple[AdminKey, str]:
    """A new key of the same role in place of the old one, which goes on for so long.

    Raises NotFound and what `make` does.
    """
    details = {"old_key_ends_in": seconds}
    change = AuditedChange(actor, "key_rotate", name, reason, details, command_id, await _before(admins, name))
    async with admins.audit.once(change) as end:
        key, secret = await admins.stored.rotate(name, actor, seconds, command_id)
        end.after = _shown([key])
    return key, secret


async def revoke(admins: Admins, actor: str, name: str, reason: str, command_id: str | None = None) -> int:
    """Ends all keys of this name; how many, none if they have ended. Sent again under its command id it tells the same.

    Raises NotFound if there never was one, Conflict if it is the last operator's, CommandMismatch,
    DatabaseUnavailable, OutcomeUnknown.
    """
    change = AuditedChange(actor, "key_revoke", name, reason, command_id=command_id, before=await _before(admins, name))
    async with admins.audit.once(change) as end:
        if not end.replayed:
            count = await admins.stored.revoke(name, operators_elsewhere=bool(admins.settings))
            end.after = {"revoked": count}
    return int((end.after or {})["revoked"])


async def _before(admins: Admins, name: str) -> dict[str, Any] | None:
    """The keys of a name that a change of it may end, for the audit log."""
    keys = [key for key in await admins.stored.listed() if key.name == name and key.state != "revoked"]
    return _shown(keys) if keys else None


def _shown(keys: Sequence[AdminKey]) -> dict[str, Any]:
    return {
        "keys": [key.id for key in keys],
        "role": keys[-1].role,
        "expires_at": None if keys[-1].expires_at is None else rfc3339(keys[-1].expires_at),
    }


async def _key_of(admins: Admins, token: str) -> KnownKey | None:
    # Compares with every key, so that the time taken doesn't tell which one is nearly right.
    given = hash_of(token)
    same = [key for key in admins.settings.values() if hmac.compare_digest(key.hash, given)]
    return same[0] if same else await admins.stored.holder(token)
