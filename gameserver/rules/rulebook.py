"""The rulebook: applies the game's rules to players, and checks that each result keeps the law of players.

A rule is an action or the effect of a letter. Law, for a studio's rules as for the built-in ones: a player at 0 HP is
refused unless the rule is allowed when down; afterwards 0 <= hp <= max_hp, exp hasn't fallen and is at most EXP_CAP,
level is the level of exp, version is one more, `exp_reached_at` is the moment's time if exp has changed, and id, name
and `created_at` are unchanged; its data keeps the bounds of `player_data`; a class that the player gets is in the game
and not retired. Letters go to other players, at most LETTERS of them, and have arguments that their rules accept. What
an action takes and a rule grants are counts of the game's items; the last events, `items_taken` and `items_granted`,
report them, and no rule may have such an event itself; its events are JSON as they are. A rule that breaks this, or
raises what no rule may (`studio`), has no effect and raises RuleBroken. A player of a class that this game doesn't have
is refused with ClassMissing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, Self

from pydantic import BaseModel

from gameserver.rules import arguments, outcomes, places, studio
from gameserver.rules.action_table import Action, resolve
from gameserver.rules.arguments import LARGEST_ID, MailArguments
from gameserver.rules.errors import BadInput, ClassMissing, FieldProblem, GameError, Refused, RuleBroken, UnknownAction
from gameserver.rules.game import RETURNED, Game, GameFault
from gameserver.rules.items import Items, fault_of
from gameserver.rules.levels import EXP_CAP
from gameserver.rules.plain_json import json_fault
from gameserver.rules.player import Letter, Moment, Outcome, Player, settled
from gameserver.rules.player_data import accepted

LETTERS = 8
MAIL = "mail:"


@dataclass(frozen=True, slots=True, repr=False)
class Rulebook:
    """The game's data and its rules."""

    game: Game
    _actions: Mapping[str, Action]
    _rules: Mapping[str, Action]
    """The actions, and the rules of letters by names that no action can have: `mail:healed`."""
    sending: frozenset[str]
    """The actions whose outcomes may have letters."""
    number: int | None = None
    """By which ledger rows name it, once it is recorded."""

    @classmethod
    def parse(cls, mapping: Mapping[str, Any]) -> Self:
        """The rulebook of a parsed game.toml, its actions imported. Raises GameFault with every fault."""
        problems: list[str] = []
        items = mapping.get("items")
        known = items if isinstance(items, Mapping) else {}
        actions = resolve("actions", mapping, known, problems)
        mail = resolve("mail", mapping, known, problems)
        problems += [
            f"mail.{name}: {rule.model.__name__} must be a MailArguments"
            for name, rule in mail.items()
            if not issubclass(rule.model, MailArguments)
        ]
        problems += [f"mail.{name}: a letter can't take items" for name, rule in mail.items() if rule.takes is not None]
        try:
            game = Game.parse(mapping)
        except GameFault as fault:
            raise GameFault(fault.problems + problems) from None
        if problems:
            raise GameFault(problems)
        sending = frozenset(name for name, action in actions.items() if action.sends_mail)
        return cls(game, actions, {**actions, **{MAIL + name: rule for name, rule in mail.items()}}, sending)

    @classmethod
    def parse_new(cls, mapping: Mapping[str, Any]) -> Self:
        """The same of a game.toml that is given now, and may not have all that earlier versions took."""
        rulebook = cls.parse(mapping)
        if problems := rulebook.game.faults_of_new():
            raise GameFault(problems)
        return rulebook

    def actions(self) -> dict[str, dict[str, Any]]:
        """Each action's name and the JSON schema of its arguments."""
        return {name: action.schema for name, action in self._actions.items()}

    def schema(self, rule: str) -> dict[str, Any]:
        """The JSON schema of the arguments of an action or of a letter's rule. Raises UnknownAction."""
        return (self._rules.get(rule) or self._no_action()).schema

    def arguments(self, action: str, args: object) -> BaseModel:
        """The action's arguments, of decoded JSON. Raises UnknownAction, BadInput naming the field, or RuleBroken."""
        return self._parsed(action, self._actions.get(action) or self._no_action(), args)

    def takes(self, action: str, args: BaseModel) -> Items:
        """The items that the action takes with these arguments, sorted by name. Raises RuleBroken."""
        entry = self._actions.get(action) or self._no_action()
        if entry.takes is None:
            return ()
        try:
            counts = entry.takes(args) if callable(entry.takes) else entry.takes
        except BaseException as error:
            studio.require_fault(error)
            fault = f"takes of action {action!r} raised {studio.said(error)}"
            raise RuleBroken(fault, places.place_in(error, entry.takes)) from error
        if (problem := fault_of(counts, self.game.items)) is not None:
            raise RuleBroken(f"takes of action {action!r}: {problem}", places.place_of(entry.takes))
        return tuple(sorted(counts.items()))

    def recorded(self, rule: str, args: object) -> BaseModel:
        """The arguments of an action or a letter's rule (`mail:healed`), as the ledger or an outbox has them.

        Raises UnknownAction, BadInput, RuleBroken.
        """
        return self._parsed(rule, self._rules.get(rule) or self._no_action(), args)

    def _parsed(self, rule: str, entry: Action, args: object) -> BaseModel:
        try:
            return arguments.parse(entry.model, args, self.game)
        except BaseException as error:
            if arguments.are_refused_unseen(args):
                raise  # the server's own answer, which may name what the client has sent
            _raise_answerable(error, f"the arguments of {rule!r}", entry)

    def where(self, rule: str) -> str:
        """`file:line` of an action or a letter's rule."""
        return places.place_of(self._rules[rule].function)

    def mail_kinds(self) -> list[str]:
        """The names of the rules of letters, such as `mail:healed`."""
        return [name for name in self._rules if name.startswith(MAIL)]

    def apply(self, action: str, player: Player, args: BaseModel, moment: Moment) -> Outcome:
        """The outcome of an action or a letter's rule. Raises the rule's GameError, such as Refused, or RuleBroken.

        The kinds of the outcome's letters are names of rules (`mail:healed`), and their arguments are models.
        """
        entry = self._rules.get(action) or self._no_action()
        if player.class_name not in self.game.classes:
            raise ClassMissing(f"The game on this node has no class {player.class_name!r}; nothing has changed.")
        player = _fitted(player, self.game)
        if player.hp == 0 and not entry.allowed_when_down:
            raise Refused("player_is_down", "A player at 0 HP can only be revived.")
        try:
            outcome = entry.function(player, args, moment)
        except BaseException as error:
            _raise_answerable(error, f"action {action!r}", entry)
        try:
            return self._accepted(action, entry, player, outcome, (args, moment.now))
        except RuleBroken as error:
            error.where = error.where or places.place_of(entry.function)
            raise
        except BaseException as error:
            _raise_answerable(error, f"action {action!r}: what it returned", entry)

    def _accepted(
        self, action: str, entry: Action, player: Player, outcome: Outcome, asked: tuple[BaseModel, datetime]
    ) -> Outcome:
        """What a rule returned, completed. Raises RuleBroken if it breaks the law."""
        args, now = asked
        fault = outcomes.fault(player, outcome) or outcomes.grants_fault(outcome, self.game.items)
        if fault is not None:
            raise RuleBroken(f"action {action!r}: {fault}")
        if outcome.letters:
            outcome = outcome._replace(letters=self._sealed(action, player, outcome.letters))
        outcome = self._settled(action, player, outcome, now)
        if entry.takes is None and not outcome.grants:
            return outcome
        return outcomes.with_item_events(outcome, () if entry.takes is None else self.takes(action, args))

    def _sealed(self, action: str, sender: Player, letters: object) -> tuple[Letter, ...]:
        """The letters as they are stored. Raises RuleBroken; Refused for a letter to its own sender."""
        if (
            type(letters) is not tuple
            or len(letters) > LETTERS
            or not all(type(letter) is Letter for letter in letters)
        ):
            raise RuleBroken(f"action {action!r}: letters must be a tuple of at most {LETTERS} Letter")
        if action in self._actions and action not in self.sending:
            raise RuleBroken(f"action {action!r}: has letters and isn't marked as @sends_mail")
        if any(letter.recipient == sender.id for letter in letters):
            raise Refused("same_player", "This can only be done to another player.")
        try:
            return tuple(self._sealed_letter(sender, letter) for letter in letters)
        except RuleBroken:
            raise
        except (GameError, ValueError, TypeError) as error:
            problems = "; ".join(f"{fault.field} {fault.problem}" for fault in getattr(error, "errors", ()))
            raise RuleBroken(f"action {action!r}: a letter can't be sent: {problems or error}") from error

    def _sealed_letter(self, sender: Player, letter: Letter) -> Letter:
        kind, recipient = f"{MAIL}{letter.kind}", letter.recipient
        if type(letter.args) is not dict:
            raise ValueError("its arguments must be a dict")
        if (fault := json_fault(letter.args, "args")) is not None:
            raise ValueError(fault)
        if type(recipient) is not int or not 0 < recipient <= LARGEST_ID:
            raise ValueError(f"{recipient!r} isn't the id of a player")
        if kind not in self._rules:
            kinds = ", ".join(name.removeprefix(MAIL) for name in self.mail_kinds())
            raise ValueError(f"there is no kind of letter {letter.kind!r}; [mail] of game.toml has {kinds}")
        if letter.kind == RETURNED:
            raise ValueError(f"only the server sends {RETURNED!r}")
        return Letter(recipient, kind, self.recorded(kind, {**letter.args, "sender": str(sender.id)}))

    def new_player(
        self,
        id: int,  # noqa: A002 (a player's id is `id` everywhere)
        name: str,
        class_name: str,
        now: datetime,
        hp: int | None = None,
        exp: int = 0,
    ) -> Player:
        """A player of version 1, at full HP if `hp` is None. Raises UnknownClass, or BadInput for hp or exp."""
        player_class = self.game.player_class(class_name)
        if not 0 <= exp <= EXP_CAP:
            raise BadInput(errors=[FieldProblem("exp", f"must be between 0 and {EXP_CAP}")])
        level = self.game.level_of(exp)
        max_hp = player_class.max_hp(level)
        if hp is not None and not 0 <= hp <= max_hp:
            raise BadInput(errors=[FieldProblem("hp", f"must be between 0 and {max_hp} for level {level}")])
        return Player(id, name, class_name, level, max_hp if hp is None else hp, exp, 1, now, now)

    def _no_action(self) -> NoReturn:
        raise UnknownAction(errors=[FieldProblem("action", f"must be one of: {', '.join(self._actions)}")])

    def _settled(self, action: str, before: Player, outcome: Outcome, now: datetime) -> Outcome:
        after = outcome.player
        level, reached_at = before.level, before.exp_reached_at
        if before.exp != after.exp and before.exp < EXP_CAP:
            level, reached_at = self.game.levels.level_of(after.exp), now
        if after.class_name != before.class_name and self._is_closed(after.class_name):
            raise RuleBroken(f"action {action!r}: nobody can take the class {after.class_name!r}")
        if after.hp > self.game.max_hp(after.class_name, level):
            raise RuleBroken(f"action {action!r}: {after.hp} HP are too many at level {level}")
        if after.data is not before.data:
            after = after._replace(data=accepted(before.data, after.data))
        player = settled(after, level, after.hp, before.version + 1, reached_at)
        if level == before.level and (after.hp or not before.hp):
            return outcome._replace(player=player)
        return outcome._replace(player=player, events=outcome.events + outcomes.consequences(before, player))

    def _is_closed(self, class_name: str) -> bool:
        player_class = self.game.classes.get(class_name)
        return player_class is None or player_class.retired


def _raise_answerable(error: BaseException, what: str, entry: Action) -> NoReturn:
    """Raises what a client may be told for the game's own code, as it is; anything else as RuleBroken."""
    studio.require_fault(error)
    fault = studio.refusal_fault(error) if isinstance(error, GameError) else f"raised {studio.said(error)}"
    if fault is None:
        raise error
    raise RuleBroken(f"{what} {fault}", places.place_in(error, entry.function)) from error


def _fitted(player: Player, game: Game) -> Player:
    """The player under the present game.toml, which may allow less than when the player last acted."""
    level = game.levels.level_of(player.exp)
    max_hp = game.max_hp(player.class_name, level)
    if level == player.level and player.hp <= max_hp:
        return player
    return settled(player, level, min(player.hp, max_hp), player.version, player.exp_reached_at)
