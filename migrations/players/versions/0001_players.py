"""Ownership of slots, players, credentials and the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "players_0001"
down_revision = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "players_owned_slots",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("owned", sa.Boolean, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
    )
    _create_players()
    op.create_table(
        "credentials",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("player_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("password_hash", sa.String(256), nullable=False),
    )
    _create_ledger()


def _create_players() -> None:
    op.create_table(
        "players",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("class", sa.String(64), nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("hp", sa.BigInteger, nullable=False),
        sa.Column("exp", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("session_epoch", sa.Integer, nullable=False),
        sa.Column("void", sa.Boolean, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("exp_reached_at", TIME, nullable=False),
        sa.CheckConstraint("hp >= 0 and exp >= 0 and version >= 0", name="players_range"),
        postgresql_with={"fillfactor": "80"},
    )


def _create_ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("player_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("command_id", sa.UUID, primary_key=True),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("args", sa.JSON, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.JSON, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("txid", sa.BigInteger, nullable=False),
        postgresql_partition_by="RANGE (command_id)",
    )
    op.create_index(
        "ledger_txid", "ledger", ["txid"], postgresql_using="brin", postgresql_with={"pages_per_range": "16"}
    )
