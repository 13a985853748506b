"""A score may be null: an operator has undone all that led to it, and the player isn't on that board."""

from alembic import op

revision = "players_0017"
down_revision = "players_0016"


def upgrade() -> None:
    op.alter_column("scores", "score", nullable=True)
