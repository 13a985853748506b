"""The time window in which a new command id is accepted."""

from dataclasses import dataclass
from datetime import datetime

from gameserver.rules.errors import CommandExpired
from gameserver.storage.ids import command_milliseconds
from gameserver.times import rfc3339


@dataclass(slots=True)
class Window:
    """How far a new command id's time may be from the server's, in milliseconds."""

    back: int
    ahead: int

    def is_open(self, command_id: str, now: datetime) -> bool:
        """Whether a new command may have this id now."""
        age = now.timestamp() * 1000 - command_milliseconds(command_id)
        return -self.ahead <= age <= self.back

    def check(self, command_id: str, now: datetime) -> None:
        """Raises CommandExpired, with the server's time."""
        if not self.is_open(command_id, now):
            raise expired(now)


def expired(now: datetime) -> CommandExpired:
    """The error of a command id whose time is too far from the server's, which is `now`."""
    shown = rfc3339(now)
    return CommandExpired(
        f"The command id's time is outside the window; the server's time is {shown}.", extra={"server_time": shown}
    )
