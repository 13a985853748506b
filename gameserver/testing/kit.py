"""A game under test: players, arguments and dice as hypothesis strategies, and the laws that its rules must keep.

Law: what passes here is what the server would accept. A rule runs as the server runs it, by the same rulebook, so a
failure shows the sentence that the server would log, with the smallest player and arguments for which it happens.
"""

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from gameserver.config.files import read_toml
from gameserver.rules.dice import Dice
from gameserver.rules.errors import GameError, RuleBroken
from gameserver.rules.levels import EXP_CAP
from gameserver.rules.player import Letter, Moment, Outcome, Player
from gameserver.rules.player_data import NO_DATA, DataMapping, accepted, data_fault, dump, load
from gameserver.rules.rulebook import MAIL, Rulebook
from gameserver.rules.studio import LONGEST_RULE
from gameserver.testing.strategies import json_of

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=1)
PAUSES = (timedelta(0), timedelta(seconds=1), timedelta(hours=1), timedelta(days=1))
"""How long after a rule left data behind it is tried again."""
SEEDS = st.integers(0, 2**63 - 1)
"""What dice are seeded with: any 63 bits."""
ME, OTHER = 7 << 22, 8 << 22
"""The ids of the player that acts and of one that it may act on."""


class RuleTooSlow(AssertionError):
    """A rule takes longer than a server lets it; no smaller case is looked for, since each takes as long."""


