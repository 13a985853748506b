"""Who asks, and what is asked: a player, an operator and a back end, and a request that must be refused."""

from typing import NamedTuple

BACKEND_KEY = "a-back-ends-key-for-fuzzers-only-1"


class Callers(NamedTuple):
    """A player with its token, and an operator's key."""

    player_id: str
    token: str
    admin_key: str


class BadRequest(NamedTuple):
    """One as bytes, and the operation for which it is; None if it is for no certain one and may read something."""

    raw: bytes
    operation: str | None = None
