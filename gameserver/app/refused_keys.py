"""Operators' keys that open nothing, as they lack the one-time passwords that the settings demand of their role."""

from collections.abc import Iterable, Sequence

from gameserver.config.settings import Settings
from gameserver.rules.roles import Role
from gameserver.storage.operators.condition import Symptom

REMEDY = "make others by `gameserver keys create … --totp`, and revoke these, or take their role out of that list"


def symptoms(settings: Settings, stored: Iterable[Sequence[str]]) -> Sequence[Symptom]:
    """A warning that names them, if there are any.

    `stored` are names and roles, of keys that were made without one-time passwords.
    """
    demanded = settings.admin.one_time_passwords
    keys = [(name, role) for name, role in stored if role in demanded]
    if Role.OPERATOR in demanded:
        keys = [(name, Role.OPERATOR.value) for name in settings.admin_key_names()] + keys
    if not keys:
        return ()
    named = ", ".join(f"{name} ({role})" for name, role in keys)
    problem = (
        f"without the one-time passwords that `[admin] one_time_passwords` demands these keys open nothing: {named}"
    )
    return [Symptom("warning", problem, REMEDY)]
