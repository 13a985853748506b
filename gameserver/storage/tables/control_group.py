"""Tables of the control database: the slot map, moves of slots, seasons, admin keys and the audit log."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON, UUID

from gameserver.storage.tables.groups import Time, control, identity, lineage

control_lineage = lineage("control", control)
control_identity = identity("control", control)

slots = Table(
    "slots",
    control,
    Column("group", String(32), primary_key=True),
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("database", String(64), nullable=False),
    Column("epoch", BigInteger, nullable=False),
)

databases = Table(
    "databases",
    control,
    Column("name", String(64), primary_key=True),
    Column("url", Text),
)
"""Databases that groups may use; `url` is set for those that joined at run time."""

primaries = Table(
    "primaries",
    control,
    Column("database", String(64), primary_key=True),
    Column("system", String(20), nullable=False),
    Column("timeline", Integer, nullable=False),
)
"""The primary of each database that was seen last (see sharding/primaries.py)."""

members = Table(
    "members",
    control,
    Column("group", String(32), primary_key=True),
    Column("database", String(64), primary_key=True),
    Column("draining", Boolean, nullable=False),
)

moves = Table(
    "moves",
    control,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("group", String(32), nullable=False),
    Column("source", String(64), nullable=False),
    Column("target", String(64), nullable=False),
    Column("step", String(16), nullable=False),
    Column("turn", Integer, nullable=False),
    Column("mover", String(128), nullable=False),
    Column("lease", Time, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("servers", String(256), nullable=False),
    Column("problem", Text),
    Column("made_at", Time, server_default=func.clock_timestamp(), nullable=False),
    Column("ended_at", Time),
    Column("command_id", String(36)),
    Column("part", SmallInteger),
    Index("moves_of_a_command", "command_id", "part", unique=True),
)

move_slots = Table(
    "move_slots",
    control,
    Column("move", BigInteger, primary_key=True, autoincrement=False),
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("group", String(32), nullable=False),
    Column("step", String(16), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("pause_ms", Integer),
    Index("move_slots_open", "group", "slot", unique=True, postgresql_where=text("open")),
)

audit = Table(
    "audit",
    control,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", Time, server_default=func.clock_timestamp(), nullable=False),
    Column("admin", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("target", String(128), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("details", JSON, nullable=False),
    Column("command_id", UUID(as_uuid=False)),
    Column("before", JSON(none_as_null=True)),
    Index("audit_target", "target", "id"),
    Index("audit_command", "command_id", postgresql_where=text("command_id is not null")),
)
"""Written before each change; `before` is what it changes, as it was then."""

audit_ends = Table(
    "audit_ends",
    control,
    Column("entry", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Time, server_default=func.clock_timestamp(), nullable=False),
    Column("ended", String(64), nullable=False),
    Column("after", JSON(none_as_null=True)),
)
"""How each change of the audit log ended: `done`, or the code of its error. None: the node died, or nobody knows."""

admin_keys = Table(
    "admin_keys",
    control,
    Column("id", String(16), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("made_at", Time, server_default=func.clock_timestamp(), nullable=False),
    Column("made_by", String(64), nullable=False),
    Column("expires_at", Time),
    Column("revoked_at", Time),
    Column("current", Boolean, nullable=False),
    Column("totp", String(64)),
    Column("totp_step", BigInteger),
    Index("admin_keys_current", "name", unique=True, postgresql_where=text("current")),
)
"""Operators' keys by the SHA-256 of each; `current` is the newest of its name. `totp` is the secret of its one-time
passwords, if it needs them, and `totp_step` the half minute of the last one that was used."""

admin_sessions = Table(
    "admin_sessions",
    control,
    Column("hash", String(64), primary_key=True),
    Column("key", String(16), nullable=False),
    Column("name", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("made_at", Time, server_default=func.clock_timestamp(), nullable=False),
    Column("expires_at", Time, nullable=False),
)
"""Sessions of the console. `key` is the id of the key that opened it, empty for one of the settings; it holds as long
as that key, whose hash is the `fingerprint`."""

seasons = Table(
    "seasons",
    control,
    Column("board", String(32), primary_key=True),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("end", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("players", BigInteger),
    Column("changed_at", Time, server_default=func.clock_timestamp(), nullable=False),
    Column("definition", JSON(none_as_null=True)),
    Column("ties", String(16)),
    Column("hidden_changes", BigInteger, server_default="0", nullable=False),
)
"""Seasons that have begun, by Unix seconds. `state`: running, ended, counted, closed (see seasons/records.py).

