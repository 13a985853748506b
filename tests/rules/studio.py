"""Actions as a studio might write them: one that is right, and many that are not."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, Field

from gameserver.rules.arguments import Arguments
from gameserver.rules.errors import Refused
from gameserver.rules.items import takes
from gameserver.rules.levels import EXP_CAP
from gameserver.rules.player import Moment, Outcome, Player, changed

BEYOND = "not a function"


class Pray(Arguments):
    """Ask for help."""

    words: Annotated[str, Field(max_length=40)] = ""
    times: int = 1
    offering: float = 0.0
    whom: Annotated[dict[str, Any], Field(default_factory=dict)]


class Loose(BaseModel):
    """Takes whatever comes."""


class Hook(Arguments):
    """Takes what JSON can't say."""

    then: Callable[[], None]


def pray(player: Player, args: Pray, moment: Moment) -> Outcome:
    """Gives 1 to 6 HP."""
    max_hp = moment.game.max_hp(player.class_name, player.level)
    hp = min(player.hp + moment.dice.roll(1, 6), max_hp)
    return Outcome(changed(player, hp=hp), ({"type": "prayed", "hp": hp - player.hp},))


def refuse(player: Player, args: Pray, moment: Moment) -> Outcome:
    raise Refused("not_holy", "This is no holy place.")


def bury(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(changed(player, hp=-50), ())


def ascend(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player._replace(exp=EXP_CAP + 2**70), ())


def idle(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player._replace(level=99, version=77, exp_reached_at=moment.now), ())


def overheal(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player._replace(hp=10**6), ())


def underrun(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player._replace(hp=-1), ())


def halve(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player._replace(hp=player.hp * 0.5), ())  # type: ignore[arg-type]


def forget(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player._replace(exp=player.exp - 1), ())


def rebaptise(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player._replace(name="Bob"), ())


def impersonate(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player._replace(id=player.id + 1), ())


def grow_younger(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player._replace(created_at=player.created_at + timedelta(1)), ())


def invent_class(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player._replace(class_name="druid"), ())


def lose_class(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player._replace(class_name=None), ())  # type: ignore[arg-type]


def crash(player: Player, args: Pray, moment: Moment) -> Outcome:
    raise KeyError("holy_symbol")


def write_to_player(player: Player, args: Pray, moment: Moment) -> Outcome:
    player.hp = 1  # type: ignore[misc]
    return Outcome(player, ())


def return_nothing(player: Player, args: Pray, moment: Moment) -> None:
    return None


def return_list_of_events(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player, [{"type": "prayed"}])  # type: ignore[arg-type]


def return_untyped_event(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player, ({"hp": 3},))


@takes({"herb": 2})
def brew(player: Player, args: Pray, moment: Moment) -> Outcome:
    """Makes potions of herbs."""
    return Outcome(player, ({"type": "brewed"},), grants=(("potion", 1), ("herb", 1), ("potion", 2)))


@takes(lambda args: {args.words: args.times})
def offer(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player, ())


@takes(lambda args: {"herb": args.words.index("x")})
def offer_nowhere(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player, ())


@takes({"gold": 1})
def take_gold(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player, ())


@takes({"herb": 0})
def take_none(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player, ())


def grant_gold(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player, (), grants=(("gold", 1),))


def grant_less(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player, (), grants=(("herb", -1),))


def grant_half(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player, (), grants=(("herb", 0.5),))  # type: ignore[arg-type]


def grant_too_much(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player, (), grants=(("herb", 2**52), ("herb", 2**52)))


def grant_nonsense(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player, (), grants="herb")  # type: ignore[arg-type]


def grant_list(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player, (), grants=[])  # type: ignore[arg-type]


def claim_items(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player, ({"type": "items_granted", "items": {"herb": 99}},))


async def wait(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player, ())


def dream(player: Player, args: Pray, moment: Moment) -> Iterator[Outcome]:
    yield Outcome(player, ())


async def dream_on(player: Player, args: Pray, moment: Moment) -> AsyncIterator[Outcome]:
    yield Outcome(player, ())


class Sleeper:
    """Called like a function."""

    async def __call__(self, player: Player, args: Pray, moment: Moment) -> Outcome:
        return Outcome(player, ())


sleep = Sleeper()


async def wait_to_take(args: Pray) -> dict[str, int]:
    return {"herb": 1}


@takes(wait_to_take)  # type: ignore[arg-type]
def buy(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player, ())


class Cryptic(Arguments):
    """Its schema raises."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: object, handler: object) -> dict[str, Any]:
        raise KeyError("rune")


class Runic(Arguments):
    """Its schema isn't JSON."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: object, handler: object) -> dict[str, Any]:
        return {"type": "object", "default": float("nan"), "examples": [{1, 2}]}


class Sealed(Arguments):
    """Its default isn't JSON."""

    seal: bytes = b"\xff"


def decipher(player: Player, args: Cryptic, moment: Moment) -> Outcome:
    return Outcome(player, ())


def carve(player: Player, args: Runic, moment: Moment) -> Outcome:
    return Outcome(player, ())


def unseal(player: Player, args: Sealed, moment: Moment) -> Outcome:
    return Outcome(player, ())


class Shy:
    """Can be called, and says nothing of itself."""

    def __getattr__(self, name: str) -> object:
        raise KeyError(name)

    def __call__(self, player: Player, args: Pray, moment: Moment) -> Outcome:
        return Outcome(player, ())


shy = Shy()


def take_two(player: Player, args: Pray) -> Outcome:
    return Outcome(player, ())


def take_by_name(player: Player, *, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player, ())


def take_anything(player: Player, args, moment: Moment) -> Outcome:
    return Outcome(player, ())


def take_loosely(player: Player, args: Loose, moment: Moment) -> Outcome:
    return Outcome(player, ())


def take_hook(player: Player, args: Hook, moment: Moment) -> Outcome:
    return Outcome(player, ())


def take_unheard_of(player: Player, args: "Relic", moment: Moment) -> Outcome:  # type: ignore[name-defined] # noqa: F821
    return Outcome(player, ())


class Turn(Arguments):
    """Become a player of any class."""

    class_name: str


def turn(player: Player, args: Turn, moment: Moment) -> Outcome:
    """Doesn't ask whether players can take the class."""
    return Outcome(changed(player, class_name=args.class_name), ())
