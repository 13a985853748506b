"""Names and devices for players that no run has made before."""

import secrets
import string
from dataclasses import dataclass
from random import Random

from bots.play.catalogue import CLASSES
from bots.wire.door import Door

LONGEST_PREFIX = 10
_LETTERS = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a bot is; `doors` are those it plays through, its own first."""

    name: str
    device: str
    class_name: str
    doors: tuple[Door, ...]


def new_tag() -> str:
    """Draw six letters that tell this run's players from those of others."""
    return "".join(secrets.choice(_LETTERS) for _ in range(6))


def make(prefix: str, tag: str, index: int, random: Random, doors: tuple[Door, ...]) -> Identity:
    """Make the player of this index: a name of at most 24 letters and digits, and a secret device."""
    return Identity(f"{prefix}{tag}{index:06}", f"bot-{secrets.token_hex(16)}", random.choice(CLASSES), doors)
