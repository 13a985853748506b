-- Orders to put rulebooks in force. Tables: rule_orders (control database).
-- Columns of each answer: edition, rulebook, prior, at, state, step, command_id, admin, reason, problem, ordered_at,
-- and `now`, the control database's time.

-- name: lock
-- Only one order is made at a time; reads go on.
lock table rule_orders in share row exclusive mode

-- name: open
-- What stands in the way of another order: one that isn't over.
select edition from rule_orders
where state in ('preparing', 'cancelling') or (state = 'ordered' and at > clock_timestamp())

-- name: in_force
-- The edition in force; 0 if none was published.
select coalesce(max(edition), 0) as edition from rule_orders where state = 'ordered' and at <= clock_timestamp()

-- name: insert
-- $1 rulebook, $2 the one before, $3 Unix seconds of the moment, $4 command id, $5 admin, $6 reason, $7 the least seconds
-- until the moment: no row if it is too near. It is never before that of another order that was carried out.
insert into rule_orders (rulebook, prior, at, command_id, admin, reason)
select $1::smallint, $2::smallint, to_timestamp($3::float8), $4::uuid, $5::text, $6::text
where to_timestamp($3::float8) >= clock_timestamp() + $7::float8 * interval '1 second'
returning edition

-- name: skip
-- $1 edition: the next order has a later one.
select setval(pg_get_serial_sequence('rule_orders', 'edition'), $1::bigint)

-- name: newest
-- $1 limit, $2 editions; these and the one in force are among them, however many have been cancelled since.
select edition, rulebook, prior, at, state, step, command_id::text, admin, reason, problem, ordered_at,
       clock_timestamp() as now
from rule_orders
where edition in (select edition from rule_orders order by edition desc limit $1)
   or edition = (select max(edition) from rule_orders where state = 'ordered' and at <= clock_timestamp())
   or edition = any($2::int[])
order by edition desc

-- name: find
-- $1 command id.
select edition, rulebook, prior, at, state, step, command_id::text, admin, reason, problem, ordered_at,
       clock_timestamp() as now
from rule_orders where command_id = $1::uuid

-- name: step
-- $1 edition, $2 the step it is in, $3 the next state, $4 a problem or null, $5 the least seconds that its moment must lie
-- ahead, null for any: one row if it is done, by nobody else.
update rule_orders set state = $3::text, step = step + 1, problem = coalesce($4::text, problem),
                       changed_at = clock_timestamp()
where edition = $1 and step = $2
      and ($5::float8 is null or at >= clock_timestamp() + $5::float8 * interval '1 second')
returning step

-- name: lapsed
-- $1 seconds: orders that whoever made or cancelled them has left half-way.
select edition, rulebook, prior, at, state, step, command_id::text, admin, reason, problem, ordered_at,
       clock_timestamp() as now
from rule_orders
where state in ('preparing', 'cancelling') and changed_at < clock_timestamp() - $1::float8 * interval '1 second'
