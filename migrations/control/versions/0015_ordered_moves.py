"""Which command of an operator a move is part of, so that the command may be sent again."""

from alembic import op

from gameserver.storage.tables import indexes

revision = "control_0015"
down_revision = "control_0013"


def upgrade() -> None:
    op.execute("alter table moves add column if not exists command_id varchar(36)")
    op.execute("alter table moves add column if not exists part smallint")
    indexes.build("moves_of_a_command", "moves (command_id, part)", unique=True)
