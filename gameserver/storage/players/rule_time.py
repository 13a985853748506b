"""How long the rules of a batch take, while its transaction stands still and so does all else on the node.

Law: a rule that takes longer than `longest` ends its own command alone, and no attempt of that command runs it again:
Postgres may have ended the transaction meanwhile, and then the others are committed by another one. What a batch
hasn't decided after that time is left to the next one: many rules that are somewhat slow lose no transaction either.
A letter is refused for good by it, so it may run once more if its rule used hardly any processor time: then the node
may have stood still (a stopped process, a machine's stall), and not the rule.
"""

import time
from dataclasses import dataclass, field

from gameserver.rules.errors import RuleBroken
from gameserver.rules.player import Moment, Outcome, Player
from gameserver.rules.rulebook import Rulebook
from gameserver.rules.studio import LONGEST_RULE
from gameserver.storage.players.command import Command, LeftOver
from gameserver.storage.players.rule_log import SLOW_SECONDS, rule_was_slow

SHARE = 0.5
"""Of the time that a transaction may stay open, for its rules: the rest is for its statements."""


def longest_rule(transaction: float) -> float:
    """Seconds that a rule may take where transactions may stay open for so long."""
    return min(LONGEST_RULE, SHARE * transaction)


@dataclass(slots=True)
class RuleTime:
    """Of one batch."""

    longest: float
    lost: float = 0.0
    """Seconds that rules took which were too slow."""
    _until: float = field(init=False, default=0.0)
    _began: float = field(init=False, default=0.0)
    _processor_began: float = field(init=False, default=0.0)
    _too_slow: dict[tuple[int, str], RuleBroken] = field(init=False, default_factory=dict)
    _stood_still: set[tuple[int, str]] = field(init=False, default_factory=set)

    def start(self) -> None:
        """The batch begins to decide."""
        self._until = time.perf_counter() + self.longest / 2

    def begin(self) -> bool:
        """The next command is decided; False if there is no time for it in this batch."""
        self._began, self._processor_began = time.perf_counter(), time.thread_time()
        return self._began < self._until

    def fault_of(self, command: Command) -> RuleBroken | None:
        """Why the command has failed, in this batch or in one before, if its rule was too slow."""
        if not self._too_slow:
            return command.too_slow
        return self._too_slow.get((command.player_id, command.id), command.too_slow)

    def stood_still(self, command: Command) -> bool:
        """Whether it is a letter that may run once more, or has done so."""
        return command.stood_still or (command.player_id, command.id) in self._stood_still

    def ruled(self, rulebook: Rulebook, command: Command, player: Player, moment: Moment) -> Outcome:
        """What the command's rule makes of the player. Raises what the rule does, and RuleBroken if it took too long.

        Raises LeftOver for a letter that may run once more.

        The time counts from `begin`: what the game's own code does with the arguments is part of it.
        """
        if (fault := self.fault_of(command)) is not None:
            raise fault
        try:
            return rulebook.apply(command.action, player, command.args, moment)
        finally:
            if (seconds := time.perf_counter() - self._began) > SLOW_SECONDS:
                self._was_slow(rulebook, command, seconds)

    def _was_slow(self, rulebook: Rulebook, command: Command, seconds: float) -> None:
        rule_was_slow(rulebook, command, seconds)
        if seconds > self.longest:
            self.lost += seconds
            processor = time.thread_time() - self._processor_began
            if command.letter is not None and processor <= self.longest and not self.stood_still(command):
                self._stood_still.add((command.player_id, command.id))
                raise LeftOver
            error = RuleBroken(f"took {seconds:.1f} s: a rule may take {self.longest:g} s, for its node stands still")
            self._too_slow[command.player_id, command.id] = error
            raise error
