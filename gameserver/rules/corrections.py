"""What operators may make of a player: correct its values, undo one of its actions, roll it back to a moment.

Law: a correction is planned for one version of the player and takes effect on that version only, so what its preview
has shown is what happens. Unlike an action it may lower EXP; all else that always holds of a player still does. It is
a change like any other, with a version and a ledger row of its own: what happened before stays in the ledger. What a
command did is taken back at most once at any time: no two undos or rollbacks that stand have undone the same command.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import Field, SerializerFunctionWrapHandler, StringConstraints, model_serializer

from gameserver.rules.arguments import Arguments
from gameserver.rules.errors import BadInput, ClassMissing, FieldProblem, PlayerChanged, UnknownClass, UnknownItem
from gameserver.rules.game import Game
from gameserver.rules.items import MAX_COUNT, Items
from gameserver.rules.levels import EXP_CAP
from gameserver.rules.outcomes import Event, with_item_events
from gameserver.rules.player import Outcome, Player, settled
from gameserver.rules.player_data import (
    MAX_KEY,
    MAX_VALUE,
    NO_DATA,
    DataMapping,
    Datum,
    PlayerData,
    accepted,
    changed_values,
    data_fault,
)

CORRECT, UNDO, ROLL_BACK = "operator:correct", "operator:undo", "operator:roll_back"
"""Their names in the ledger, which no action of a game can have."""
CORRECTIONS = frozenset({CORRECT, UNDO, ROLL_BACK})
UNDOING = frozenset({UNDO, ROLL_BACK})
"""Those that take back what others did, and give it back when they are undone themselves."""

Value = Annotated[int, Field(ge=0, le=EXP_CAP)]
Gain = Annotated[int, Field(ge=-MAX_COUNT, le=MAX_COUNT)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=64)]
DataName = Annotated[str, StringConstraints(min_length=1, max_length=MAX_KEY, pattern=r"^[^\x00]*$")]
NewDatum = (
    Annotated[int, Field(ge=-MAX_VALUE, le=MAX_VALUE)]
    | bool
    | Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
    | None
)
"""None removes the name."""
ValueChanges = Mapping[str, tuple[Datum | None, Datum | None]]
"""By name, before and after."""


class _Order(Arguments):
    """What later versions of an order have more is in its JSON only where it says something.

    So an order that an earlier version has carried out is known again under its command id.
    """

    later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value or name not in self.later}


class Correct(_Order):
    """Values that become these; of each item so many more, or fewer if the number is negative.

    `data` is what the rules remember: names that get another value, or none any more.
    """

    later = frozenset({"data"})
    hp: Value | None = None
    exp: Value | None = None
    class_name: Key | None = Field(None, alias="class")
    items: Annotated[dict[Key, Gain], Field(max_length=50)] = Field(default_factory=dict)
    data: Annotated[dict[DataName, NewDatum], Field(max_length=50)] = Field(default_factory=dict)


class Undo(Arguments):
    """The action that took effect under this command id."""

    command_id: str


class RollBack(_Order):
    """To the state that the player had at a moment (RFC 3339, in UTC), or with a version: to one of the two."""

    later = frozenset({"to_version"})
    to: str | None = None
    to_version: int | None = None


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """A score that becomes `after`; None for a player that is on the board before, or after, no more."""

    board: str
    season: int
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class Correction:
    """What a player becomes that has the version of `before`: `after` has the next one."""

    before: Player
    after: Player
    event: Event
    takes: Items = ()
    grants: Items = ()
    scores: tuple[ScoreChange, ...] = ()
    left: tuple[str, ...] = field(default=())
    """Sentences: what can't be undone."""

    @property
    def changes(self) -> ValueChanges:
        """All values that change, what the rules remember as `data.<name>`: players aren't shown that."""
        remembered = changed_values(self.before.data, self.after.data)
        return {**state_changes(self.before, self.after), **{f"data.{name}": both for name, both in remembered.items()}}

    def require_planned_for(self, player: Player) -> None:
        """Raises PlayerChanged if the player isn't the planned one any more."""
        require_version(player, self.before.version)

    def outcome(self, player: Player, now: datetime) -> Outcome:
        """Raises PlayerChanged as `require_planned_for` does."""
        self.require_planned_for(player)
        after = self.after if self.after.exp == player.exp else self.after._replace(exp_reached_at=now)
        return with_item_events(Outcome(after, (self.event,), grants=self.grants), self.takes)


