"""Parses events."""

from collections.abc import Mapping
from typing import Any

from bots.wire.wire import BadAnswerError


def parse_sent(events: Any) -> tuple[tuple[str, str, str], ...]:
    """Read the id, the recipient and the kind of each letter from a command's events; raises BadAnswerError."""
    found = [each for each in events or () if isinstance(each, Mapping) and each.get("type") == "mail_sent"]
    letters = [(each.get("mail_id"), each.get("to"), each.get("kind")) for each in found]
    if not all(isinstance(part, str) for letter in letters for part in letter):
        raise BadAnswerError(f"a letter's event lacks its id, its recipient or its kind: {letters!r:.200}")
    return tuple(letters)  # type: ignore[arg-type]
