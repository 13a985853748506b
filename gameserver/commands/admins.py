"""Who operators are: their keys, those of the settings and those that were made, and their sessions of the console.

Law, for the command line and the console alike: a rotation keeps the role, the last operator's key isn't revoked (one
of the settings counts), and no key takes the name of one of the settings. A command makes one key, whose secret is in
its first answer alone: neither the audit log nor a repeated answer can tell it.
Of a role for which the settings demand one-time passwords, a key without them opens nothing: no session of the console,
no session that it has opened before, and no request that carries it. None is made, and none is rotated.
"""

import hmac
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from gameserver.commands.pacing import ActionPacing
from gameserver.rules import one_time
from gameserver.rules.errors import (
    BadInput,
    Conflict,
    FieldProblem,
    Forbidden,
    NotAuthenticated,
    WrongCredentials,
)
from gameserver.rules.roles import Role
from gameserver.storage.operators.admin_keys import AdminKey, AdminKeys, KnownKey, NewKey, hash_of
from gameserver.storage.operators.audit import Audit, AuditedChange
from gameserver.times import rfc3339

CONSOLE = "the console"
"""The reason of whoever signs in, or out: nobody is asked for one."""


class Admin(NamedTuple):
    """An operator, by the name that the audit log shows; `expires_at` is when its session ends, if it has one."""

    name: str
    role: Role
    expires_at: datetime | None = None
    needs_code: bool = False
    """Whether it has shown a key that opens sessions of the console alone, with a one-time password."""


class KnownKeys(NamedTuple):
    """The names of the settings' keys, the stored keys by name, and the ids of those that hold and yet open nothing,
    for lack of one-time passwords; the id of all keys of the settings is empty."""

    of_settings: Sequence[str]
    stored: Sequence[AdminKey]
    refused: Collection[str]


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
    with_codes: Collection[Role] = ()
    """Roles whose keys must have one-time passwords."""


def of_settings(keys: Mapping[str, str]) -> dict[str, KnownKey]:
    """The keys of the settings, by their names, as their holders are known."""
    return {name: KnownKey("", name, Role.OPERATOR, hash_of(key)) for name, key in keys.items()}


async def authenticate(admins: Admins, token: str) -> Admin | None:
    """Whose key this is; None if it is nobody's. Raises Forbidden for one that opens nothing, DatabaseUnavailable."""
    key = await _key_of(admins, token)
    return Admin(key.name, key.role, needs_code=key.totp is not None) if key is not None else None


async def session(admins: Admins, secret: str) -> Admin | None:
    """Whose session of the console this is; None if it has ended.

    Raises NotAuthenticated for that of a key that opens nothing, which ends it, and DatabaseUnavailable.
    """
    found = await admins.stored.session_key(secret, admins.settings)
    if found is None:
        return None
    key, expires_at = found
    if is_refused(admins, key.role, has_codes=key.totp is not None):
        await admins.stored.close_session(secret)
        raise NotAuthenticated(f"The session has ended. {_lacking(key.role)}")
    return Admin(key.name, key.role, expires_at)


async def sign_in(admins: Admins, token: str, code: str) -> tuple[str, Admin] | None:
    """A session of the console for the holder of a key, and its secret; None if it is nobody's key.

    `code` is the one-time password, for a key that needs one. Raises Forbidden for a key that opens nothing,
    WrongCredentials, RateLimited, DatabaseUnavailable, OutcomeUnknown.
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
    before, details = _session_until(None), {"role": key.role}
    entry = AuditedChange(key.name, "console_sign_in", key.name, CONSOLE, details, before=before)
    async with admins.audit.recorded(entry) as end:
        secret, expires_at = await admins.stored.open_session(key, admins.session_seconds)
        end.after = _session_until(expires_at)
    return secret, Admin(key.name, key.role, expires_at)


async def sign_out(admins: Admins, secret: str) -> None:
    """Ends a session of the console; nothing happens if it has ended. Raises DatabaseUnavailable, OutcomeUnknown."""
    found = await admins.stored.session_key(secret, admins.settings)
    if found is None:
        return
    key, expires_at = found
    before, details = _session_until(expires_at), {"role": key.role}
    entry = AuditedChange(key.name, "console_sign_out", key.name, CONSOLE, details, before=before)
    async with admins.audit.recorded(entry) as end:
        await admins.stored.close_session(secret)
        end.after = _session_until(None)


def _session_until(expires_at: datetime | None) -> dict[str, Any]:
    """For the audit log."""
    return {"session_ends_at": None if expires_at is None else rfc3339(expires_at)}


async def listed(admins: Admins) -> KnownKeys:
    """Every key, of those that have ended the newest. Raises DatabaseUnavailable."""
    stored, now = await admins.stored.listed(), admins.now()
    held = [key for key in stored if key.state != "revoked" and (key.expires_at is None or key.expires_at > now)]
    refused = {key.id for key in held if is_refused(admins, key.role, has_codes=key.needs_code)}
    of_settings = {key.id for key in admins.settings.values() if is_refused(admins, key.role, has_codes=False)}
    return KnownKeys(list(admins.settings), stored, refused | of_settings)


def new_codes() -> str:
    """The secret of a new app's one-time passwords."""
    return one_time.written(secrets.token_bytes(one_time.SECRET_BYTES))


