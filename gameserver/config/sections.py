"""The sections that bound what the game does: writes, sessions, friends, sockets, ledger, accounts, mail and keys."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from gameserver.config.naming import HolderName
from gameserver.config.section import DAY, LONGEST, Seconds, SettingsSection

_KEY = re.compile(r"[!-~]{32,1024}")


def _require_key(key: SecretStr) -> SecretStr:
    if not _KEY.fullmatch(key.get_secret_value()):
        raise ValueError("must have 32 to 1024 characters of ASCII without blanks: `openssl rand -hex 24` makes one")
    return key


Key = Annotated[SecretStr, AfterValidator(_require_key)]


class WriteSettings(SettingsSection):
    """Group commit, per node and database."""

    batch: int = Field(default=256, ge=1, le=2000)
    """Players in one transaction, at the most."""
    in_flight: int = Field(default=2, ge=1, le=8)
    """Transactions at a time."""
    queue: int = Field(default=8192, ge=1)
    """Commands waiting, at the most; one more is refused as overloaded."""
    deadline_seconds: Seconds = 5
    """How long a command may wait for its commit."""
    transaction_seconds: Seconds = 2
    """How long a transaction may stay open; then the database releases the locks, even if the node is frozen."""


class ReadSettings(SettingsSection):
    """Reads that may go to replicas (docs/replication.md)."""

    max_staleness_seconds: Seconds = 5
    """How old a replica's data may be; an older replica isn't asked."""
    plain_max_staleness_seconds: float = Field(default=0, ge=0, le=3600)
    """The same for reads of players that carry neither a token nor `max_staleness`; 0: the primary is asked."""


class SessionSettings(SettingsSection):
    """How long sessions last, and how many a player may have."""

    idle_seconds: Annotated[int, Field(ge=60, le=LONGEST)] = 30 * DAY
    """A session ends when it hasn't been used for so long."""
    longest_seconds: Annotated[int, Field(ge=60, le=LONGEST)] = 180 * DAY
    """A session ends so long after it was opened, however much it is used."""
    per_player: int = Field(default=20, ge=1, le=1000)
    """Opening one more ends the oldest."""


class FriendSettings(SettingsSection):
    """The table `[friends]`."""

    per_player: int = Field(default=200, ge=1, le=1000)
    """Friends that a player may have, at the most."""


class SocketSettings(SettingsSection):
    """The table `[sockets]`."""

    per_player: int = Field(default=8, ge=1, le=1000)
    """Sockets of one player on one node; one more closes the player's oldest."""
    per_node: int = Field(default=20_000, ge=1, le=1_000_000)
    """Sockets of a node; one more is answered 503."""
    held_bytes_per_socket: int = Field(default=1 << 20, ge=1 << 17, le=1 << 30)
    """Bytes that a socket's client hasn't read, and requests that aren't answered; with more it is closed."""
    held_bytes_per_node: int = Field(default=128 << 20, ge=1 << 20, le=1 << 40)
    """The same of all sockets of a node; with more those that hold most are cut."""


class LedgerSettings(SettingsSection):
    """How far the time in a new command's id may lie from the server's, and how long the ledger is kept."""

    window_back_seconds: Annotated[int, Field(ge=60, le=8 * 7 * DAY)] = 48 * 3600
    window_ahead_seconds: Annotated[int, Field(ge=1, le=DAY)] = 300
    keep_seconds: Annotated[int, Field(ge=7 * DAY, le=LONGEST)] = 30 * DAY
    """Weeks of the ledger that ended longer ago are dropped."""

    @model_validator(mode="after")
    def _keeps_the_window(self) -> Self:
        if self.keep_seconds < self.window_back_seconds + DAY:
            raise ValueError("keep_seconds must be longer than window_back_seconds, by a day at least")
        return self


class AccountSettings(SettingsSection):
    """The table `[accounts]`."""

    deleted_names: Literal["free", "blocked"] = "free"
    """Whether another player may take the name of a deleted one."""
    devices_per_player: int = Field(default=10, ge=1, le=100)
    """Devices by which a player may sign in, at the most."""
    proof_seconds: Annotated[int, Field(ge=30, le=DAY)] = 600
    """How long after signing in a player may change what it signs in with, or delete itself, without doing so again."""
    under_way: int = Field(default=512, ge=1, le=100_000)
    """Sign-ups and sign-ins by device at a time on a node that begin at one database, and half of all."""


class NameSettings(SettingsSection):
    """The table `[names]`."""

    reserved: tuple[str, ...] = Field(default=(), max_length=1000)
    """Words of the game's own people that no player's name may have: the studio, its products (docs/names.md)."""


class PasswordSettings(SettingsSection):
    """The table `[passwords]`: what checking and setting passwords may take of each node."""

    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Of the machine's cores, at a low priority."""
    waiting: int = Field(default=256, ge=1, le=10_000)
    """Hashes that may wait for their turn; those beyond are refused as overloaded."""
    waiting_per_network: int = Field(default=64, ge=1, le=10_000)
    """The same of a /24 of IPv4 or a /48 of IPv6."""
    waiting_per_address: int = Field(default=16, ge=1, le=10_000)
    deadline_seconds: Annotated[float, Field(ge=0.1, le=30)] = 3.0
    """How long one may wait."""


class MailSettings(SettingsSection):
    """The table `[mail]`."""

    keep_seconds: Annotated[int, Field(ge=3600, le=LONGEST)] = 30 * DAY
    """How long a letter stays in an inbox."""
    inbox: int = Field(default=500, ge=10, le=10_000)
    """Letters in an inbox, at the most: the oldest of the least important go first."""
    blocks_per_player: int = Field(default=200, ge=1, le=1000)
    """Players that a player may block, at the most."""


class ConsoleSettings(SettingsSection):
    """How the operators' page shows which deployment it is (docs/console.md)."""

    name: Annotated[str, Field(min_length=1, max_length=40)] = "Hero Ledger"
    environment: Literal["trial", "staging", "production"] = "trial"
    """Shown beside the name; production has a colour of its own."""


class AdminSettings(SettingsSection):
    """Who may use /admin."""

    keys: Mapping[HolderName, Key] = Field(default_factory=dict)
    """Keys by the name that the audit log shows, besides the key of the embedded stack; each is an operator's."""
    session_seconds: Annotated[int, Field(ge=60, le=7 * DAY)] = 12 * 3600
    """A session of the console ends so long after it was opened."""
    one_time_passwords: frozenset[Literal["viewer", "support", "operator"]] = frozenset()
    """Roles of which a key opens nothing unless it has one-time passwords; one of `keys` has none."""


class OperatorSettings(SettingsSection):
    """What operators may do to many players at once (docs/campaigns.md)."""

    second_operator_above: Annotated[int, Field(ge=0)] = 1000
    """A campaign to more players than this waits for a second operator."""
    letters_per_second: Annotated[int, Field(ge=1, le=10_000)] = 200
    """How many letters of campaigns are sent at the most, over all nodes."""


class BackendSettings(SettingsSection):
    """Which back ends of the game may call this server."""

    keys: Mapping[HolderName, Key] = Field(default_factory=dict)
    """Keys by the back end's name; requests with one of them are never limited."""
