"""Admin keys and the console's sessions; audit entries say what was before a change, and how it ended.

What the audit log has still only grows: how a change ended is a row of its own.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from gameserver.storage.tables import indexes

revision = "control_0008"
down_revision = "control_0007"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    indexes.build("audit_target", "audit (target, id)")
    op.create_table(
        "admin_keys",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("made_at", TIME, server_default=sa.func.clock_timestamp(), nullable=False),
        sa.Column("made_by", sa.String(64), nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("revoked_at", TIME),
        sa.Column("current", sa.Boolean, nullable=False),
        sa.Column("totp", sa.String(64)),
        sa.Column("totp_step", sa.BigInteger),
    )
    op.create_index("admin_keys_current", "admin_keys", ["name"], unique=True, postgresql_where=sa.text("current"))
    op.create_table(
        "admin_sessions",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("made_at", TIME, server_default=sa.func.clock_timestamp(), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
    )
    op.add_column("audit", sa.Column("command_id", postgresql.UUID(as_uuid=False)))
    op.add_column("audit", sa.Column("before", sa.JSON))
    op.create_table(
        "audit_ends",
        sa.Column("entry", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", TIME, server_default=sa.func.clock_timestamp(), nullable=False),
        sa.Column("ended", sa.String(64), nullable=False),
        sa.Column("after", sa.JSON),
    )
    op.execute("revoke update, delete, truncate on audit_ends from public, current_user")
    op.execute(
        "create trigger audit_is_kept before update or delete or truncate on audit_ends"
        " for each statement execute function audit_is_kept()"
    )
