"""Which database has which player, by the slot in its id and the slot map of the admin API; for information."""

from collections.abc import Mapping
from typing import Any

from bots.wire.errors import BadAnswerError

GROUP = "players"
SEQUENCE_BITS, SLOT_BITS = 10, 12


class Placement:
    """The slot map of the players; until `learn` was called no database is known."""

    def __init__(self) -> None:
        self._databases: dict[int, str] = {}

    def database_of(self, player_id: str) -> str | None:
        """Return the name of the database that has a player, None if that isn't known."""
        if not self._databases or not player_id:
            return None
        return self._databases.get(int(player_id) >> SEQUENCE_BITS & (1 << SLOT_BITS) - 1)

    def learn(self, body: Mapping[str, Any]) -> None:
        """Take the answer to GET /admin/v1/slots; raises BadAnswerError."""
        try:
            ranges = next(group["ranges"] for group in body["groups"] if group["group"] == GROUP)
            self._databases = {
                slot: str(part["database"]) for part in ranges for slot in range(part["first"], part["last"] + 1)
            }
        except (KeyError, TypeError, StopIteration) as error:
            raise BadAnswerError(f"the slot map lacks a field or has a wrong one: {error!r}") from error
