"""The audit log by command id: each command of an operator looks for itself there, before it is carried out."""

from gameserver.storage.tables import indexes

revision = "control_0018"
down_revision = "control_0017"


def upgrade() -> None:
    indexes.build("audit_command", "audit (command_id) where command_id is not null")
