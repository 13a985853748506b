"""What a player under load does next, decided from the bytes of its last answer.

It hunts slimes; below SAFE_HP it rests, so that hardly a command is refused, and at 0 hp it is revived.
"""

import re

SAFE_HP = 60
ARGS = {"hunt": '{"foe":"slime"}', "rest": "{}", "revive": "{}"}

_HP = re.compile(rb'"hp":\s*(\d+)')
_CODE = re.compile(rb'"code":\s*"(\w+)"')


class Hunter:
    """The next action of one player, which may have several commands in flight."""

    def __init__(self) -> None:
        self._next = "hunt"
        self._turn = 0

    def answered(self, body: bytes) -> None:
        """Take in the answer to an action."""
        match = _HP.search(body, body.find(b'"player":'))
        if match is not None:
            hp = int(match[1])
            self._next = "hunt" if hp >= SAFE_HP else "rest" if hp else "revive"

    def refused(self, code: str) -> None:
        """Take in a rule's refusal."""
        self._next = "revive" if code == "player_is_down" else "hunt"

    def next(self) -> str:
        """Return the next action; rests alternate with hunts, since answers to several commands are still missing."""
        self._turn ^= 1
        return "hunt" if self._next == "rest" and self._turn else self._next


def code_of(body: bytes) -> str:
    """Return the code in an error's body, `no_code` without one."""
    match = _CODE.search(body)
    return match[1].decode() if match is not None else "no_code"
