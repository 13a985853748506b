"""The laws of a rule, case by case: what it makes of a player is accepted, replays, and does others no harm."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
from pydantic import BaseModel

from gameserver.rules.dice import Dice
from gameserver.rules.errors import GameError, RuleBroken
from gameserver.rules.player import Letter, Moment, Outcome, Player
from gameserver.rules.player_data import dump, load
from gameserver.rules.rulebook import MAIL, Rulebook

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=1)
PAUSES = (timedelta(0), timedelta(seconds=1), timedelta(hours=1), timedelta(days=1))
"""How long after a rule left data behind it is tried again."""


@dataclass(frozen=True, slots=True)
class RuleLaws:
    """Of one game; each `require_` raises AssertionError with what is broken."""

    rulebook: Rulebook

    def apply(self, player: Player, rule: str, args: BaseModel, seed: int, now: datetime = NOW) -> Outcome:
        """What the server would make of it. Raises the rule's refusal, and RuleBroken."""
        return self.rulebook.apply(rule, player, args, Moment(now, Dice(seed), self.rulebook.game))

    def require_replay(
        self, player: Player, rule: str, model: BaseModel, dice: tuple[int, datetime], outcome: Outcome
    ) -> None:
        """The ledger stores the arguments, the seed and the time: from them alone the same must come out."""
        try:
            stored = orjson.loads(orjson.dumps(model.model_dump(mode="json")))
        except TypeError as error:
            raise AssertionError(f"{rule}: its arguments aren't JSON: {error}") from error
        again: Outcome | GameError
        try:
            again = self.apply(player, rule, self.rulebook.recorded(rule, stored), *dice)
        except GameError as error:
            again = error
        assert again == outcome, (
            f"{rule} isn't a function of player, arguments and moment: {outcome} and then {again!r}"
        )

    def require_harmless(self, letter: Letter, seed: int) -> None:
        """A letter may be refused by its recipient, but not break its rule."""
        assert isinstance(letter.args, BaseModel)
        for recipient in self._recipients(letter.recipient):
            try:
                self.apply(recipient, letter.kind, letter.args, seed)
            except RuleBroken as broken:
                raise AssertionError(f"{letter.kind.removeprefix(MAIL)} breaks its rule: {broken.fault}") from broken
            except GameError:
                continue

    def require_memory(self, player: Player, rule: str, args: BaseModel, seed: int) -> None:
        """The rule can live with what it remembers, read back from its JSON, and replays."""
        player = stored(player)
        for pause in PAUSES:
            try:
                outcome = self.apply(player, rule, args, seed, NOW + pause)
            except RuleBroken as broken:
                raise AssertionError(f"{rule}, with {player.data} after {pause}: {broken.fault}") from broken
            except GameError:
                continue
            self.require_replay(player, rule, args, (seed, NOW + pause), outcome)

    def _recipients(self, player_id: int) -> Iterator[Player]:
        for class_name, player_class in self.rulebook.game.classes.items():
            for hp in (0, 1, player_class.max_hp(1)):
                yield Player(player_id, "Bea", class_name, 1, hp, 0, 1, START, START)


def stored(player: Player) -> Player:
    """The player as its row gives it back."""
    return player._replace(data=load(dump(player.data)))
