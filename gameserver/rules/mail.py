"""What players do to each other: the actions heal_other and duel, and the effects of the letters that they send.

An action changes only its own player. Its effect on another player travels as a letter, whose rule is applied to the
recipient in the recipient's database, exactly once. So an action knows nothing of the recipient's state, and a rule
that has to answer sends a letter back. A letter to a player that doesn't exist, or that its rule refuses, comes back
as `returned`.

A duel takes two letters: `challenged` carries the challenger's level and strength, the recipient's dice decide, and
`duelled` carries the result back. The winner gains EXP for the loser's level, the loser loses a share of its max_hp; a
player that was challenged keeps its last HP, so that no stranger can put it down, and for some seconds after a lost
challenge others come back (`protected`). Both actions have cool-downs, and wins over the same player gain less and less
(`prizes`), so that neither an eager account nor two of one person spoil the game for others.
"""

from typing import Annotated, Any

from pydantic import Field, model_validator

from gameserver.rules import cooldowns, prizes
from gameserver.rules.arguments import Arguments, MailArguments, PlayerId
from gameserver.rules.errors import Refused
from gameserver.rules.levels import EXP_CAP
from gameserver.rules.player import Letter, Moment, Outcome, Player, allowed_when_down, changed, sends_mail
from gameserver.rules.player_data import DataMapping
from gameserver.rules.tuning import DuelTuning, HealOtherTuning

Count = Annotated[int, Field(ge=0)]
HEALED, CHALLENGED = "heal_other", "duel"
"""The names of the cool-downs in a player's data."""


class HealOther(Arguments):
    """Cast a healing spell on another player."""

    player: PlayerId


class Duel(Arguments):
    """Challenge another player."""

    player: PlayerId


class Healed(MailArguments):
    """A healing spell of this many points arrives."""

    points: Count


class Challenged(MailArguments):
    """A challenge; `level` and `damage_dealt`, a modifier in per cent, are the challenger's."""

    level: Count
    damage_dealt: Count


class Duelled(MailArguments):
    """The result of a duel for the challenger; `level` is the opponent's."""

    won: bool
    level: Count


class Returned(MailArguments):
    """A letter comes back undelivered: its kind, recipient and arguments, and why. `sender` is the player itself."""

    kind: str
    to: PlayerId
    reason: str
    args: dict[str, Any]


class Withdrawn(MailArguments):
    """Any letter: of its arguments only the sender is read."""

    @model_validator(mode="before")
    @classmethod
    def _sender_alone(cls, letter: Any) -> Any:
        return {"sender": letter.get("sender")} if isinstance(letter, dict) else letter


class Rewarded(MailArguments):
    """The reward of a rank in a season that has ended. The server sends it, as player 0."""

    sender: Annotated[str, Field(pattern="^0$")]
    board: str
    season: str
    rank: Annotated[int, Field(ge=1)]
    exp: Count
    text: str


@sends_mail
def heal_other(player: Player, args: HealOther, moment: Moment) -> Outcome:
    """Spends HP on a healing spell for another player.

    Refused: same_player, not_a_healer, not_enough_hp, cooling_down.
    """
    target = _other_player(player, args.player)
    tuning, power = moment.game.tuning.heal_other, moment.game.classes[player.class_name].heal_power
    if power < tuning.least_heal_power:
        raise Refused("not_a_healer", f"A {player.class_name} can't heal others.")
    if player.hp <= tuning.cost:
        raise Refused("not_enough_hp", f"Healing others takes {tuning.cost} HP.", extra={"cost": tuning.cost})
    data = _cooled(player, HEALED, target, tuning, moment)
    heal = moment.game.tuning.heal
    points = (moment.dice.roll(heal.min, heal.max) + heal.per_level * (player.level - 1)) * power // 100
    event = {"type": "heal_cast", "player": args.player, "points": points, "cost": tuning.cost}
    after = changed(player, hp=player.hp - tuning.cost, data=data)
    return Outcome(after, (event,), (Letter(target, "healed", {"points": points}),))


def healed(player: Player, args: Healed, moment: Moment) -> Outcome:
    """Gives HP, up to max_hp. A player that is down isn't revived: the letter goes back."""
    hp = min(player.hp + args.points, moment.game.max_hp(player.class_name, player.level))
    return Outcome(changed(player, hp=hp), ({"type": "healed", "by": args.sender, "hp": hp - player.hp},))


