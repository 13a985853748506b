"""Sets of slots as people write them: 0-15, 20, 31-40."""

import re
from collections.abc import Collection

from gameserver.rules.errors import BadInput, FieldProblem

_PART = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?")


def parse(text: str, field: str = "SLOTS") -> set[int]:
    """The slots of a text. Raises BadInput naming `field`."""
    slots: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        if match is None or int(match[2] or match[1]) < int(match[1]):
            problem = FieldProblem(field, f"{part.strip()!r} is neither a slot nor a range such as 0-15")
            raise BadInput("The slots can't be read.", errors=[problem])
        slots.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return slots


def shown(slots: Collection[int]) -> str:
    """The slots as a text, in ascending order."""
    parts: list[list[int]] = []
    for slot in sorted(slots):
        if parts and parts[-1][1] == slot - 1:
            parts[-1][1] = slot
        else:
            parts.append([slot, slot])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)
