"""Tables of the group `players`: a player's row and all that changes in one transaction with it.

Primary keys begin with the slot: a move of slots filters by it. No index on hp, exp, level: it would break HOT updates
(measured: 77,600 to 37,000 updates/s). One on a column that no action changes, such as created_at or name, does not.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, UUID

from gameserver.rules import player_data
from gameserver.rules.player import Player
from gameserver.storage.tables.groups import TXID, Time, identity, lineage, marks, owned_slots, players

players_owned_slots = owned_slots("players", players, Index("players_owned_slots_txid", "txid"))
players_marks = marks("players", players)
players_lineage = lineage("players", players)
players_identity = identity("players", players)

player_rows = Table(
    "players",
    players,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(64), nullable=False),
    Column("class", String(64), nullable=False),
    Column("level", Integer, nullable=False),
    Column("hp", BigInteger, nullable=False),
    Column("exp", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("session_epoch", Integer, nullable=False),
    Column("void", Boolean, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("exp_reached_at", Time, nullable=False),
    Column("level_reached_at", Time),
    Column("banned", Boolean, server_default=false(), nullable=False),
    Column("deleted", Boolean, nullable=False, server_default=text("false")),
    Column("claims_epoch", Integer, nullable=False, server_default=text("0")),
    Column("data", JSON),
    Column("seen", Time),
    CheckConstraint("hp >= 0 and exp >= 0 and version >= 0", name="players_range"),
    Index("players_created_at", "created_at"),
    Index(
        "players_name_parts",
        text("name_parts(name)"),
        postgresql_using="gin",
        postgresql_with={"fastupdate": "on", "gin_pending_list_limit": "1024"},
    ),
    Index("players_void", "slot", "id", postgresql_where=text("void and not deleted")),
    postgresql_with={"fillfactor": "80"},
)
"""A `void` row isn't a player: no sign-up can get this id any more or, if `deleted`, the player was deleted.

`data` is what the game's rules remember of the player (rules/player_data.py), as text, so that its order stays; null
if that is nothing. `seen` is the beginning of the hour in which the player was last seen (sessions/sightings.py), from
its sign-up on; null of players of earlier versions that weren't seen since.
"""

PLAYER = [
    player_rows.c[name]
    for name in ("id", "name", "class", "level", "hp", "exp", "version", "created_at", "exp_reached_at")
]
"""A player's columns in the order of the fields of `rules.player.Player`, without its data, which only rules read."""

credentials = Table(
    "credentials",
    players,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("player_id", BigInteger, primary_key=True, autoincrement=False),
    Column("password_hash", String(256), nullable=False),
)

devices = Table(
    "devices",
    players,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("player_id", BigInteger, primary_key=True, autoincrement=False),
    Column("key", String(64), primary_key=True),
    Column("label", String(64), nullable=False),
    Column("added_at", Time, nullable=False),
    Column("removed", Boolean, nullable=False),
)
"""Devices that were added to a player, by the hash of each; `removed` marks the one of the sign-up, which is only in
the ledger until then."""

friends = Table(
    "friends",
    players,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("player_id", BigInteger, primary_key=True, autoincrement=False),
    Column("friend_id", BigInteger, primary_key=True, autoincrement=False),
    Column("added_at", Time, nullable=False),
)
"""The friends that a player has added; their own rows may lie on other databases."""

