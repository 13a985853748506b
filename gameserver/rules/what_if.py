"""What one player would have become if other rules had been in force: its ledger rows, applied again.

Law: the same rows under the rules that wrote them lead to what they recorded, step by step, so whatever differs comes
from the changed rules. Arguments, times and dice are the recorded ones, and a rule is shown the whole player as it was
then, also its version, its name and when its EXP got their value. Where the dice of a refusal aren't known, a command
that the changed rules would roll for stays refused. A command that they refuse changes nothing, and the player goes on
without it. Players are looked at one by one: letters arrive as they were sent. An operator's correction changes the
player by as much as it did. Stocks of items aren't known, so an action that takes items is only doubted (`in_doubt`)
where the player has been granted less of them than it was.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from gameserver.rules.action_table import NOT_ACTIONS
from gameserver.rules.corrections import CORRECTIONS, recorded_data
from gameserver.rules.dice import Dice, UnknownDice
from gameserver.rules.errors import GameError, RuleBroken
from gameserver.rules.levels import EXP_CAP
from gameserver.rules.outcomes import GRANTED, TAKEN
from gameserver.rules.player import Moment, Outcome, Player, changed, renamed, settled
from gameserver.rules.rulebook import Rulebook

NOT_OF_RULES = frozenset({"not_enough_items"})
"""Refusals that no rule has made: other rules wouldn't have spared the player them."""
BROKEN = "rule_broken"


class RecordedStep(NamedTuple):
    """A row of the ledger: what took effect, with its first answer, or what was `refused` then, with the error's code.

    `seed` is that of its dice, None for what was refused with dice that aren't known.
    """

    action: str
    args: Any
    seed: int | None
    at: datetime
    outcome: Mapping[str, Any]
    refused: str | None = None
    rules: int | None = None
    """The number of the rulebook that made it, if a rulebook did and that is known."""


@dataclass(slots=True)
class Effects:
    """What has come of a player's steps: as recorded, or under the changed rules."""

    player: Player
    exp_gained: int = 0
    levels_gained: int = 0
    times_down: int = 0
    granted: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)

    def become(self, player: Player, level: int, events: Any) -> None:
        """Goes on to `player`, which has this level now."""
        self.exp_gained += max(player.exp - self.player.exp, 0)
        self.levels_gained += max(level - self.player.level, 0)
        self.times_down += player.hp == 0 < self.player.hp
        self.player = player._replace(level=level)
        for event in events:
            if event["type"] == GRANTED:
                self.granted.update(event["items"])
            elif event["type"] == TAKEN:
                self.taken.update(event["items"])

    def net(self, item: str) -> int:
        """How many more of an item the player has than at the beginning."""
        return self.granted[item] - self.taken[item]


def state_of(player_id: int, outcome: Mapping[str, Any], at: datetime) -> Player:
    """The player that the first answer of a sign-up shows."""
    values = (outcome["name"], outcome["class"], outcome["level"], outcome["hp"], outcome["exp"])
    return Player(player_id, *values, version=1, created_at=at, exp_reached_at=at)


def _after(before: Player, outcome: Mapping[str, Any], at: datetime) -> Player:
    """The player that the first answer of its next row shows."""
    shown = state_of(before.id, outcome, at)
    return shown._replace(
        version=before.version + 1,
        created_at=before.created_at,
        exp_reached_at=before.exp_reached_at if shown.exp == before.exp else at,
        data=recorded_data(outcome, before.data),
    )


class AlteredCourse:
    """One player's way through a period, as recorded and as changed; `began` is the recorded player before it."""

    def __init__(self, rulebook: Rulebook, began: Player, *, gets_all_hp: bool = False) -> None:
        """`gets_all_hp` if the player signed up in the period, with all the HP that there were."""
        self._rulebook = rulebook
        self.began, self.recorded = began, Effects(began)
        level = rulebook.game.level_of(began.exp)
        self.changed = Effects(began._replace(level=level, hp=self._first_hp(level) if gets_all_hp else began.hp))
        self.steps = 0
        self.rules: Counter[int | None] = Counter()
        """How many actions and letters each rulebook made."""
        self.refused: Counter[tuple[str, str]] = Counter()
        """Actions that took effect and would be refused, by the error's code."""
        self.allowed: Counter[tuple[str, str]] = Counter()
        """Actions that were refused, by the code of then, and would take effect."""
        self.in_doubt: Counter[str] = Counter()
        """Actions that take items of which the player would have been granted fewer."""

    def _first_hp(self, level: int) -> int:
        game = self._rulebook.game
        return game.max_hp(self.began.class_name, level) if self.began.class_name in game.classes else self.began.hp

    def take(self, step: RecordedStep) -> None:
        """Goes one row further."""
        if step.refused is not None:
            self._try_again(step, step.refused)
            return
        self.steps += 1
        self.rules[step.rules] += step.action not in NOT_ACTIONS
        if step.action in CORRECTIONS:
            self._correct(step.outcome, step.at)
        elif step.action in NOT_ACTIONS:
            self.changed.player = renamed(self.changed.player, step.outcome["name"])
        else:
            self._go_on(step)
        after = _after(self.recorded.player, step.outcome, step.at)
        self.recorded.become(after, after.level, step.outcome["events"])

    def _go_on(self, step: RecordedStep) -> None:
        judged = self._judged(step, _dice(step.seed))
        if isinstance(judged, str):
            self.refused[step.action, judged] += 1
        else:
            self._become(step.action, judged)

    def _try_again(self, step: RecordedStep, refused: str) -> None:
        if step.action in NOT_ACTIONS or refused in NOT_OF_RULES:
            return
        dice = _dice(step.seed)
        judged = self._judged(step, dice)
        if isinstance(judged, str) or (isinstance(dice, UnknownDice) and dice.rolled):
            return
        self._become(step.action, judged)
        self.allowed[step.action, refused] += 1

    def _judged(self, step: RecordedStep, dice: Dice) -> Outcome | str:
        """What the changed rules make of an action or a letter: the outcome, or the code of the error."""
        rulebook = self._rulebook
        try:
            args = rulebook.recorded(step.action, step.args)
            return rulebook.apply(step.action, self.changed.player, args, Moment(step.at, dice, rulebook.game))
        except RuleBroken:
            return BROKEN
        except GameError as error:
            return error.code

    def _become(self, action: str, outcome: Outcome) -> None:
        taken = [item for event in outcome.events if event["type"] == TAKEN for item in event["items"]]
        self.in_doubt[action] += any(self.changed.net(item) < self.recorded.net(item) for item in taken)
        self.changed.become(outcome.player, outcome.player.level, outcome.events)

    def _correct(self, outcome: Mapping[str, Any], at: datetime) -> None:
        """Changes the changed player by as much as an operator changed the recorded one."""
        before, now = self.recorded.player, self.changed.player
        class_name = now.class_name if outcome["class"] == before.class_name else outcome["class"]
        exp = min(max(now.exp + outcome["exp"] - before.exp, 0), EXP_CAP)
        level, game = self._rulebook.game.level_of(exp), self._rulebook.game
        hp = max(now.hp + outcome["hp"] - before.hp, 0)
        if class_name in game.classes:
            hp = min(hp, game.max_hp(class_name, level))
        reached = now.exp_reached_at if exp == now.exp else at
        after = changed(now, hp=hp, exp=exp, class_name=class_name, data=recorded_data(outcome, now.data))
        self.changed.become(settled(after, level, hp, now.version + 1, reached), level, outcome["events"])


def _dice(seed: int | None) -> Dice:
    return UnknownDice() if seed is None else Dice(seed)
