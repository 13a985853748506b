"""A game under test: players, arguments and dice as hypothesis strategies, and the laws that its rules must keep.

Law: what passes here is what the server would accept. A rule runs as the server runs it, by the same rulebook, so a
failure shows the sentence that the server would log, with the smallest player and arguments for which it happens, or
with those of the step of a chain. The same game gives the same cases each time.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from gameserver.config.files import read_toml
from gameserver.config.game_modules import let_import
from gameserver.rules.errors import GameError, RuleBroken
from gameserver.rules.levels import EXP_CAP
from gameserver.rules.player import Outcome, Player
from gameserver.rules.player_data import NO_DATA, DataMapping, PlayerData, accepted, data_fault
from gameserver.rules.rulebook import Rulebook
from gameserver.rules.studio import LONGEST_RULE
from gameserver.testing.chains import RuleCases, RuleChains
from gameserver.testing.laws import NOW as NOW
from gameserver.testing.laws import START, RuleLaws
from gameserver.testing.strategies import json_of

SEEDS = st.integers(0, 2**63 - 1)
"""What dice are seeded with: any 63 bits."""
ME, OTHER = 7 << 22, 8 << 22
"""The ids of the player that acts and of one that it may act on."""
OF_OTHERS = 12
"""Arguments that are drawn of each other rule for the chains of one."""


class RuleTooSlow(AssertionError):
    """A rule takes longer than a server lets it; no smaller case is looked for, since each takes as long."""


@dataclass(frozen=True, slots=True)
class GameKit:
    """The rules of one game; `check` is the whole of most test files, the rest is for tests of one's own."""

    rulebook: Rulebook
    _drawn: dict[str, Sequence[Any]] = field(default_factory=dict, compare=False, repr=False)
    """Arguments by rule, for chains."""

    @property
    def _laws(self) -> RuleLaws:
        return RuleLaws(self.rulebook)

    @classmethod
    def of(cls, game: Path | str, settings: Path | str | None = None) -> Self:
        """The game of a game.toml; modules beside it, and beside the settings' file, can be imported.

        Raises GameFault, ConfigFault.
        """
        let_import(*(Path(file) for file in (game, settings) if file is not None))
        return cls(Rulebook.parse(read_toml(Path(game))))

    @property
    def actions(self) -> list[str]:
        """The names of all actions."""
        return list(self.rulebook.actions())

    @property
    def letters(self) -> list[str]:
        """The names of the rules of all letters, such as `mail:healed`."""
        return self.rulebook.mail_kinds()

    def player(
        self,
        class_name: str = "",
        *,
        hp: int | None = None,
        exp: int = 0,
        data: DataMapping = NO_DATA,
        id: int = ME,  # noqa: A002 (a player's id is `id` everywhere)
    ) -> Player:
        """A player, of the game's first class if none is named and at full HP, of whom rules remember `data`.

        Raises UnknownClass, BadInput, and ValueError for data that no rule may keep.
        """
        name = class_name or next(name for name, entry in self.rulebook.game.classes.items() if not entry.retired)
        return self.rulebook.new_player(id, "Ada", name, START, hp, exp)._replace(data=_kept(data))

    def players(self, data: DataMapping = NO_DATA) -> st.SearchStrategy[Player]:
        """Any player that there may be: of each class and level, hurt, down, and at the cap of EXP.

        Rules remember `data` of it. Raises ValueError for data that no rule may keep.
        """
        game, kept = self.rulebook.game, _kept(data)
        highest = game.levels.thresholds[-1]
        edges = st.just(0) | st.just(EXP_CAP) | st.sampled_from(game.levels.thresholds)
        exp = edges | st.integers(0, highest) | st.integers(0, EXP_CAP)

        def of(class_name: str, points: int) -> st.SearchStrategy[Player]:
            level = game.level_of(points)
            hp = st.integers(0, game.max_hp(class_name, level)) | st.just(game.max_hp(class_name, level))
            reached = Player(ME, "Ada", class_name, level, 0, points, 1, START, START, kept)
            return hp.map(lambda value: reached._replace(hp=value))

        return st.tuples(st.sampled_from(sorted(game.classes)), exp).flatmap(lambda drawn: of(*drawn))

    def arguments(self, rule: str) -> st.SearchStrategy[Any]:
        """What a client may send for an action, or a sender for a letter: JSON that fits its schema."""
        game = self.rulebook.game
        words = [*game.classes, *game.items, *game.foes, str(OTHER)]
        return json_of(self.rulebook.schema(rule), words)

    def play(self, player: Player, rule: str, args: object = None, *, seed: int = 1, now: datetime = NOW) -> Outcome:
        """What the server would make of it. Raises the rule's refusal, BadInput, and RuleBroken with the fault."""
        return self._laws.apply(player, rule, self.rulebook.recorded(rule, {} if args is None else args), seed, now)

    def check(self, rule: str, examples: int = 200, *, data: DataMapping = NO_DATA, refuses: bool = False) -> None:
        """Tries a rule with so many players, arguments and dice, and then in chains with the others.

        Of the players rules remember `data`. Raises AssertionError for a broken law, and for a rule that takes effect
        in no case, unless it is one that `refuses` whatever can be drawn.
        """
        cases, too_slow = RuleCases(rule), list[RuleTooSlow]()

        def keeps_the_law(player: Player, args: object, seed: int) -> None:
            if too_slow:
                return
            try:
                cases.note(self.require_law(player, rule, args, seed))
            except RuleTooSlow as error:
                too_slow.append(error)
            cases.players.append(player)
            cases.arguments.append(args)

        _tried(examples)(given(self.players(data), self.arguments(rule), SEEDS)(keeps_the_law))()
        if too_slow:
            raise too_slow[0]
        RuleChains(self._laws, cases, self._of_others(rule)).play()
        if not refuses:
            cases.require_effect()

    def require_law(self, player: Player, rule: str, args: object, seed: int) -> GameError | None:
        """One case: a refusal, or an outcome that the server accepts, that replays, and whose letters do no harm.

        A rule that left data behind is tried with it again, some time later. Returns the refusal.
        """
        try:
            model = self.rulebook.recorded(rule, args)
            if rule in self.actions:
                self.rulebook.takes(rule, model)  # which a server asks before the rule can refuse
            outcome = self._timed(player, rule, model, seed)
        except RuleBroken as broken:
            raise AssertionError(f"{rule} with {args!r}: {broken.fault}") from broken
        except GameError as refusal:
            return refusal
        self._laws.require_replay(player, rule, model, (seed, NOW), outcome)
        for letter in outcome.letters:
            self._laws.require_harmless(letter, seed)
        if outcome.player.data is not player.data:
            self._laws.require_memory(outcome.player, rule, model, seed)
        return None

    def _of_others(self, rule: str) -> dict[str, Sequence[Any]]:
        """Some arguments of every rule but this one."""
        for other in {*self.actions, *self.letters} - self._drawn.keys():
            self._drawn[other] = self._some(other)
        return {other: self._drawn[other] for other in (*self.actions, *self.letters) if other != rule}

    def _some(self, rule: str) -> Sequence[Any]:
        drawn = list[Any]()

        def note(args: object) -> None:
            drawn.append(args)

        _tried(OF_OTHERS)(given(self.arguments(rule))(note))()
        return drawn

    def _timed(self, player: Player, rule: str, args: BaseModel, seed: int) -> Outcome:
        """What comes of it. Raises RuleTooSlow if that takes longer than a server lets it, twice: a machine is busy."""
        began = time.perf_counter()
        try:
            return self._laws.apply(player, rule, args, seed)
        finally:
            if time.perf_counter() - began > LONGEST_RULE:
                self._require_in_time(player, rule, args, seed)

    def _require_in_time(self, player: Player, rule: str, args: BaseModel, seed: int) -> None:
        began = time.perf_counter()
        with contextlib.suppress(GameError):
            self._laws.apply(player, rule, args, seed)
        seconds = time.perf_counter() - began
        if seconds > LONGEST_RULE:
            raise RuleTooSlow(f"{rule} took {seconds:.1f} s: a rule may take {LONGEST_RULE:g} s")


def _tried(examples: int) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """So many cases, the same each time; what explains a failure is its sentence, and not how often it comes."""
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=True,
        phases=(Phase.generate, Phase.shrink),
    )


def _kept(data: DataMapping) -> PlayerData:
    if fault := data_fault(data):
        raise ValueError(fault)
    return accepted(NO_DATA, data)
