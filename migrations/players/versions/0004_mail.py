"""What has to take effect elsewhere (outbox), what has arrived (inbox), and how a letter leaves the outbox."""

import sqlalchemy as sa
from alembic import op

revision = "players_0004"
down_revision = "players_0003"

TIME = sa.DateTime(timezone=True)

SETTLE = """
create function settle_letters(
    slots smallint[], players bigint[], commands uuid[], numbers smallint[], kinds text[], answers json[]
) returns void
language plpgsql volatile
as $$
begin
    -- Ownership is read after the fence: each statement has a snapshot of its own.
    perform pg_advisory_xact_lock_shared(7710002);
    delete from outbox o
    using unnest(slots, players, commands, numbers, kinds, answers)
          as done(slot, player_id, command_id, number, kind, answer)
    where o.slot = done.slot and o.player_id = done.player_id and o.command_id = done.command_id
      and o.number = done.number and o.kind = done.kind and done.answer is null
      and (select w.owned from players_owned_slots w where w.slot = done.slot);
    update outbox o
    set kind = 'mail:returned', recipient = o.player_id, payload = done.answer
    from unnest(slots, players, commands, numbers, kinds, answers)
         as done(slot, player_id, command_id, number, kind, answer)
    where o.slot = done.slot and o.player_id = done.player_id and o.command_id = done.command_id
      and o.number = done.number and o.kind = done.kind and done.answer is not null
      and (select w.owned from players_owned_slots w where w.slot = done.slot);
end
$$
"""


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("player_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("command_id", sa.UUID, primary_key=True),
        sa.Column("number", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("recipient", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("at", TIME, nullable=False),
        postgresql_with={"autovacuum_vacuum_scale_factor": "0", "autovacuum_vacuum_threshold": "2000"},
    )
    op.create_index("outbox_at", "outbox", ["at"])
    op.create_table(
        "inbox",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("player_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("mail_id", sa.UUID, primary_key=True),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("sender", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("sent_at", TIME, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("refused", sa.String(64)),
    )
    op.create_index("inbox_at", "inbox", ["at"], postgresql_using="brin", postgresql_with={"pages_per_range": "16"})
    op.execute(SETTLE)
