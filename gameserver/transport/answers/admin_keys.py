"""What operators are shown of keys; the secret of one only when it is made."""

from typing import Literal

from typing_extensions import TypedDict

from gameserver.commands.results import AdminKey, KnownKeys
from gameserver.rules.roles import Role
from gameserver.times import rfc3339


class MadeKeyAnswer(TypedDict):
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


class AdminKeyAnswer(MadeKeyAnswer):
    """A key that is `refused` opens nothing: the settings demand one-time passwords of its role, and it has none."""

    refused: bool


class AdminKeysAnswer(TypedDict):
    keys: list[AdminKeyAnswer]


class NewAdminKeyAnswer(MadeKeyAnswer):
    """`key` is the secret, and `app` the address for the app of a key that was made with one-time passwords.

    No later answer has either.
    """

    key: str
    app: str | None


class RevokedKeysAnswer(TypedDict):
    revoked: int


def admin_keys(known: KnownKeys) -> AdminKeysAnswer:
    keys = [*map(_of_settings, known.of_settings), *map(_admin_key, known.stored)]
    return {"keys": [{**key, "refused": key["id"] in known.refused} for key in keys]}


def new_admin_key(key: AdminKey, secret: str, app: str | None) -> NewAdminKeyAnswer:
    return {**_admin_key(key), "key": secret, "app": app}


def _of_settings(name: str) -> MadeKeyAnswer:
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


def _admin_key(key: AdminKey) -> MadeKeyAnswer:
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
