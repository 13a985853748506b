"""What a player under load does next, decided from the bytes of his last answer.

He hunts slimes; below SAFE_HP he rests, so that hardly a command is refused, and if he falls he is revived.
"""

import re

SAFE_HP = 60
ARGS = {"hunt": '{"foe":"slime"}', "rest": "{}", "revive": "{}"}

_HP = re.compile(rb'"hp":\s*(\d+)')
_CODE = re.compile(rb'"code":\s*"(\w+)"')


class Hunter:
    """One player, who may have several commands in flight."""

    def __init__(self) -> None:
        self._next = "hunt"
        self._turn = 0

    def heard(self, body: bytes) -> None:
        """Take in the answer to an action."""
        found = _HP.search(body, body.find(b'"player":'))
        if found is not None:
            hp = int(found[1])
            self._next = "hunt" if hp >= SAFE_HP else "rest" if hp else "revive"

    def refused(self, code: str) -> None:
        """Take in a rule's refusal."""
        self._next = "revive" if code == "player_is_down" else "hunt"

    def next(self) -> str:
        """Return the next action; rests alternate with hunts, as more are in flight than have been heard of."""
        self._turn ^= 1
        return "hunt" if self._next == "rest" and self._turn else self._next


def code_of(body: bytes) -> str:
    """Return an error's code."""
    found = _CODE.search(body)
    return found[1].decode() if found is not None else "no_code"
