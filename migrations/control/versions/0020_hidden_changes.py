"""By which ties a season's standings were counted, and how often players were hidden on them or shown again.

Seasons that were counted before have no `ties`: those of the board's present definition are taken, as they were.
"""

import sqlalchemy as sa
from alembic import op

revision = "control_0020"
down_revision = "control_0019"


def upgrade() -> None:
    op.add_column("seasons", sa.Column("ties", sa.String(16)))
    op.add_column("seasons", sa.Column("hidden_changes", sa.BigInteger, server_default="0", nullable=False))
