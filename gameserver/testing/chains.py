"""Chains: one player to whom drawn rules of the whole game happen, one after another, with what they leave behind.

Law: a chain of a rule finds what only shows after many steps, or beside others: data that grows beyond its bounds, a
name that two rules use for different things, a replay that needs what was remembered. Every step keeps the laws. The
same game and rule give the same chains, but for a rule so slow that they end early.
"""

import random
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gameserver.rules.errors import GameError, RuleBroken
from gameserver.rules.player import Outcome, Player
from gameserver.rules.player_data import NO_DATA
from gameserver.testing.laws import NOW, PAUSES, RuleLaws, stored

CHAINS = 4
STEPS = 200
"""Of a chain; data may have 32 names, so a rule that adds one each time is found in far fewer."""
OWN_SHARE = 0.7
"""How many of them are the rule's own."""
NEW_SHARE, STRANGERS = 0.75, 1000
"""How many of the players that arguments name are drawn anew, and from how many: clients name whom they like."""
LONGEST_SECONDS = 10.0
"""Of all chains of a rule."""
_ID = re.compile("[1-9][0-9]{0,18}")
MEANT_TO_REFUSE = frozenset({"letter_withdrawn"})
"""Codes of rules whose only work is to refuse."""


@dataclass(slots=True)
class RuleCases:
    """What was tried of one rule: arguments and players to draw from, and what came of it."""

    rule: str
    arguments: list[Any] = field(default_factory=list)
    players: list[Player] = field(default_factory=list)
    took_effect: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def note(self, refusal: GameError | None) -> None:
        """Counts a case."""
        if refusal is None:
            self.took_effect += 1
        else:
            self.refused[refusal.code] += 1

    def require_effect(self) -> None:
        """Raises AssertionError if every case was refused: then nothing of the rule was tried."""
        if self.took_effect or not self.refused.keys() - MEANT_TO_REFUSE:
            return
        codes = ", ".join(f"{code} ({times})" for code, times in self.refused.most_common())
        raise AssertionError(
            f"{self.rule} took effect in none of {self.refused.total()} cases; it was refused: {codes}"
        )


@dataclass(slots=True)
class RuleChains:
    """Of one rule; `others` are arguments of the other rules to draw from."""

    laws: RuleLaws
    cases: RuleCases
    others: Mapping[str, Sequence[Any]]
    _random: random.Random = field(init=False)
    _number: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.cases.rule)  # noqa: S311 (the same chains each time)

    def play(self) -> None:
        """Plays them all. Raises AssertionError for a broken law."""
        until = time.perf_counter() + LONGEST_SECONDS
        for player in self._random.sample(self.cases.players, min(CHAINS, len(self.cases.players))):
            now = NOW
            for self._number in range(1, STEPS + 1):
                now += self._random.choice(PAUSES)
                player = self._step(self._up(player), now)
                if time.perf_counter() > until:
                    return

    def _up(self, player: Player) -> Player:
        """One that is down is helped up by an operator, as far as nothing else has done it by now."""
        if player.hp > 0 or self._random.random() < 1 / 2:
            return player
        game = self.laws.rulebook.game
        return player._replace(hp=game.max_hp(player.class_name, player.level), version=player.version + 1)

    def _step(self, player: Player, now: datetime) -> Player:
        """The player after one more rule, or as it was."""
        own = self.cases.rule
        rule = own if self._random.random() < OWN_SHARE or not self.others else self._random.choice([*self.others])
        args = self._with_strangers(self._random.choice(self.cases.arguments if rule == own else self.others[rule]))
        seed = self._random.getrandbits(63)
        try:
            outcome = self._applied(player, rule, args, (seed, now))
        except RuleBroken as broken:
            if rule != own and self._is_broken_alone(player, rule, args, (seed, now)):
                return player
            raise AssertionError(
                f"{rule} with {args!r} and the seed {seed} at {now}, after {self._number} steps of a chain that made "
                f"{player}: {broken.fault}"
            ) from broken
        except GameError as refusal:
            if rule == own:
                self.cases.note(refusal)
            return player
        if rule == own:
            self.cases.note(None)
        for letter in outcome.letters:
            self.laws.require_harmless(letter, seed)
        return stored(outcome.player)

    def _with_strangers(self, args: Any) -> Any:
        """The arguments with other players' ids in the place of some; what drew them repeats itself too often."""
        match args:
            case dict():
                return {name: self._with_strangers(value) for name, value in args.items()}
            case list():
                return [self._with_strangers(value) for value in args]
            case str() if _ID.fullmatch(args) and self._random.random() < NEW_SHARE:
                return str(self._random.randint(1, STRANGERS) << 22)
        return args

    def _applied(self, player: Player, rule: str, args: object, dice: tuple[int, datetime]) -> Outcome:
        model = self.laws.rulebook.recorded(rule, args)
        outcome = self.laws.apply(player, rule, model, *dice)
        self.laws.require_replay(player, rule, model, dice, outcome)
        return outcome

    def _is_broken_alone(self, player: Player, rule: str, args: object, dice: tuple[int, datetime]) -> bool:
        """Whether another rule breaks without what is remembered, too: then its own cases tell."""
        try:
            self._applied(player._replace(data=NO_DATA), rule, args, dice)
        except RuleBroken:
            return True
        except GameError:
            return False
        return False
