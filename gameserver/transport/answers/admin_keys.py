"""What operators are shown of keys; the secret of one only when it is made."""

from collections.abc import Iterable, Sequence
from typing import Literal

from typing_extensions import TypedDict

from gameserver.commands.results import AdminKey
from gameserver.rules.roles import Role
from gameserver.times import rfc3339


class AdminKeyAnswer(TypedDict):
    """A key of the settings has the id "" and no `made_at`; one that was rotated out goes on until `expires_at`.

    `signed_in_at` is when it last opened a session of the console, while that is known.
    """

    id: str
    name: str
    role: Literal["viewer", "support", "operator"]
    state: Literal["holds", "expired", "rotated_out", "revoked"]
    made_at: str | None
    made_by: str
    expires_at: str | None
    one_time_passwords: bool
    signed_in_at: str | None


class AdminKeysAnswer(TypedDict):
    keys: list[AdminKeyAnswer]


class NewAdminKeyAnswer(AdminKeyAnswer):
    """`key` is the secret, which no later answer has."""

    key: str


class RevokedKeysAnswer(TypedDict):
    revoked: int


def admin_keys(settings: Iterable[str], stored: Sequence[AdminKey]) -> AdminKeysAnswer:
    return {"keys": [*map(_of_settings, settings), *map(_admin_key, stored)]}


def new_admin_key(key: AdminKey, secret: str) -> NewAdminKeyAnswer:
    return {**_admin_key(key), "key": secret}


def _of_settings(name: str) -> AdminKeyAnswer:
    return {
        "id": "",
        "name": name,
        "role": Role.OPERATOR.value,
        "state": "holds",
        "made_at": None,
        "made_by": "the settings",
        "expires_at": None,
        "one_time_passwords": False,
        "signed_in_at": None,
    }


def _admin_key(key: AdminKey) -> AdminKeyAnswer:
    return {
        "id": key.id,
        "name": key.name,
        "role": key.role.value,
        "state": key.state,
        "made_at": rfc3339(key.made_at),
        "made_by": key.made_by,
        "expires_at": None if key.expires_at is None else rfc3339(key.expires_at),
        "one_time_passwords": key.needs_code,
        "signed_in_at": None if key.signed_in_at is None else rfc3339(key.signed_in_at),
    }