@sends_mail
def duel(player: Player, args: Duel, moment: Moment) -> Outcome:
    """Sends a challenge; the result comes back as mail. It ends the player's own protection.

    Refused: same_player, cooling_down.
    """
    target = _other_player(player, args.player)
    data = _cooled(player, CHALLENGED, target, moment.game.tuning.duel, moment)
    after = changed(player, data={name: value for name, value in data.items() if name != cooldowns.PROTECTED})
    player_class = moment.game.classes[player.class_name]
    letter = Letter(target, "challenged", {"level": player.level, "damage_dealt": player_class.damage_dealt})
    return Outcome(after, ({"type": "challenge_sent", "player": args.player},), (letter,))


def challenged(player: Player, args: Challenged, moment: Moment) -> Outcome:
    """Fights the challenger and sends it the result. A player that is down doesn't fight: the letter goes back.

    Refused: protected, for some seconds after the player has lost such a fight or was revived.
    """
    if cooldowns.seconds_left(player.data, [cooldowns.PROTECTED], moment.now):
        raise Refused("protected", "The player has lost a fight only just now.")
    damage_dealt = moment.game.classes[player.class_name].damage_dealt
    won = not moment.dice.chance(challenger_chance(args, player.level, damage_dealt, moment.game.tuning.duel))
    after, event = _after_duel(player, args, moment, won=won, least_hp=1)
    if not won:
        after = cooldowns.protected(after, moment)
    letter = Letter(int(args.sender), "duelled", {"won": not won, "level": player.level})
    return Outcome(after, ({"type": "challenged", "by": args.sender, **event},), (letter,))


def challenger_chance(challenger: Challenged, level: int, damage_dealt: int, tuning: DuelTuning) -> int:
    """The challenger's chance, in per cent, against a player with this level and damage modifier."""
    chance = 100 * challenger.damage_dealt // max(challenger.damage_dealt + damage_dealt, 1)
    chance += tuning.chance_per_level * (challenger.level - level)
    return max(tuning.least_chance, min(chance, tuning.most_chance))


@allowed_when_down
def duelled(player: Player, args: Duelled, moment: Moment) -> Outcome:
    """Gives the challenger its gain or loss; a challenger that went down meanwhile has no HP to lose."""
    after, event = _after_duel(player, args, moment, won=args.won)
    return Outcome(after, ({"type": "duelled", "with": args.sender, **event},))


@allowed_when_down
def returned(player: Player, args: Returned, _moment: Moment) -> Outcome:
    """Reports the returned letter as an event; what the letter cost its sender stays spent."""
    return Outcome(player, ({"type": "mail_returned", "kind": args.kind, "to": args.to, "reason": args.reason},))


@allowed_when_down
def rewarded(player: Player, args: Rewarded, _moment: Moment) -> Outcome:
    """Gives the EXP of a season's reward."""
    exp = min(args.exp, EXP_CAP - player.exp)
    event = {"type": "season_rewarded", "board": args.board, "season": args.season, "rank": args.rank, "exp": exp,
             "text": args.text}  # fmt: skip
    return Outcome(changed(player, exp=player.exp + exp), (event,))


@allowed_when_down
def withdrawn(_player: Player, _args: Withdrawn, _moment: Moment) -> Outcome:
    """For a kind of letter that the game no longer sends: those on their way go back. Refused: letter_withdrawn."""
    raise Refused("letter_withdrawn", "The game has no such letters any more.")


def _other_player(player: Player, player_id: str) -> int:
    target = int(player_id)
    if target == player.id:
        raise Refused("same_player", "This can only be done to another player.")
    return target


def _cooled(
    player: Player, name: str, target: int, tuning: HealOtherTuning | DuelTuning, moment: Moment
) -> DataMapping:
    """The player's data with both cool-downs of the action begun. Refused: cooling_down."""
    cooldowns.require_cool(player.data, [name, cooldowns.pair(name, target)], moment.now)
    data = cooldowns.starting(player.data, name, tuning.cooldown, moment.now)
    return cooldowns.starting_pair(data, name, target, tuning.pair_cooldown, moment.now)


def _after_duel(
    player: Player, args: Challenged | Duelled, moment: Moment, *, won: bool, least_hp: int = 0
) -> tuple[Player, dict[str, Any]]:
    """The player after a duel with the letter's sender, which leaves it `least_hp`; the fields of its event."""
    tuning = moment.game.tuning.duel
    if won:
        exp, data = prizes.won(player.data, int(args.sender), args.level, tuning, moment.now)
        exp = min(exp, EXP_CAP - player.exp)
        return changed(player, exp=player.exp + exp, data=data), {"won": True, "exp": exp, "damage": 0}
    max_hp = moment.game.max_hp(player.class_name, player.level)
    damage = min(max(max_hp * tuning.damage_percent // 100, 1), max(player.hp - least_hp, 0))
    return changed(player, hp=player.hp - damage), {"won": False, "exp": 0, "damage": damage}
