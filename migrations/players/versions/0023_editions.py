"""Which rulebook is in force from which moment on: the switches that were ordered, in every database of players.

`gather_by_edition` says with the players it locks which one is in force at the batch's time. Nodes from before call
`gather_with_data`, and know of no switch: once there is one, this refuses them, as busy.
"""

import sqlalchemy as sa
from alembic import op

revision = "players_0023"
down_revision = "players_0022"

BY_EDITION = """
create function gather_by_edition(
    slots smallint[], ids bigint[],
    command_slots smallint[], command_players bigint[], commands uuid[], lowest uuid, highest uuid
) returns table (
    id bigint, name varchar, class varchar, level int, hp bigint, exp bigint, version bigint,
    created_at timestamptz, exp_reached_at timestamptz, data json,
    session_epoch int, now timestamptz, command_id text, action varchar, args json, outcome json,
    edition int, decided boolean)
language plpgsql volatile
as $$
#variable_conflict use_column
declare
    moment timestamptz;
begin
    -- Each statement has a snapshot of its own: ownership is read after the fence, the ledger after the locks.
    perform pg_advisory_xact_lock_shared(7710002);
    return query
    select p.id, p.name, p.class, p.level, p.hp, p.exp, p.version, p.created_at, p.exp_reached_at, p.data,
           p.session_epoch, null::timestamptz, null::text, null::varchar, null::json, null::json, null::int,
           null::boolean
    from unnest(slots, ids) as wanted(slot, id)
    join players p on p.slot = wanted.slot and p.id = wanted.id
    where not p.void and (select o.owned from players_owned_slots o where o.slot = wanted.slot)
    order by p.id
    for no key update of p skip locked;
    return query
    select l.player_id, null::varchar, null::varchar, null::int, null::bigint, null::bigint, l.version,
           null::timestamptz, null::timestamptz, null::json, null::int, null::timestamptz,
           l.command_id::text, l.action, l.args, l.outcome, null::int, null::boolean
    from unnest(command_slots, command_players, commands) as asked(slot, player_id, command_id)
    cross join lateral (
        select r.player_id, r.version, r.command_id, r.action, r.args, r.outcome
        from ledger r
        where r.slot = asked.slot and r.player_id = asked.player_id and r.command_id = asked.command_id
              and r.command_id between lowest and highest
        offset 0
    ) l;
    -- The batch's time, taken under all of its locks, and what is in force then. Switches are written under the fence.
    moment := clock_timestamp();
    return query
    select null::bigint, null::varchar, null::varchar, null::int, null::bigint, null::bigint, null::bigint,
           null::timestamptz, null::timestamptz, null::json, null::int, moment,
           null::text, null::varchar, null::json, null::json,
           coalesce(e.edition, 0), coalesce(e.state = 'ordered', true)
    from (select) as always
    left join lateral (
        select r.edition, r.state from players_editions r
        where r.at <= moment and r.state <> 'cancelled'
        order by r.edition desc limit 1
    ) e on true;
end
$$
"""
WITH_DATA = """
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
    perform pg_advisory_xact_lock_shared(7710002);
    if exists (select from players_editions r where r.at <= clock_timestamp() and r.state <> 'cancelled') then
        raise exception 'a rulebook was published, which this version knows nothing of' using errcode = '55P03';
    end if;
    return query
    select g.id, g.name, g.class, g.level, g.hp, g.exp, g.version, g.created_at, g.exp_reached_at, g.data,
           g.session_epoch, clock_timestamp(), g.command_id, g.action, g.args, g.outcome
    from gather_by_edition(slots, ids, command_slots, command_players, commands, lowest, highest) g
    where g.id is not null;
end
$$
"""


def upgrade() -> None:
    op.create_table(
        "players_editions",
        sa.Column("edition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("step", sa.SmallInteger, nullable=False),
    )
    op.execute(BY_EDITION)
    op.execute(WITH_DATA)
