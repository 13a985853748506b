"""The tables of each group and of the control database.

Several groups may share a Postgres database, so each has an ownership table of its own.
Primary keys begin with the slot: a move of slots filters by it. No index on hp, exp or level: it would break
HOT updates (measured: 77,600 to 37,000 updates/s). One on what never changes, such as created_at, doesn't.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, UUID

control = MetaData()
accounts = MetaData()
players = MetaData()
items = MetaData()
METADATA = {"control": control, "accounts": accounts, "players": players, "items": items}

Time = DateTime(timezone=True)


TXID = text("pg_current_xact_id()::text::bigint")


def _owned_slots(group: str, metadata: MetaData) -> Table:
    """The slots that this database may write; rows are never deleted and epochs only rise.

    `txid` is the transaction that changed it last, by which followers see what was granted.
    """
    return Table(
        f"{group}_owned_slots",
        metadata,
        Column("slot", SmallInteger, primary_key=True, autoincrement=False),
        Column("owned", Boolean, nullable=False),
        Column("epoch", BigInteger, nullable=False),
        Column("txid", BigInteger, nullable=False, server_default=TXID),
    )


def _marks(group: str, metadata: MetaData) -> Table:
    """Written on a move's source with the change of ownership; whoever sees one on the target sees all before it."""
    return Table(
        f"{group}_marks",
        metadata,
        Column("slot", SmallInteger, primary_key=True, autoincrement=False),
        Column("move", BigInteger, primary_key=True, autoincrement=False),
        Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    )


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
"""Those that a group may use; `url` of one that the settings don't name."""

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
)

seasons = Table(
    "seasons",
    control,
    Column("board", String(32), primary_key=True),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("end", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("players", BigInteger),
    Column("changed_at", Time, server_default=func.clock_timestamp(), nullable=False),
)
"""Seasons that have begun, by Unix seconds. `state`: running, ended, counted, closed (see season_book.py)."""

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
"""How seasons ended. `rewarded` says what became of a reward; who is banned is `hidden`."""

accounts_owned_slots = _owned_slots("accounts", accounts)
accounts_marks = _marks("accounts", accounts)

claims = Table(
    "claims",
    accounts,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("kind", String(16), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("player_id", BigInteger, nullable=False),
    Column("command_id", UUID(as_uuid=False), nullable=False),
    Column("confirmed", Boolean, nullable=False),
    Column("deadline", Time, nullable=False),
    Index("claims_unconfirmed", "deadline", postgresql_where=text("not confirmed")),
)

players_owned_slots = _owned_slots("players", players)
players_marks = _marks("players", players)

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
    CheckConstraint("hp >= 0 and exp >= 0 and version >= 0", name="players_range"),
    Index("players_created_at", "created_at"),
    postgresql_with={"fillfactor": "80"},
)

"""Who is `void` is nobody: an id that no sign-up can have any more or, if `deleted`, a player who was."""

PLAYER = [
    player_rows.c[name]
    for name in ("id", "name", "class", "level", "hp", "exp", "version", "created_at", "exp_reached_at")
]
"""A player's columns in the order of the fields of `rules.player.Player`."""

credentials = Table(
    "credentials",
    players,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("player_id", BigInteger, primary_key=True, autoincrement=False),
    Column("password_hash", String(256), nullable=False),
)

friends = Table(
    "friends",
    players,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("player_id", BigInteger, primary_key=True, autoincrement=False),
    Column("friend_id", BigInteger, primary_key=True, autoincrement=False),
    Column("added_at", Time, nullable=False),
)
"""Whom a player has added; nothing is said of the other one, who may lie on another database."""

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
    Index("ledger_txid", "txid", postgresql_using="brin", postgresql_with={"pages_per_range": "16"}),
    postgresql_partition_by="RANGE (command_id)",
)

scores = Table(
    "scores",
    players,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("player_id", BigInteger, primary_key=True, autoincrement=False),
    Column("board", String(32), primary_key=True),
    Column("season", BigInteger, primary_key=True, autoincrement=False),
    Column("score", BigInteger, nullable=False),
    Column("reached_at", Time, nullable=False),
    Column("version", BigInteger, nullable=False),
    postgresql_with={"fillfactor": "80"},
)
"""What players scored on boards whose scores are kept; `version` is the player's after it, `season` 0 for all time."""

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
    postgresql_with={"autovacuum_vacuum_scale_factor": "0", "autovacuum_vacuum_threshold": "2000"},
)
"""What has to take effect elsewhere, written with the command that it comes from and deleted when it has."""

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
    Index("inbox_at", "at", postgresql_using="brin", postgresql_with={"pages_per_range": "16"}),
)
"""Letters that have arrived. One with a reason in `refused` has not, and never will: players don't see it."""
payment_epochs = Table(
    "payment_epochs",
    players,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("player_id", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
)
"""Payments reserved under a lower epoch than the player's don't count; without a row it is 0."""

items_owned_slots = _owned_slots("items", items)
items_marks = _marks("items", items)

stacks = Table(
    "stacks",
    items,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("player_id", BigInteger, primary_key=True, autoincrement=False),
    Column("item", String(32), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("lost", BigInteger, nullable=False),
    CheckConstraint("count >= 0 and lost >= 0", name="stacks_range"),
    postgresql_with={"fillfactor": "80"},
)
"""A player's items; `lost` is what was granted to him when the stack was full."""

item_ledger = Table(
    "item_ledger",
    items,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("player_id", BigInteger, primary_key=True, autoincrement=False),
    Column("command_id", UUID(as_uuid=False), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("items", JSON, nullable=False),
    Column("token", UUID(as_uuid=False), nullable=True),
    Column("settled", Boolean, nullable=False),
    Column("at", Time, nullable=False),
    Index("item_ledger_open", "slot", "player_id", "at", postgresql_where=text("not settled")),
    Index("item_ledger_at", "at", postgresql_using="brin", postgresql_with={"pages_per_range": "16"}),
)
"""What commands of players on another database took ('take', open until it is settled) and granted ('grant')."""
