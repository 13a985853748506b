"""What a game's rules remember of a player. Nodes of before go on with `gather`, and leave the column alone."""

import sqlalchemy as sa
from alembic import op

revision = "players_0013"
down_revision = "players_0012"

GATHER = """
create function gather_with_data(
    slots smallint[], ids bigint[],
    command_slots smallint[], command_players bigint[], commands uuid[], lowest uuid, highest uuid
) returns table (
    id bigint, name varchar, class varchar, level int, hp bigint, exp bigint, version bigint,
    created_at timestamptz, exp_reached_at timestamptz, data json,
    session_epoch int, now timestamptz, command_id text, action varchar, args json, outcome json
)
language plpgsql volatile
as $$
#variable_conflict use_column
begin
    -- Each statement has a snapshot of its own: ownership is read after the fence, the ledger after the locks.
    perform pg_advisory_xact_lock_shared(7710002);
    return query
    select p.id, p.name, p.class, p.level, p.hp, p.exp, p.version, p.created_at, p.exp_reached_at, p.data,
           p.session_epoch, clock_timestamp(), null::text, null::varchar, null::json, null::json
    from unnest(slots, ids) as wanted(slot, id)
    join players p on p.slot = wanted.slot and p.id = wanted.id
    where not p.void and (select o.owned from players_owned_slots o where o.slot = wanted.slot)
    order by p.id
    for no key update of p skip locked;
    return query
    select l.player_id, null::varchar, null::varchar, null::int, null::bigint, null::bigint, l.version,
           null::timestamptz, null::timestamptz, null::json, null::int, null::timestamptz,
           l.command_id::text, l.action, l.args, l.outcome
    from unnest(command_slots, command_players, commands) as asked(slot, player_id, command_id)
    join ledger l on l.slot = asked.slot and l.player_id = asked.player_id and l.command_id = asked.command_id
    where l.command_id between lowest and highest;
end
$$
"""


def upgrade() -> None:
    op.add_column("players", sa.Column("data", sa.JSON))
    op.execute(GATHER)
