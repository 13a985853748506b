"""A player, the moment in which it acts, and the outcome.

A player is an immutable value. What always holds for a player that a `Rulebook` returned: 0 <= hp <= max_hp of its
class and level, 0 <= exp <= EXP_CAP, its level is the level of its exp, and its version is one more than before. A
player at 0 HP is down.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel

from gameserver.rules.dice import Dice
from gameserver.rules.game import Game
from gameserver.rules.items import Items
from gameserver.rules.levels import EXP_CAP
from gameserver.rules.player_data import NO_DATA, DataMapping, PlayerData

AnyAction = TypeVar("AnyAction", bound=Callable[..., Any])


class Player(NamedTuple):
    """A player's state; `version` counts its changes from 1, times are in UTC."""

    id: int
    name: str
    class_name: str
    level: int
    hp: int
    exp: int
    version: int
    created_at: datetime
    exp_reached_at: datetime  # when exp got its present value; breaks ties on boards
    data: PlayerData = NO_DATA  # what the game's rules remember of the player; only they read it


class Moment(NamedTuple):
    """What an action may use besides the player: the time, dice, and the game's data."""

    now: datetime
    dice: Dice
    game: Game


class Letter(NamedTuple):
    """An effect on another player: `kind` is a rule of `[mail]` in game.toml, `args` its arguments without `sender`.

    The rulebook returns it as it is stored: `kind` is `mail:` and the rule's name, and `args` is a model with `sender`.
    """

    recipient: int
    kind: str
    args: Mapping[str, Any] | BaseModel


class Outcome(NamedTuple):
    """The result of an action; each event is JSON-able and has a "type".

    If it takes effect, the letters are sent, the player gets the items of `grants`, and `points` (name and amount) are
    scored on the boards that rank them.
    """

    player: Player
    events: tuple[dict[str, Any], ...]
    letters: tuple[Letter, ...] = ()
    grants: Items = ()
    points: tuple[tuple[str, int], ...] = ()


def changed(
    player: Player,
    *,
    hp: int | None = None,
    exp: int | None = None,
    class_name: str | None = None,
    data: DataMapping | None = None,
) -> Player:
    """The player with another HP, EXP, class or data; HP below 0 becomes 0, EXP above its cap becomes the cap.

    Level, version and times are set by the rulebook.
    """
    return Player(
        player.id,
        player.name,
        class_name or player.class_name,
        player.level,
        player.hp if hp is None else hp if hp > 0 else 0,
        player.exp if exp is None else exp if exp < EXP_CAP else EXP_CAP,
        player.version,
        player.created_at,
        player.exp_reached_at,
        player.data if data is None else data,  # type: ignore[arg-type]  # the rulebook makes it PlayerData
    )


def settled(player: Player, level: int, hp: int, version: int, exp_reached_at: datetime) -> Player:
    """The player with what only the rulebook sets."""
    return Player(
        player.id,
        player.name,
        player.class_name,
        level,
        hp,
        player.exp if player.exp < EXP_CAP else EXP_CAP,
        version,
        player.created_at,
        exp_reached_at,
        player.data,
    )


def renamed(player: Player, name: str) -> Player:
    """The player with another name and the next version. No action of a game may do this."""
    return player._replace(name=name, version=player.version + 1)


def shown_max_hp(player: Player, game: Game) -> int:
    """The player's max_hp as it is shown; of a class that this game doesn't have, its HP, since nothing else is known.

    So reads never fail: a class may be missing while a node of an older game runs beside newer ones.
    """
    if player.class_name not in game.classes:
        return max(player.hp, 1)
    return game.max_hp(player.class_name, player.level)


def allowed_when_down(action: AnyAction) -> AnyAction:
    """Marks an action that a player at 0 HP may take; others are refused with `player_is_down`."""
    action.__dict__["allowed_when_down"] = True
    return action


def sends_mail(action: AnyAction) -> AnyAction:
    """Marks an action whose outcomes may have letters; rules of `[mail]` may have them without a mark."""
    action.__dict__["sends_mail"] = True
    return action
