"""How often a client may do what (docs/limits.md)."""

import math
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from gameserver.config.networks import Network
from gameserver.config.section import DAY, SettingsSection

LETTERS = 8
"""Letters that one action may send, as rules.rulebook has it."""
WINDOW_SECONDS = 10
"""HAProxy counts in windows of this length."""
Rate = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]


class PerMinute(SettingsSection):
    """A burst at once, and then so many a minute."""

    per_minute: Rate
    burst: int = Field(ge=1, le=1_000_000)

    @property
    def interval(self) -> float:
        """Seconds from one to the next."""
        return 60 / self.per_minute

    @field_validator("burst")
    @classmethod
    def _recovers(cls, burst: int, info: ValidationInfo) -> int:
        return _within_a_day(burst, info.data.get("per_minute", burst) / 60)


class PerSecond(SettingsSection):
    """A burst at once, and then so many a second."""

    per_second: Rate
    burst: int = Field(ge=1, le=1_000_000)

    @property
    def interval(self) -> float:
        """Seconds from one to the next."""
        return 1 / self.per_second

    @property
    def in_a_window(self) -> int:
        """The most within WINDOW_SECONDS: a burst, and what comes meanwhile."""
        return self.burst + math.ceil(self.per_second * WINDOW_SECONDS)

    @field_validator("burst")
    @classmethod
    def _recovers(cls, burst: int, info: ValidationInfo) -> int:
        return _within_a_day(burst, info.data.get("per_second", burst))


def _within_a_day(burst: int, per_second: float) -> int:
    if burst > per_second * DAY:
        raise ValueError("at this rate the burst wouldn't be allowed again within a day")
    return burst


class LimitSettings(SettingsSection):
    """Every limit, by its name."""

    sign_ups_per_address: PerMinute = PerMinute(per_minute=10, burst=20)
    sign_ins_per_address: PerMinute = PerMinute(per_minute=30, burst=30)
    sign_ins_per_name: PerMinute = PerMinute(per_minute=60, burst=60)
    """With a password, from all addresses together that the name hasn't signed in from lately."""
    sign_ins_per_name_and_address: PerMinute = PerMinute(per_minute=10, burst=10)
    password_changes_per_player: PerMinute = PerMinute(per_minute=2, burst=5)
    letters_per_sender: PerMinute = PerMinute(per_minute=60, burst=60)
    """Letters that a player's actions send, to all recipients."""
    letters_per_pair: PerMinute = PerMinute(per_minute=12, burst=10)
    """The same, to each recipient."""
    letters_per_recipient: PerMinute = PerMinute(per_minute=120, burst=120)
    """Letters of other players' actions that take effect on a player; more of them are returned."""
    actions_per_player: PerSecond = PerSecond(per_second=60, burst=120)
    """On each node; a refused action costs as much as one that takes effect."""
    steady_actions_per_player: PerMinute = PerMinute(per_minute=240, burst=200_000)
    """The same over hours and days: what a player may add to the ledger, a row of 345 bytes each (docs/capacity.md)."""
    hellos_per_player: PerMinute = PerMinute(per_minute=30, burst=20)
    """Sockets that a player opens, on each node."""
    reads_per_player: PerSecond = PerSecond(per_second=20, burst=100)
    """A player's ledger, inbox, export, items, friends, blocks, feed, devices and sessions. On each node.

    A page counts as one for every 50 rows that were asked for.
    """
    exports_per_player: PerMinute = PerMinute(per_minute=1, burst=5)
    """Exports that a player begins, on each node."""
    entries_per_address: PerSecond = PerSecond(per_second=5000, burst=20_000)
    """Places on boards that are looked up for an address, and players that it reads in lists, on each node."""
    key_changes_per_player: PerMinute = PerMinute(per_minute=6, burst=60)
    """Renames, and devices added or taken away, on each node."""
    list_changes_per_player: PerMinute = PerMinute(per_minute=300, burst=600)
    """Friends and blocks that change, and letters that are deleted, on each node."""
    frames_per_socket: PerSecond = PerSecond(per_second=1000, burst=4000)
    frames_per_address: PerSecond = PerSecond(per_second=500, burst=2000)
    """Of all its sockets, on each node; beyond it they are read more slowly."""
    wrong_keys_per_address: PerMinute = PerMinute(per_minute=10, burst=10)
    """Wrong keys of operators and back ends, on each node."""
    connections_per_address: int = Field(default=500, ge=1, le=1_000_000)
    """Connections of an address at a time, at HAProxy and at a node's own port."""
    new_connections_per_address: PerSecond = PerSecond(per_second=50, burst=500)
    requests_per_address: PerSecond = PerSecond(per_second=500, burst=2000)
    """Requests over HTTP, at HAProxy and at a node's own port; a socket is one."""
    sockets_per_address: int = Field(default=500, ge=1, le=1_000_000)
    """Sockets of an address at a time, on each node; also behind proxies."""
    sockets_without_hello_per_address: int = Field(default=100, ge=1, le=1_000_000)
    """Of these, sockets that haven't said hello yet."""
    ended_sockets_per_address: PerMinute = PerMinute(per_minute=30, burst=20)
    """Sockets that a node has to end for what they send, or leave unread; beyond it the address gets no new ones."""
    held_bytes_per_address: int = Field(default=16 << 20, ge=1 << 20, le=1 << 40)
    """Bytes that its sockets' clients haven't read, and requests that aren't answered, on each node."""
    exempt: tuple[Network, ...] = ()
    """Networks whose clients have no limit by address."""

    @field_validator("letters_per_sender", "letters_per_pair")
    @classmethod
    def _admits_every_action(cls, chosen: PerMinute) -> PerMinute:
        if chosen.burst < LETTERS:
            raise ValueError(f"an action may send {LETTERS} letters, which a smaller burst would refuse for ever")
        return chosen
