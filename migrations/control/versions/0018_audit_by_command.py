"""The audit log by command id: each command of an operator looks for itself there, before it is carried out."""

import sqlalchemy as sa
from alembic import op

revision = "control_0018"
down_revision = "control_0017"


def upgrade() -> None:
    op.create_index("audit_command", "audit", ["command_id"], postgresql_where=sa.text("command_id is not null"))
