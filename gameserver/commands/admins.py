"""Who operators are: the keys of the settings."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gameserver.rules.roles import Role


class Admin(NamedTuple):
    """An operator, by the name that the audit log shows."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True, repr=False)
class Admins:
    """One per node. `keys` are those of the settings by their names; each is an operator's."""

    keys: Mapping[str, str]


async def authenticate(admins: Admins, token: str) -> Admin | None:
    """Whose key this is; None if it is nobody's."""
    given = token.encode()
    # Compares with every key, so that the time taken doesn't tell which one is nearly right.
    names = [name for name, key in admins.keys.items() if hmac.compare_digest(key.encode(), given)]
    return Admin(names[0], Role.OPERATOR) if names else None
