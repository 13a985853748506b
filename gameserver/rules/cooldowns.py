"""Cool-downs of a player's actions, in its data: one for an action, and one for an action on the same other player.

Law: a cool-down is the Unix time in milliseconds at which it ends, under a name of its own. Of other players only the
last PAIRS are remembered under each name, so the data stays small however many there are.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from gameserver.rules.errors import Refused
from gameserver.rules.player import Moment, Player, changed
from gameserver.rules.player_data import DataMapping

PAIRS = 6
PROTECTED = "protected"
"""The name of what ends when the player can be challenged again."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def unix_milliseconds(at: datetime) -> int:
    """Rounded down."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def pair(name: str, other: int) -> str:
    """The name under which `name` is remembered for another player."""
    return f"{name}:{other}"


def number(data: DataMapping, name: str) -> int:
    """The whole number of this name, 0 without one."""
    value = data.get(name, 0)
    return value if type(value) is int else 0


def seconds_left(data: DataMapping, names: Iterable[str], now: datetime) -> int:
    """How long the longest of these cool-downs still lasts, in whole seconds, rounded up; 0 if all have ended."""
    left = max(number(data, name) for name in names) - unix_milliseconds(now)
    return max(-(-left // 1000), 0)


def require_cool(data: DataMapping, names: Iterable[str], now: datetime) -> None:
    """Refused: cooling_down, with the seconds in `retry_after`, unless all of these cool-downs have ended."""
    if seconds := seconds_left(data, names, now):
        raise Refused("cooling_down", f"This can be done again in {seconds} s.", extra={"retry_after": seconds})


def protected(player: Player, moment: Moment) -> Player:
    """The player, that can't be challenged for the seconds of `tuning.duel.protection`."""
    seconds = moment.game.tuning.duel.protection
    return changed(player, data=starting(player.data, PROTECTED, seconds, moment.now))


def starting(data: DataMapping, name: str, seconds: int, now: datetime) -> DataMapping:
    """The data with a cool-down that begins now; none if it lasts 0 seconds."""
    return {**data, name: unix_milliseconds(now) + 1000 * seconds} if seconds else data


def remembering(data: DataMapping, name: str, other: int, value: int) -> DataMapping:
    """The data with a number for another player; if there are too many, the one that was set first is forgotten."""
    after = {key: kept for key, kept in data.items() if key != pair(name, other)}
    after[pair(name, other)] = value
    remembered = [key for key in after if key.startswith(f"{name}:")]
    return {key: kept for key, kept in after.items() if key not in remembered[:-PAIRS]}


def starting_pair(data: DataMapping, name: str, other: int, seconds: int, now: datetime) -> DataMapping:
    """The data with a cool-down for another player that begins now; none if it lasts 0 seconds."""
    return remembering(data, name, other, unix_milliseconds(now) + 1000 * seconds) if seconds else data
