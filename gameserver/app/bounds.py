"""The bounds of the settings, as commands and storage take them."""

import math

from redis.asyncio import Redis

from gameserver.commands.passwords import HashingLimits, Passwords
from gameserver.config import limits
from gameserver.config.errors import ConfigFault
from gameserver.config.limits import PerMinute, PerSecond
from gameserver.config.settings import Settings
from gameserver.rules import names
from gameserver.rules.pacing import SECOND_NS, Pace
from gameserver.rules.reserved_names import ReservedNames
from gameserver.storage.ledger.window import Window
from gameserver.storage.players.replica_reads import StalenessLimits
from gameserver.storage.sessions.attempts import AttemptPaces, Attempts


def passwords_of(settings: Settings) -> Passwords:
    """What hashes passwords, within the settings' share of the cores."""
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


def staleness_of(settings: Settings) -> StalenessLimits:
    """How old what replicas answer may be."""
    reads = settings.reads
    return StalenessLimits(reads.max_staleness_seconds, reads.plain_max_staleness_seconds)


def reserved_names_of(settings: Settings) -> ReservedNames:
    """What no player can be called. Raises ConfigFault, naming the words that can't be reserved."""
    words = settings.names.reserved
    faults = [(at, word, names.reserved_fault(word)) for at, word in enumerate(words)]
    if problems := [f"names.reserved.{at}: {word!r} {fault}" for at, word, fault in faults if fault is not None]:
        raise ConfigFault("\n".join(problems))
    return ReservedNames(words)


def window_of(settings: Settings) -> Window:
    """How far a new command id's time may be from the server's."""
    return Window(settings.ledger.window_back_seconds * 1000, settings.ledger.window_ahead_seconds * 1000)


def attempts_of(settings: Settings, redis: Redis) -> Attempts:
    """What counts sign-ups and sign-ins."""
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
    """The pace of a limit of the settings."""
    return Pace(math.ceil(chosen.interval * SECOND_NS), chosen.burst)


def pace_in_windows(chosen: PerSecond) -> Pace:
    """The pace that admits all that HAProxy lets through, which counts in windows."""
    return Pace(limits.WINDOW_SECONDS * SECOND_NS // chosen.in_a_window, chosen.in_a_window)
