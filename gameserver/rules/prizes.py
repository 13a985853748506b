"""What won duels gain: less for each further win over the same player on one day, and so much a day in all.

Law: a player and its friend can duel as often as they like and gain, on one day (UTC), at most `daily_exp` together
with all others; and from each other no more than a short series of falling prizes. The counts lie in the player's data.
"""

from datetime import datetime

from gameserver.rules.cooldowns import number, pair, remembering, unix_milliseconds
from gameserver.rules.levels import EXP_CAP
from gameserver.rules.player_data import DataMapping
from gameserver.rules.tuning import DuelTuning

DAY, GAINED, WON = "duel_day", "duel_exp", "won"
"""Names in the data: the day that the counts are of, the EXP gained on it, and the wins over a player on it."""
_DAY_MILLISECONDS = 86_400_000
_COUNTED = 50
"""Further wins gain no less than this many do."""


def won(data: DataMapping, loser: int, level: int, tuning: DuelTuning, now: datetime) -> tuple[int, DataMapping]:
    """The EXP for a win over a player of this level, and the data afterwards."""
    full = tuning.exp_per_level * level
    if tuning.repeat_percent == 100 and tuning.daily_exp == EXP_CAP:
        return full, data
    data = _of_today(data, unix_milliseconds(now) // _DAY_MILLISECONDS)
    wins, gained = number(data, pair(WON, loser)), number(data, GAINED)
    exp = min(full * tuning.repeat_percent**wins // 100**wins, max(tuning.daily_exp - gained, 0))
    after = remembering(data, WON, loser, min(wins + 1, _COUNTED))
    return exp, {**after, GAINED: gained + exp}


def _of_today(data: DataMapping, day: int) -> DataMapping:
    if number(data, DAY) == day:
        return data
    others = {name: value for name, value in data.items() if name != GAINED and not name.startswith(f"{WON}:")}
    return {**others, DAY: day}