def is_refused(admins: Admins, role: Role, *, has_codes: bool) -> bool:
    """Whether a key of this role opens nothing, as it has no one-time passwords and the settings demand them."""
    return role in admins.with_codes and not has_codes


def _lacking(role: Role) -> str:
    return (
        f"[admin] one_time_passwords demands one-time passwords of each key of the role {role}, and this one has none: "
        f"`gameserver keys create NAME --role {role} --totp --reason …` makes one that has."
    )


async def make(
    admins: Admins, actor: str, new: NewKey, reason: str, command_id: str | None = None
) -> tuple[AdminKey, str]:
    """A new key, and its secret.

    Raises BadInput for one that would open nothing, Conflict, also if the command has made its key before,
    CommandMismatch, DatabaseUnavailable, OutcomeUnknown.
    """
    if is_refused(admins, new.role, has_codes=new.totp is not None):
        problem = FieldProblem("one_time_passwords", f"must be true: the settings demand them of the role {new.role}")
        detail = "Without one-time passwords it would open nothing: ask for them, or use `gameserver keys create`."
        raise BadInput(detail, errors=[problem])
    details = {"role": new.role, "days": new.days, "one_time_passwords": new.totp is not None}
    change = AuditedChange(actor, "key_create", new.name, reason, details, command_id, _shown(()))
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

    Raises NotFound, Conflict for a key that opens nothing, and what `make` does.
    """
    details, old = {"old_key_ends_in": seconds}, await _unrevoked(admins, name)
    if old and is_refused(admins, old[-1].role, has_codes=old[-1].needs_code):
        raise Conflict(f"A rotation keeps what a key has. {_lacking(old[-1].role)}")
    change = AuditedChange(actor, "key_rotate", name, reason, details, command_id, _shown(old))
    async with admins.audit.once(change) as end:
        key, secret = await admins.stored.rotate(name, actor, seconds, command_id)
        end.after = _shown([key])
    return key, secret


async def revoke(admins: Admins, actor: str, name: str, reason: str, command_id: str | None = None) -> int:
    """Ends all keys of this name; how many, none if they have ended. Sent again under its command id it tells the same.

    Raises NotFound if there never was one, Conflict if it is the last operator's, CommandMismatch,
    DatabaseUnavailable, OutcomeUnknown.
    """
    before, with_codes = _shown(await _unrevoked(admins, name)), Role.OPERATOR in admins.with_codes
    change = AuditedChange(actor, "key_revoke", name, reason, command_id=command_id, before=before)
    async with admins.audit.once(change) as end:
        if not end.replayed:
            elsewhere = bool(admins.settings) and not with_codes
            count = await admins.stored.revoke(name, operators_elsewhere=elsewhere, with_codes=with_codes)
            end.after = {**_shown(()), "revoked": count}
    return int((end.after or {})["revoked"])


async def _unrevoked(admins: Admins, name: str) -> list[AdminKey]:
    """The keys of a name that a change of it may end; the last one is the newest."""
    return [key for key in await admins.stored.listed() if key.name == name and key.state != "revoked"]


def _shown(keys: Sequence[AdminKey]) -> dict[str, Any]:
    """For the audit log."""
    newest = keys[-1] if keys else None
    return {
        "keys": [key.id for key in keys],
        "role": None if newest is None else newest.role,
        "expires_at": None if newest is None or newest.expires_at is None else rfc3339(newest.expires_at),
    }


async def _key_of(admins: Admins, token: str) -> KnownKey | None:
    # Compares with every key, so that the time taken doesn't tell which one is nearly right.
    given = hash_of(token)
    same = [key for key in admins.settings.values() if hmac.compare_digest(key.hash, given)]
    key = same[0] if same else await admins.stored.holder(token)
    if key is not None and is_refused(admins, key.role, has_codes=key.totp is not None):
        raise Forbidden(_lacking(key.role))
    return key
