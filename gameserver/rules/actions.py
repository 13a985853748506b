"""The built-in actions: hunt, rest, heal, revive, change_class and use.

Each is a pure function of a player, its arguments and the moment. Before it, the rulebook refuses a player that is
down (except to `revive`); after it, the rulebook sets level, version and times. Products of modifiers are rounded
down.
"""

from typing import Any

from pydantic import Field

from gameserver.rules import cooldowns
from gameserver.rules.arguments import Arguments, ClassName, FoeName, ItemName
from gameserver.rules.classes import PlayerClass
from gameserver.rules.errors import Refused
from gameserver.rules.foes import Foe
from gameserver.rules.items import Count, Items, takes
from gameserver.rules.levels import EXP_CAP
from gameserver.rules.player import Moment, Outcome, Player, allowed_when_down, changed
from gameserver.rules.tuning import HuntTuning


class Hunt(Arguments):
    """Fight one foe."""

    foe: FoeName


class Rest(Arguments):
    """Sit down for a while."""


class Heal(Arguments):
    """Cast a healing spell on the player itself."""


class Revive(Arguments):
    """Stand up again."""


class ChangeClass(Arguments):
    """Change to another class."""

    class_name: ClassName = Field(alias="class")


class Use(Arguments):
    """Use items of one kind; they are used up."""

    item: ItemName
    count: Count = 1


def hunt(player: Player, args: Hunt, moment: Moment) -> Outcome:
    """Fights a foe: a win gives the foe's EXP, points and drops, and costs less HP. Raises UnknownFoe."""
    game, dice = moment.game, moment.dice
    foe, player_class = game.foe(args.foe), game.classes[player.class_name]
    tuning = game.tuning.hunt
    won = dice.chance(win_chance(player.level, player_class, foe, tuning))
    damage = dice.roll(foe.min_damage, foe.max_damage) * player_class.damage_taken // 100
    if won:
        damage = damage * tuning.damage_on_win // 100
    damage = min(damage, player.hp)
    exp = min(foe.exp * player_class.exp_gained // 100, EXP_CAP - player.exp) if won else 0
    event: dict[str, Any] = {"type": "hunted", "foe": args.foe, "won": won, "damage": damage, "exp": exp}
    points = tuple(foe.points.items()) if won and foe.points else ()
    if points:
        event["scored"] = dict(points)
    drops = _dropped(foe, moment) if won and foe.drops else ()
    after = changed(player, hp=player.hp - damage, exp=player.exp + exp)
    return Outcome(after, (event,), points=points, grants=drops)


def _dropped(foe: Foe, moment: Moment) -> Items:
    """Rolled after everything else, so that ledgers written before a foe had drops still replay to the same state."""
    return tuple((drop.item, drop.count) for drop in foe.drops if moment.dice.chance(drop.chance))


def win_chance(level: int, player_class: PlayerClass, foe: Foe, tuning: HuntTuning) -> int:
    """The chance, in per cent, that a player of this level and class beats the foe."""
    chance = foe.win_chance * player_class.damage_dealt // 100 + tuning.chance_per_level * (level - foe.level)
    if chance < tuning.least_chance:
        return tuning.least_chance
    return min(chance, tuning.most_chance)


def rest(player: Player, _args: Rest, moment: Moment) -> Outcome:
    """Restores a share of max_hp, at least 1 HP; it is the same for every class and never fails. Refused: full_hp."""
    max_hp = _room_to_heal(player, moment)
    points = max(max_hp * moment.game.tuning.rest.percent // 100, 1)
    return _healed(player, "rested", points, max_hp)


def heal(player: Player, _args: Heal, moment: Moment) -> Outcome:
    """Casts a spell that may fizzle; with a high heal_power it restores more than a rest. Refused: full_hp."""
    max_hp = _room_to_heal(player, moment)
    tuning, dice = moment.game.tuning.heal, moment.dice
    if not dice.chance(tuning.chance):
        return Outcome(player, ({"type": "heal_fizzled"},))
    power = moment.game.classes[player.class_name].heal_power
    points = (dice.roll(tuning.min, tuning.max) + tuning.per_level * (player.level - 1)) * power // 100
    return _healed(player, "healed", points, max_hp)


@allowed_when_down
def revive(player: Player, _args: Revive, moment: Moment) -> Outcome:
    """Gives a player that is down a share of max_hp, at least 1 HP, and some seconds without duels.

    Refused: player_is_up.
    """
    if player.hp > 0:
        raise Refused("player_is_up", "Only a player at 0 HP can be revived.")
    max_hp = moment.game.max_hp(player.class_name, player.level)
    hp = max(max_hp * moment.game.tuning.revive.percent // 100, 1)
    return Outcome(cooldowns.protected(changed(player, hp=hp), moment), ({"type": "revived", "hp": hp},))


def change_class(player: Player, args: ChangeClass, moment: Moment) -> Outcome:
    """Changes class and keeps EXP; HP above the new max_hp are lost, so changing back and forth gains none.

    Raises UnknownClass. Refused: same_class, not_enough_exp.
    """
    target = moment.game.player_class(args.class_name, "args.class")
    if args.class_name == player.class_name:
        raise Refused("same_class", f"The player is a {player.class_name} already.")
    min_exp = moment.game.tuning.change_class.min_exp
    if player.exp < min_exp:
        raise Refused("not_enough_exp", f"Changing class takes {min_exp} EXP.", extra={"min_exp": min_exp})
    hp = min(player.hp, target.max_hp(player.level))
    event = {"type": "class_changed", "from": player.class_name, "to": args.class_name}
    return Outcome(changed(player, hp=hp, class_name=args.class_name), (event,))


@takes(lambda args: {args.item: args.count})
def use(player: Player, args: Use, moment: Moment) -> Outcome:
    """Uses `count` of an item, each for the item's HP. Raises UnknownItem. Refused: not_usable, full_hp."""
    item = moment.game.item(args.item)
    if item.heal is None:
        raise Refused("not_usable", f"{args.item} can't be used.")
    max_hp = _room_to_heal(player, moment)
    hp = min(player.hp + item.heal * args.count, max_hp)
    event = {"type": "used", "item": args.item, "count": args.count, "hp": hp - player.hp}
    return Outcome(changed(player, hp=hp), (event,))


def _room_to_heal(player: Player, moment: Moment) -> int:
    max_hp = moment.game.max_hp(player.class_name, player.level)
    if player.hp >= max_hp:
        raise Refused("full_hp", "The player is at full HP.")
    return max_hp


def _healed(player: Player, event: str, points: int, max_hp: int) -> Outcome:
    hp = min(player.hp + points, max_hp)
    return Outcome(changed(player, hp=hp), ({"type": event, "hp": hp - player.hp},))