@dataclass(frozen=True, slots=True)
class GameKit:
    """The rules of one game; `check` is the whole of most test files, the rest is for tests of one's own."""

    rulebook: Rulebook

    @classmethod
    def of(cls, game: Path | str) -> Self:
        """The game of a game.toml; modules beside it can be imported. Raises GameFault, ConfigFault."""
        path = Path(game).resolve()
        if str(path.parent) not in sys.path:
            sys.path.insert(0, str(path.parent))
        return cls(Rulebook.parse(read_toml(path)))

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
        if fault := data_fault(data):
            raise ValueError(fault)
        return self.rulebook.new_player(id, "Ada", name, START, hp, exp)._replace(data=accepted(NO_DATA, data))

    def players(self) -> st.SearchStrategy[Player]:
        """Any player that there may be: of each class and level, hurt, down, and at the cap of EXP."""
        game = self.rulebook.game
        highest = game.levels.thresholds[-1]
        edges = st.just(0) | st.just(EXP_CAP) | st.sampled_from(game.levels.thresholds)
        exp = edges | st.integers(0, highest) | st.integers(0, EXP_CAP)

        def of(class_name: str, points: int) -> st.SearchStrategy[Player]:
            level = game.level_of(points)
            hp = st.integers(0, game.max_hp(class_name, level)) | st.just(game.max_hp(class_name, level))
            reached = Player(ME, "Ada", class_name, level, 0, points, 1, START, START)
            return hp.map(lambda value: reached._replace(hp=value))

        return st.tuples(st.sampled_from(sorted(game.classes)), exp).flatmap(lambda drawn: of(*drawn))

    def arguments(self, rule: str) -> st.SearchStrategy[Any]:
        """What a client may send for an action, or a sender for a letter: JSON that fits its schema."""
        game = self.rulebook.game
        words = [*game.classes, *game.items, *game.foes, str(OTHER)]
        return json_of(self.rulebook.schema(rule), words)

    def play(self, player: Player, rule: str, args: object = None, *, seed: int = 1, now: datetime = NOW) -> Outcome:
        """What the server would make of it. Raises the rule's refusal, BadInput, and RuleBroken with the fault."""
        return self._apply(player, rule, self.rulebook.recorded(rule, {} if args is None else args), seed, now)

    def check(self, rule: str, examples: int = 200) -> None:
        """Tries a rule with so many players, arguments and dice. Raises AssertionError for a broken law."""

        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(self.players(), self.arguments(rule), SEEDS)
        def keeps_the_law(player: Player, args: object, seed: int) -> None:
            if too_slow:
                return
            try:
                self.require_law(player, rule, args, seed)
            except RuleTooSlow as error:
                too_slow.append(error)

        too_slow: list[RuleTooSlow] = []
        keeps_the_law()
        if too_slow:
            raise too_slow[0]

    def require_law(self, player: Player, rule: str, args: object, seed: int) -> None:
        """One case: a refusal, or an outcome that the server accepts, that replays, and whose letters do no harm.

        A rule that left data behind is tried with it again, some time later.
        """
        try:
            model = self.rulebook.recorded(rule, args)
            outcome = self._timed(player, rule, model, seed)
        except RuleBroken as broken:
            raise AssertionError(f"{rule} with {args!r}: {broken.fault}") from broken
        except GameError:
            return
        self._require_replay(player, rule, model, seed, outcome)
        for letter in outcome.letters:
            self._require_harmless(letter, seed)
        if outcome.player.data is not player.data:
            self._require_memory(outcome.player, rule, model, seed)

    def _require_memory(self, player: Player, rule: str, args: BaseModel, seed: int) -> None:
        """The rule can live with what it remembers, read back from its JSON."""
        player = player._replace(data=load(dump(player.data)))
        for pause in PAUSES:
            try:
                self._apply(player, rule, args, seed, NOW + pause)
            except RuleBroken as broken:
                raise AssertionError(f"{rule}, with {player.data} after {pause}: {broken.fault}") from broken
            except GameError:
                continue

    def _require_replay(self, player: Player, rule: str, model: BaseModel, seed: int, outcome: Outcome) -> None:
        """The ledger stores the arguments and the seed: from them alone the same must come out."""
        try:
            stored = orjson.loads(orjson.dumps(model.model_dump(mode="json")))
        except TypeError as error:
            raise AssertionError(f"{rule}: its arguments aren't JSON: {error}") from error
        again = self._apply(player, rule, self.rulebook.recorded(rule, stored), seed)
        assert again == outcome, f"{rule} isn't a function of player, arguments and moment: {outcome} and then {again}"

    def _require_harmless(self, letter: Letter, seed: int) -> None:
        """A letter may be refused by its recipient, but not break its rule."""
        assert isinstance(letter.args, BaseModel)
        for recipient in self._recipients(letter.recipient):
            try:
                self._apply(recipient, letter.kind, letter.args, seed)
            except RuleBroken as broken:
                raise AssertionError(f"{letter.kind.removeprefix(MAIL)} breaks its rule: {broken.fault}") from broken
            except GameError:
                continue

    def _recipients(self, player_id: int) -> Iterator[Player]:
        for class_name, player_class in self.rulebook.game.classes.items():
            for hp in (0, 1, player_class.max_hp(1)):
                yield Player(player_id, "Bea", class_name, 1, hp, 0, 1, START, START)

    def _timed(self, player: Player, rule: str, args: BaseModel, seed: int) -> Outcome:
        """As `_apply`. Raises RuleTooSlow if it takes longer than a server lets it, twice: a machine may be busy."""
        began = time.perf_counter()
        try:
            return self._apply(player, rule, args, seed)
        finally:
            if time.perf_counter() - began > LONGEST_RULE:
                self._require_in_time(player, rule, args, seed)

    def _require_in_time(self, player: Player, rule: str, args: BaseModel, seed: int) -> None:
        began = time.perf_counter()
        with contextlib.suppress(GameError):
            self._apply(player, rule, args, seed)
        seconds = time.perf_counter() - began
        if seconds > LONGEST_RULE:
            raise RuleTooSlow(f"{rule} took {seconds:.1f} s: a rule may take {LONGEST_RULE:g} s")

    def _apply(self, player: Player, rule: str, args: BaseModel, seed: int, now: datetime = NOW) -> Outcome:
        return self.rulebook.apply(rule, player, args, Moment(now, Dice(seed), self.rulebook.game))
