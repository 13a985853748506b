"""Ownership of slots, stacks of items, what was reserved and granted, and the steps of both as functions.

A function is one round trip, and each of its statements has a snapshot of its own: ownership is read after the fence.
"""

import sqlalchemy as sa
from alembic import op

from gameserver.storage.tables.movable import make_movable

revision = "items_0001"
down_revision = None

CHANGE = """
-- Adds the deltas, at most one of each stack, up to the caps; returns the slots that aren't owned here, where nothing
-- changed. A stack above a cap that was lowered gains nothing, and loses nothing but what is taken.
create function change_stacks(
    slots smallint[], ids bigint[], items text[], deltas bigint[], losses bigint[], caps bigint[]
) returns setof smallint
language plpgsql volatile as $$
#variable_conflict use_column
begin
    perform pg_advisory_xact_lock_shared(7710003);
    insert into stacks (slot, player_id, item, count, lost)
    select c.slot, c.id, c.item, 0, 0
    from unnest(slots, ids, items) as c(slot, id, item)
    where (select o.owned from items_owned_slots o where o.slot = c.slot)
    order by c.slot, c.id, c.item
    on conflict do nothing;
    update stacks s
    set count = greatest(least(s.count + c.delta, c.cap), least(s.count, s.count + c.delta)),
        lost = least(s.lost + c.loss + greatest(s.count + c.delta - greatest(s.count, c.cap), 0), 9007199254740991)
    from unnest(slots, ids, items, deltas, losses, caps) as c(slot, id, item, delta, loss, cap)
    where s.slot = c.slot and s.player_id = c.id and s.item = c.item
      and (select o.owned from items_owned_slots o where o.slot = c.slot);
    return query
    select distinct c.slot from unnest(slots) as c(slot)
    where not coalesce((select o.owned from items_owned_slots o where o.slot = c.slot), false);
end
$$
"""

LOCK = """
-- The slots that are owned here, as rows without a player, and the stacks that there are, locked.
create function lock_stacks(slots smallint[], ids bigint[], items text[])
returns table (slot smallint, player_id bigint, item varchar, count bigint)
language plpgsql volatile as $$
#variable_conflict use_column
begin
    perform pg_advisory_xact_lock_shared(7710003);
    return query
    select o.slot, null::bigint, null::varchar, null::bigint
    from items_owned_slots o where o.slot = any(slots) and o.owned;
    return query
    select s.slot, s.player_id, s.item, s.count
    from unnest(slots, ids, items) as wanted(slot, id, item)
    join stacks s on s.slot = wanted.slot and s.player_id = wanted.id and s.item = wanted.item
    where (select o.owned from items_owned_slots o where o.slot = wanted.slot)
    order by s.slot, s.player_id, s.item
    for no key update of s;
end
$$
"""

RESERVE = """
-- Takes items for commands, each by itself, in the order asked: 'done', 'short' (nothing changed), 'rival' (the command
-- has a row already), 'moved'. Players are locked in the order of their ids.
create function reserve_items(slots smallint[], ids bigint[], commands uuid[], tokens uuid[], wanted json[])
returns table (number bigint, what text)
language plpgsql volatile as $$
#variable_conflict use_column
declare asked record;
begin
    perform pg_advisory_xact_lock_shared(7710003);
    for asked in
        select a.*, coalesce(o.owned, false) as owned
        from unnest(slots, ids, commands, tokens, wanted) with ordinality
             as a(slot, id, command_id, token, items, number)
        left join items_owned_slots o on o.slot = a.slot
        order by a.slot, a.id, a.number
    loop
        number := asked.number;
        what := case when asked.owned then reserve_for(asked.slot, asked.id, asked.command_id, asked.token, asked.items)
                     else 'moved' end;
        return next;
    end loop;
end
$$
"""

RESERVE_FOR = """
-- Takes items for one command, under the fence and where the slot is owned.
create function reserve_for(at_slot smallint, of_player bigint, by_command uuid, by_token uuid, wanted json)
returns text
language plpgsql volatile as $$
#variable_conflict use_column
begin
    insert into item_ledger (slot, player_id, command_id, kind, items, token, settled, at)
    values (at_slot, of_player, by_command, 'take', wanted, by_token, false, clock_timestamp())
    on conflict do nothing;
    if not found then return 'rival'; end if;
    perform 1 from stacks s, json_each_text(wanted) as w
    where s.slot = at_slot and s.player_id = of_player and s.item = w.key
    order by s.item for no key update of s;
    if exists (
        select 1 from json_each_text(wanted) as w
        left join stacks s on s.slot = at_slot and s.player_id = of_player and s.item = w.key
        where coalesce(s.count, 0) < w.value::bigint
    ) then
        delete from item_ledger l
        where l.slot = at_slot and l.player_id = of_player and l.command_id = by_command and l.kind = 'take';
        return 'short';
    end if;
    update stacks s set count = s.count - w.value::bigint
    from json_each_text(wanted) as w
    where s.slot = at_slot and s.player_id = of_player and s.item = w.key;
    return 'done';
end
$$
"""

