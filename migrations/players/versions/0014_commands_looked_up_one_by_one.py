"""Commands are looked up in the ledger one by one, whatever its statistics say.

A week's partition begins empty. A plan that was made then read the whole index of the partition for each batch, more
with every row, until the next analyze: `offset 0` leaves the planner no choice.
"""

from alembic import op

revision = "players_0014"
down_revision = "players_0013"

GATHER = """
create or replace function gather_with_data(
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
    cross join lateral (
        select r.player_id, r.version, r.command_id, r.action, r.args, r.outcome
        from ledger r
        where r.slot = asked.slot and r.player_id = asked.player_id and r.command_id = asked.command_id
              and r.command_id between lowest and highest
        offset 0
    ) l;
end
$$
"""


def upgrade() -> None:
    op.execute(GATHER)
