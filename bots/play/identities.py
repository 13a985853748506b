"""Names and devices for players that no earlier run has made."""

import secrets
import string
from dataclasses import dataclass
from random import Random

from bots.play.catalogue import CLASSES
from bots.wire.channel import Channel

LONGEST_PREFIX = 10


@dataclass(frozen=True, slots=True)
class BotIdentity:
    """Who a bot is; `channels` are those it may send over, the one that it prefers first."""

    name: str
    device: str
    class_name: str
    channels: tuple[Channel, ...]

    @property
    def channel(self) -> Channel:
        """The channel that the bot prefers."""
        return self.channels[0]

    def any_channel(self, random: Random) -> Channel:
        """Draw one of the bot's channels."""
        return random.choice(self.channels)


def new_tag() -> str:
    """Draw six letters that tell this run's players from those of other runs.

    No digits: between two of them `gm` is a word, and a name with such a word is reserved.
    """
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(6))


def make(
    prefix: str, tag: str, index: int, random: Random, channels: tuple[Channel, ...], *, class_name: str | None = None
) -> BotIdentity:
    """Make the player of this index: a name of at most 24 letters and digits, and a secret device.

    Its class is drawn unless `class_name` is given.
    """
    drawn = random.choice(CLASSES)
    return BotIdentity(f"{prefix}{tag}{index:06}", f"bot-{secrets.token_hex(16)}", class_name or drawn, channels)
