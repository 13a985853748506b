"""By which codes errors are counted. A rule makes its codes of whatever it likes, and each would be a series for ever.

Law: metrics have every code of the server's own, and of the rules' at most MOST in a process, as they come, and
OF_A_RULE that one rule was the first to give. What is beyond counts as `other`, and the log names the rule once.
"""

from collections import Counter

import structlog

from gameserver.rules.errors import Refused
from gameserver.rules.server_codes import SERVER_CODES

MOST = 200
OF_A_RULE = 50
"""Fewer than all, so that a rule that makes codes of numbers or texts leaves room for others'."""
OTHER = "other"
log = structlog.get_logger()


class CodeLabels:
    """One per process, as its metrics are."""

    def __init__(self) -> None:
        self._known = {*SERVER_CODES, Refused.code}
        self._learnt: Counter[str] = Counter()
        """By rule, how many codes it was the first to give."""
        self._told: set[str] = set()

    def of(self, code: str) -> str:
        """What an error of this code is counted by."""
        return code if code in self._known else OTHER

    def learnt(self, code: str, rule: str) -> str:
        """The same of an error that a rule of the game gave, or its arguments: a new code has a label from now on."""
        if code in self._known:
            return code
        if self._learnt[rule] < OF_A_RULE and self._learnt.total() < MOST:
            self._learnt[rule] += 1
            self._known.add(code)
            return code
        self._tell(rule, code)
        return OTHER

    def _tell(self, rule: str, code: str) -> None:
        if rule in self._told:
            return
        self._told.add(rule)
        log.warning(
            "a rule refuses with more codes than metrics have: put what varies into `extra`, not into the code",
            action=rule,
            code=code,
            codes=self._learnt[rule],
            of_all_rules=self._learnt.total(),
        )


CODES = CodeLabels()
