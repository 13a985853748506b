"""Slots that a campaign comes back to, since their database didn't answer.

The constraint keeps nodes of the previous version, which don't know the column, from finishing such a campaign.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "control_0019"
down_revision = "control_0018"


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("postponed", ARRAY(sa.BigInteger), server_default="{}", nullable=False))
    op.create_check_constraint("campaigns_done_postpone_nothing", "campaigns", "state <> 'done' or postponed = '{}'")
