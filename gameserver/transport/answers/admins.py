"""Who an operator is."""

from typing_extensions import TypedDict

from gameserver.commands.admins import Admin
from gameserver.times import rfc3339


class AdminAnswer(TypedDict):
    """The caller's key; `expires_at` is null unless the caller has a session of the console."""

    name: str
    role: str
    expires_at: str | None


def admin(caller: Admin) -> AdminAnswer:
    expires_at = None if caller.expires_at is None else rfc3339(caller.expires_at)
    return {"name": caller.name, "role": caller.role.value, "expires_at": expires_at}
