"""What the commands about accounts share: their dependencies, a sign-up's fields, and the answer of a new session."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from gameserver.commands.entrance import Entrance
from gameserver.commands.passwords import Passwords
from gameserver.commands.turns import Turns
from gameserver.rules.editions import RulesInForce
from gameserver.rules.player import Player, shown_max_hp
from gameserver.rules.reserved_names import ReservedNames
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.ledger.window import Window
from gameserver.storage.players.players import Players
from gameserver.storage.rooms import AccountsRoom
from gameserver.storage.sessions.attempts import Attempts
from gameserver.storage.sessions.sessions import Session, Sessions


@dataclass(frozen=True, slots=True)
class Policy:
    """The window of new command ids, the clock, and what `[accounts]` says."""

    window: Window
    now: Callable[[], datetime]
    deleted_names: Literal["free", "blocked"]
    """Whether a deleted player's name can be taken again."""
    proof_seconds: float
    """How long after it was opened a session proves that its player is there."""
    reserved: ReservedNames
    """What no new name may be."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """What sign-ups, sign-ins, sessions, renames, deletions and passwords need; one per node."""

    room: AccountsRoom
    players: Players
    sessions: Sessions
    attempts: Attempts
    passwords: Passwords
    rules: RulesInForce
    policy: Policy
    turns: Turns = field(default_factory=Turns)
    entrance: Entrance = field(default_factory=Entrance)

    @property
    def rulebook(self) -> Rulebook:
        """The one in force."""
        return self.rules.rulebook


@dataclass(frozen=True, slots=True)
class Application:
    """A sign-up's fields, with at least one credential. `hp` and `exp` are for an operator's imports."""

    name: str
    class_name: str
    device: str | None = None
    password: str | None = None
    hp: int | None = None
    exp: int = 0
    shortest_name: int = 2
    device_is_trusted: bool = False
    """Whether the device may be one that others can guess: for demonstrations."""
    address: str | None = None
    """Whose turn it is when a password is hashed."""


@dataclass(frozen=True, slots=True)
class Welcome:
    """A player and its new session; `token` is shown only here."""

    player: Player
    max_hp: int
    token: str
    session: Session
    replayed: bool = False


def max_hp_of(accounts: Accounts, player: Player) -> int:
    return shown_max_hp(player, accounts.rulebook.game)
