"""Whether operators ended a player: by the audit log, which says what was ordered, by whom, and how it ended.

The law: a player that can't sign in any more is explained by an order to delete or erase it, one that is told that it
is banned by an order to ban it, and either by nothing else. An order that failed on its way may have ended the player;
one that was refused has not.
"""

from collections.abc import Collection, Mapping
from typing import Any

from bots.proof.pages import Asker, read_pages
from bots.wire.answers import RETRYABLE
from bots.wire.errors import BadAnswerError

DELETING, BANNING = frozenset({"delete", "erase"}), frozenset({"ban"})
MAY_HAVE_ENDED = RETRYABLE | {"done", None}
"""How an order ended: carried out, nobody knows, or it is to be sent again."""
AUDIT_PAGE = 200


async def was_ended(operator: Asker, player: str, orders: Collection[str]) -> bool:
    """Whether operators gave one of these orders for the player. Raises NotProvedError, BadAnswerError."""
    entries = await read_pages(operator, f"/admin/v1/audit?target={player}&limit={AUDIT_PAGE}")
    return any(_ends(entry, orders) for entry in entries)


def _ends(entry: Any, orders: Collection[str]) -> bool:
    if not isinstance(entry, Mapping) or "action" not in entry:
        raise BadAnswerError(f"expected an entry of the audit log, got {entry!r:.120}")
    return entry["action"] in orders and entry.get("ended") in MAY_HAVE_ENDED