ledger = Table(
    "ledger",
    players,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("player_id", BigInteger, primary_key=True, autoincrement=False),
    Column("command_id", UUID(as_uuid=False), primary_key=True),
    Column("action", String(64), nullable=False),
    Column("args", JSON, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("outcome", JSON, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("at", Time, nullable=False),
    Column("txid", BigInteger, nullable=False, server_default=TXID),
    Column("rules", SmallInteger),
    Index("ledger_txid", "txid", postgresql_using="brin", postgresql_with={"pages_per_range": "16"}),
    Index(
        "ledger_corrections",
        "slot",
        "player_id",
        postgresql_where=text("action in ('operator:undo', 'operator:roll_back')"),
    ),
    postgresql_partition_by="RANGE (command_id)",
)
"""`rules` is the number of the rulebook (control_group.py) that the command took effect under, or was refused by; null
for rows from before there were numbers, and for what no rule makes: renames, devices, bans, deletions."""

ledger_kept = Table(
    "ledger_kept",
    players,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("player_id", BigInteger, primary_key=True, autoincrement=False),
    Column("command_id", UUID(as_uuid=False), primary_key=True),
    Column("action", String(64), nullable=False),
    Column("args", JSON, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("outcome", JSON, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("at", Time, nullable=False),
    Column("ledger_txid", BigInteger),
    Column("rules", SmallInteger),
    Index("ledger_kept_txid", "ledger_txid"),
)
"""Rows of partitions that were dropped: each player's sign-up, and the last row (storage/ledger/retention.py).

`ledger_txid` is the row's `txid` in the ledger: a follower that has been away since finds it there. A move leaves it
out, as each server has transaction ids of its own; the target's follower reads every player of the slot anyway."""

scores = Table(
    "scores",
    players,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("player_id", BigInteger, primary_key=True, autoincrement=False),
    Column("board", String(32), primary_key=True),
    Column("season", BigInteger, primary_key=True, autoincrement=False),
    Column("score", BigInteger),
    Column("reached_at", Time, nullable=False),
    Column("version", BigInteger, nullable=False),
    postgresql_with={"fillfactor": "80"},
)
"""Scores on boards whose scores are stored; `version` is the player's after the action, `season` 0 for all time.

A score of null was taken away: the player isn't on that board."""

players_editions = Table(
    "players_editions",
    players,
    Column("edition", Integer, primary_key=True, autoincrement=False),
    Column("at", Time, nullable=False),
    Column("state", String(16), nullable=False),
    Column("step", SmallInteger, nullable=False),
)
"""What this database knows of the orders that put rulebooks in force (storage/operators/rule_editions.py)."""

season_floors = Table(
    "season_floors",
    players,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("board", String(32), primary_key=True),
    Column("season", BigInteger, nullable=False),
)
"""The earliest season of a board in which players of a slot can still score."""

outbox = Table(
    "outbox",
    players,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("player_id", BigInteger, primary_key=True, autoincrement=False),
    Column("command_id", UUID(as_uuid=False), primary_key=True),
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("kind", String(64), nullable=False),
    Column("recipient", BigInteger, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("at", Time, nullable=False),
    Index("outbox_at", "at"),
    Index("outbox_destination", text("((recipient >> 10) & 4095)"), "kind", "at"),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0", "autovacuum_vacuum_threshold": "2000"},
)
"""What a command has to bring about elsewhere: written in its transaction, deleted once it has taken effect."""

inbox = Table(
    "inbox",
    players,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("player_id", BigInteger, primary_key=True, autoincrement=False),
    Column("mail_id", UUID(as_uuid=False), primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("sender", BigInteger, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("sent_at", Time, nullable=False),
    Column("at", Time, nullable=False),
    Column("refused", String(64)),
    Index("inbox_age", "at"),
    Index("inbox_shown", "slot", "player_id", "mail_id", postgresql_where=text("refused is null")),
)
"""Letters that have arrived. A row with a reason in `refused` records that one never will; players don't see it."""

blocks = Table(
    "blocks",
    players,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("player_id", BigInteger, primary_key=True, autoincrement=False),
    Column("blocked_id", BigInteger, primary_key=True, autoincrement=False),
    Column("added_at", Time, nullable=False),
)
"""The players whose letters a player doesn't take; they may live on other databases."""

letter_counts = Table(
    "letter_counts",
    players,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("player_id", BigInteger, primary_key=True, autoincrement=False),
    Column("other_id", BigInteger, primary_key=True, autoincrement=False),
    Column("rest", BigInteger, nullable=False),
    Column("arrivals", Integer, nullable=False),
    postgresql_with={"fillfactor": "80", "autovacuum_vacuum_scale_factor": "0.05"},
)
"""How often a player may send (to `other_id`, or 0 for all) or receive (-1); see storage/mail/bounds.py."""

bans = Table(
    "bans",
    players,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("player_id", BigInteger, primary_key=True, autoincrement=False),
    Column("command_id", UUID(as_uuid=False), primary_key=True),
    Column("at", Time, nullable=False),
    Column("until", Time),
    Column("said", String(200), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("banned_by", String(64), nullable=False),
    Column("ended_at", Time),
    Column("ended_by", String(64)),
    Column("settled", Boolean, nullable=False),
    Index("bans_open", "until", postgresql_where=text("not settled")),
    Index("bans_until", "until", postgresql_where=text("ended_at is null")),
)
"""Bans of players, past and present. `said` is what the player is told, `reason` is for operators. A ban is `settled`
once everything that follows from it, or from its end if it has ended, has been done (storage/accounts/bans.py)."""

payment_epochs = Table(
    "payment_epochs",
    players,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("player_id", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
)
"""Payments reserved under a lower epoch than the player's don't count; without a row it is 0."""

traced_actions = Table(
    "traced_actions",
    players,
    Column("txid", BigInteger, nullable=False),
    Column("player_id", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("context", LargeBinary, nullable=False),
    Column("at", Time, nullable=False),
    Index("traced_actions_txid", "txid"),
    prefixes=["unlogged"],
)
"""The spans of actions whose requests are traced (gameserver/tracing), for the followers; for some minutes."""


def player_of(row: Sequence[Any]) -> Player:
    """The player in a row that begins with the columns `PLAYER`, without its data."""
    return Player(*row[: len(PLAYER)])


def player_with_data_of(row: Sequence[Any]) -> Player:
    """The player in a row that begins with the columns `PLAYER` and the JSON text of its data."""
    text = row[len(PLAYER)]
    return player_of(row) if text is None else player_of(row)._replace(data=player_data.load(text))