def require_version(player: Player, expected: int | None) -> None:
    """Raises PlayerChanged if a player hasn't the version that is expected of it, if one is."""
    if expected is not None and player.version != expected:
        raise PlayerChanged(f"The player is at version {player.version} by now, not {expected}.")


def corrected(player: Player, values: Correct, game: Game) -> Player:
    """Raises UnknownClass, UnknownItem, BadInput, each naming the field; ClassMissing."""
    for item in values.items:
        if item not in game.items:
            names = ", ".join(game.items)
            raise UnknownItem(errors=[FieldProblem(f"items.{item}", f"must be one of: {names}")])
    class_name = values.class_name or player.class_name
    if values.class_name is not None and values.class_name not in game.classes:
        raise UnknownClass(errors=[FieldProblem("class", f"must be one of: {', '.join(game.classes)}")])
    exp = player.exp if values.exp is None else values.exp
    max_hp = _max_hp(class_name, exp, game)
    if values.hp is not None and values.hp > max_hp:
        level = game.level_of(exp)
        raise BadInput(
            errors=[FieldProblem("hp", f"must be between 0 and {max_hp} for a {class_name} of level {level}")]
        )
    data = _corrected_data(player.data, values.data)
    return _become(player, (class_name, player.hp if values.hp is None else values.hp, exp), data, game)


def _corrected_data(before: PlayerData, values: Mapping[str, Datum | None]) -> PlayerData:
    """Raises BadInput for more than a rule could have the server remember."""
    after: DataMapping = {name: value for name, value in {**before, **values}.items() if value is not None}
    if values and (fault := data_fault(after)) is not None:
        raise BadInput(errors=[FieldProblem("data", fault.removeprefix("data "))])
    return accepted(before, after)


def state_of(player: Player) -> dict[str, int | str]:
    """What everybody is shown of a state."""
    return {"class": player.class_name, "level": player.level, "hp": player.hp, "exp": player.exp}


def state_changes(before: Player, after: Player) -> ValueChanges:
    """What changes of what everybody is shown."""
    return changed_values(state_of(before), state_of(after))


def undone(player: Player, before: Mapping[str, Any], after: Mapping[str, Any], data: PlayerData, game: Game) -> Player:
    """The player without what an action changed, from the states `before` and `after` it, as the ledger has them.

    HP stay within their bounds; a class that has changed again since stays. Raises ClassMissing.
    """
    class_name = before["class"] if player.class_name == after["class"] else player.class_name
    exp = min(max(player.exp - (after["exp"] - before["exp"]), 0), EXP_CAP)
    hp = max(player.hp - (after["hp"] - before["hp"]), 0)
    return _become(player, (class_name, hp, exp), data, game)


def restored(player: Player, state: Mapping[str, Any], data: PlayerData, game: Game) -> Player:
    """The player in a state that the ledger has, as far as the game allows it now. Raises ClassMissing."""
    return _become(player, (state["class"], state["hp"], state["exp"]), data, game)


def _become(player: Player, values: tuple[str, int, int], data: PlayerData, game: Game) -> Player:
    """The next version, of class, HP (cut to what is allowed) and EXP."""
    class_name, hp, exp = values
    hp = min(hp, _max_hp(class_name, exp, game))
    after = player._replace(class_name=class_name, exp=exp, data=player.data if data == player.data else data)
    return settled(after, game.level_of(exp), hp, player.version + 1, player.exp_reached_at)


def _max_hp(class_name: str, exp: int, game: Game) -> int:
    if class_name not in game.classes:
        raise ClassMissing(f"The game on this node has no class {class_name!r}; nothing has changed.")
    return game.max_hp(class_name, game.level_of(exp))


def recorded_data(outcome: Mapping[str, Any], before: PlayerData) -> PlayerData:
    """What the rules remembered of the player after a command: `before`, unless its ledger row has another."""
    return accepted(NO_DATA, outcome["data"]) if "data" in outcome else before
