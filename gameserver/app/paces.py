"""How often what may be done, as the rooms take it from the settings."""

import math

from redis.asyncio import Redis

from gameserver.commands.passwords import HashingLimits, Passwords
from gameserver.config.limits import PerMinute, PerSecond
from gameserver.config.settings import Settings
from gameserver.rules.pacing import SECOND_NS, Pace
from gameserver.storage.sessions.attempts import AttemptPaces, Attempts


def passwords_of(settings: Settings) -> Passwords:
    """Which passwords are hashed at once."""
    chosen = settings.passwords
    return Passwords(
        HashingLimits(
            chosen.share,
            chosen.waiting,
            chosen.waiting_per_network,
            chosen.waiting_per_address,
            chosen.deadline_seconds,
        )
    )


def attempts_of(settings: Settings, redis: Redis) -> Attempts:
    """Of those who aren't signed in."""
    chosen = settings.limits
    paces = (
        chosen.sign_ups_per_address,
        chosen.sign_ins_per_address,
        chosen.sign_ins_per_name,
        chosen.sign_ins_per_name_and_address,
        chosen.password_changes_per_player,
    )
    return Attempts(redis, AttemptPaces(*map(pace_of, paces)))


def pace_of(chosen: PerMinute | PerSecond) -> Pace:
    """Of a limit as the settings have it."""
    return Pace(math.ceil(chosen.interval * SECOND_NS), chosen.burst)