`definition` is the board's table of game.toml as it was when the season began, `ties` how equal scores were ranked when
it was counted; null before there were these columns. `hidden_changes` counts who was hidden or shown again since.
"""

player_notes = Table(
    "player_notes",
    control,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("player_id", BigInteger, nullable=False),
    Column("at", Time, server_default=func.clock_timestamp(), nullable=False),
    Column("admin", String(64), nullable=False),
    Column("text", String(2000), nullable=False),
    Column("command_id", UUID(as_uuid=False), nullable=False, unique=True),
    Index("player_notes_player", "player_id", "id"),
)
"""What operators note of players, for each other."""

campaigns = Table(
    "campaigns",
    control,
    Column("id", UUID(as_uuid=False), primary_key=True),
    Column("admin", String(64), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("filter", JSON, nullable=False),
    Column("text", String(1000), nullable=False),
    Column("items", JSON, nullable=False),
    Column("counted", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("agreed_by", String(64)),
    Column("at", Time, server_default=func.clock_timestamp(), nullable=False),
    Column("changed_at", Time, server_default=func.clock_timestamp(), nullable=False),
    Column("slot", Integer, server_default="0", nullable=False),
    Column("after", BigInteger, server_default="0", nullable=False),
    Column("pending", ARRAY(BigInteger)),
    Column("next_slot", Integer, server_default="0", nullable=False),
    Column("next_after", BigInteger, server_default="0", nullable=False),
    Column("arrived", BigInteger, server_default="0", nullable=False),
    Column("refused", BigInteger, server_default="0", nullable=False),
    Column("postponed", ARRAY(BigInteger), server_default="{}", nullable=False),
    Index("campaigns_due", "at", postgresql_where=text("state = 'running' or pending is not null")),
    CheckConstraint("state <> 'done' or postponed = '{}'", name="campaigns_done_postpone_nothing"),
)
"""Letters to many players (see operators/campaigns.py). `id` is the command id; `counted` how many players there were.

`slot` and `after` (a player's id): up to there everyone has been written to. `pending`: the players under way; the page
of the last of them ends at `next_slot` and `next_after`. `postponed`: slots that are read later, each followed by the
player behind whom.
"""
saved_queries = Table(
    "saved_queries",
    control,
    Column("name", String(64), primary_key=True),
    Column("query", JSON, nullable=False),
    Column("admin", String(64), nullable=False),
    Column("at", Time, server_default=func.clock_timestamp(), nullable=False),
)
"""Queries of rankings that operators save for each other."""

game_names = Table(
    "game_names",
    control,
    Column("kind", String(16), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("since", Time, server_default=func.clock_timestamp(), nullable=False),
)
"""Every class, item and kind of letter of the games that nodes have served, and that players may therefore hold."""

rulebooks = Table(
    "rulebooks",
    control,
    Column("number", SmallInteger, Identity(always=True), primary_key=True),
    Column("game_hash", String(64), nullable=False),
    Column("code_hash", String(64), nullable=False),
    Column("game", Text, nullable=False),
    Column("first_used_at", Time, server_default=func.clock_timestamp(), nullable=False),
    UniqueConstraint("game_hash", "code_hash", name="rulebooks_hashes"),
)
"""Every rulebook that was played by: game.toml as JSON, its SHA-256 with sorted names, and that of the rules' code."""

rule_orders = Table(
    "rule_orders",
    control,
    Column("edition", Integer, Identity(always=True), primary_key=True),
    Column("rulebook", SmallInteger, nullable=False),
    Column("prior", SmallInteger, nullable=False),
    Column("at", Time, nullable=False),
    Column("state", String(16), server_default="preparing", nullable=False),
    Column("step", SmallInteger, server_default="1", nullable=False),
    Column("command_id", UUID(as_uuid=False), nullable=False, unique=True),
    Column("admin", String(64), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("problem", String(500)),
    Column("ordered_at", Time, server_default=func.clock_timestamp(), nullable=False),
    Column("changed_at", Time, server_default=func.clock_timestamp(), nullable=False),
)
"""Orders to put a rulebook in force from a moment on (storage/operators/rule_orders.py); `prior` is the one before."""

season_standings = Table(
    "season_standings",
    control,
    Column("board", String(32), primary_key=True),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("rank", BigInteger, nullable=False),
    Column("player_id", BigInteger, nullable=False),
    Column("score", BigInteger, nullable=False),
    Column("reached_at", Time, nullable=False),
    Column("name", String(64), nullable=False),
    Column("class", String(64), nullable=False),
    Column("level", Integer, nullable=False),
    Column("reward", JSON(none_as_null=True)),
    Column("rewarded", String(64)),
    Column("hidden", Boolean, server_default=false(), nullable=False),
    Index("season_standings_player", "player_id", "board", "start"),
    Index("season_standings_score", "board", "start", "score", "position"),
    Index("season_standings_hidden", "board", "start", "position", postgresql_where=text("hidden")),
    Index(
        "season_standings_unrewarded",
        "board",
        "start",
        "position",
        postgresql_where=text("reward is not null and rewarded is null"),
    ),
)
"""How seasons ended. `rewarded` says how a reward ended: arrived, or why not; banned players are `hidden`."""
