"""When a player was last seen: the beginning of the hour; null until a node of this version sees it."""

import sqlalchemy as sa
from alembic import op

revision = "players_0021"
down_revision = "players_0020"


def upgrade() -> None:
    op.add_column("players", sa.Column("seen", sa.DateTime(timezone=True)))
