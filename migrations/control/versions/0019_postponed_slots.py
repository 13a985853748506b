"""Slots and players that a campaign comes back to, since their database didn't answer.

The trigger keeps nodes of the previous version, which don't know these columns, from finishing such a campaign: their
update finds no row.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "control_0019"
down_revision = "control_0018"


def upgrade() -> None:
    for name in ("postponed", "owed"):
        op.add_column("campaigns", sa.Column(name, ARRAY(sa.BigInteger), server_default="{}", nullable=False))
    op.execute("create function campaign_isnt_over() returns trigger language plpgsql as 'begin return null; end'")
    op.execute(
        "create trigger campaign_isnt_over before update on campaigns for each row"
        " when (new.state = 'done' and (new.postponed <> '{}' or new.owed <> '{}'))"
        " execute function campaign_isnt_over()"
    )
