"""Whether operators ended a player: by the audit log, which says what was ordered, by whom, and how it ended.

The law: a player that can't sign in any more is explained by an order to delete or erase it, and by nothing else. One
that failed on its way may have ended the player; one that was refused has not.
"""

from collections.abc import Mapping
from typing import Any

from bots.proof.pages import Asker, read_pages
from bots.wire.answers import RETRYABLE
from bots.wire.errors import BadAnswerError

ENDING = frozenset({"delete", "erase"})
MAY_HAVE_ENDED = RETRYABLE | {"done", None}
"""How an order ended: carried out, nobody knows, or it is to be sent again."""
AUDIT_PAGE = 200


async def was_ended(operator: Asker, player: str) -> bool:
    """Whether operators had the player deleted or erased. Raises NotProvedError."""
    entries = await read_pages(operator, f"/admin/v1/audit?target={player}&limit={AUDIT_PAGE}")
    return any(_ends(entry) for entry in entries)


def _ends(entry: Any) -> bool:
    if not isinstance(entry, Mapping) or "action" not in entry:
        raise BadAnswerError(f"expected an entry of the audit log, got {entry!r:.120}")
    return entry["action"] in ENDING and entry.get("ended") in MAY_HAVE_ENDED