GIVE_BACK = """
-- Undoes a reservation, whatever max_stack says now, unless it was settled or given back before: 'done', 'moved'.
create function give_back_items(at_slot smallint, of_player bigint, by_command uuid, by_token uuid)
returns text language plpgsql volatile as $$
#variable_conflict use_column
declare gone json;
begin
    perform pg_advisory_xact_lock_shared(7710003);
    if not coalesce((select o.owned from items_owned_slots o where o.slot = at_slot), false) then
        return 'moved';
    end if;
    delete from item_ledger l
    where l.slot = at_slot and l.player_id = of_player and l.command_id = by_command and l.kind = 'take'
      and l.token = by_token and not l.settled
    returning l.items into gone;
    if found then
        update stacks s set count = s.count + w.value::bigint
        from json_each_text(gone) as w
        where s.slot = at_slot and s.player_id = of_player and s.item = w.key;
    end if;
    return 'done';
end
$$
"""

CONFIRM = """
-- Settles reservations whose commands have committed; those of slots that aren't owned here wait for the sweeper.
create function confirm_items(slots smallint[], ids bigint[], commands uuid[], tokens uuid[]) returns void
language plpgsql volatile as $$
#variable_conflict use_column
begin
    perform pg_advisory_xact_lock_shared(7710003);
    update item_ledger l set settled = true
    from unnest(slots, ids, commands, tokens) as c(slot, id, command_id, token)
    where l.slot = c.slot and l.player_id = c.id and l.command_id = c.command_id and l.kind = 'take'
      and l.token = c.token and (select o.owned from items_owned_slots o where o.slot = c.slot);
end
$$
"""

GRANT = """
-- Gives what commands granted, each once, up to the caps of the named items; returns the slots that aren't owned here,
-- whose players got nothing.
create function grant_items(
    slots smallint[], ids bigint[], commands uuid[], grants json[], names text[], caps bigint[]
) returns setof smallint
language plpgsql volatile as $$
#variable_conflict use_column
declare
    to_slots smallint[]; to_ids bigint[]; to_items text[]; sums bigint[]; tops bigint[];
begin
    perform pg_advisory_xact_lock_shared(7710003);
    with fresh as (
        insert into item_ledger (slot, player_id, command_id, kind, items, token, settled, at)
        select g.slot, g.id, g.command_id, 'grant', g.items, null, true, clock_timestamp()
        from unnest(slots, ids, commands, grants) as g(slot, id, command_id, items)
        where (select o.owned from items_owned_slots o where o.slot = g.slot)
        order by g.slot, g.id, g.command_id
        on conflict do nothing
        returning slot, player_id, items
    ), summed as (
        select f.slot, f.player_id, e.key as item, sum(e.value::bigint)::bigint as count
        from fresh f, json_each_text(f.items) as e
        group by f.slot, f.player_id, e.key
    )
    select array_agg(s.slot), array_agg(s.player_id), array_agg(s.item), array_agg(s.count),
           array_agg(coalesce(c.cap, 9007199254740991))
    into to_slots, to_ids, to_items, sums, tops
    from summed s left join unnest(names, caps) as c(item, cap) on c.item = s.item;
    if to_slots is not null then
        perform 1 from unnest(to_slots, to_ids, to_items) as w(slot, id, item)
        join stacks s on s.slot = w.slot and s.player_id = w.id and s.item = w.item
        order by s.slot, s.player_id, s.item for no key update of s;
        perform change_stacks(to_slots, to_ids, to_items, sums, array_fill(0::bigint, array[cardinality(sums)]), tops);
    end if;
    return query
    select distinct g.slot from unnest(slots) as g(slot)
    where not coalesce((select o.owned from items_owned_slots o where o.slot = g.slot), false);
end
$$
"""


def upgrade() -> None:
    op.create_table(
        "items_owned_slots",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("owned", sa.Boolean, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "stacks",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("player_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("item", sa.String(32), primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("lost", sa.BigInteger, nullable=False),
        sa.CheckConstraint("count >= 0 and lost >= 0", name="stacks_range"),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_table(
        "item_ledger",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("player_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("command_id", sa.UUID, primary_key=True),
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("items", sa.JSON, nullable=False),
        sa.Column("token", sa.UUID, nullable=True),
        sa.Column("settled", sa.Boolean, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    make_movable("items")
    op.create_index(
        "item_ledger_open", "item_ledger", ["slot", "player_id", "at"], postgresql_where=sa.text("not settled")
    )
    op.create_index("item_ledger_at", "item_ledger", ["at"], postgresql_using="brin",
                    postgresql_with={"pages_per_range": "16"})  # fmt: skip
    for function in (CHANGE, LOCK, RESERVE_FOR, RESERVE, GIVE_BACK, CONFIRM, GRANT):
        op.execute(function)
