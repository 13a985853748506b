-- What sign-ins look up, for many at once. Tables: claims, accounts_owned_slots; players, players_owned_slots, devices, bans,
-- credentials, ledger, ledger_kept. Arguments are arrays of equal length, one element for each question.

-- name: claims
-- $1 slots, $2 kinds, $3 keys: a row for each; its columns of `claims` are null if the key is free here.
select coalesce(o.owned, false) as owned, n.kind, n.key, c.player_id, c.command_id::text, c.confirmed, c.deadline,
       not c.confirmed and c.deadline < now() as overdue
from unnest($1::smallint[], $2::text[], $3::text[]) as n(slot, kind, key)
left join accounts_owned_slots o on o.slot = n.slot
left join claims c on c.slot = n.slot and c.kind = n.kind and c.key = n.key

-- name: entrants
-- $1 slots, $2 player ids, $3 hashes of devices or '', $4 and $5 the range of command ids that holds the player's sign-up:
-- a row for each; its columns of `players` are null if no such player exists here.
-- The device of the sign-up is in its ledger row, unless `devices` has it as removed (player_keys.py).
select p.id, p.name, p.class, p.level, p.hp, p.exp, p.version, p.created_at, p.exp_reached_at,
       coalesce(o.owned, false) as owned, n.id as wanted_id, n.device, p.session_epoch, p.banned, s.password_hash, b.until,
       coalesce(b.said, '') as said,
       case
         when n.device = '' or p.id is null then false
         when d.key is not null then not d.removed
         else exists (
                select from ledger l
                where l.slot = n.slot and l.player_id = n.id and l.command_id >= n.low and l.command_id < n.high
                      and l.action = 'sign_up' and (l.outcome -> 'keys')::jsonb ? ('device:' || n.device)
              ) or exists (
                select from ledger_kept l
                where l.slot = n.slot and l.player_id = n.id and l.command_id >= n.low and l.command_id < n.high
                      and l.action = 'sign_up' and (l.outcome -> 'keys')::jsonb ? ('device:' || n.device)
              )
       end as has_device
from unnest($1::smallint[], $2::bigint[], $3::text[], $4::uuid[], $5::uuid[]) as n(slot, id, device, low, high)
left join players_owned_slots o on o.slot = n.slot
left join players p on p.slot = n.slot and p.id = n.id and not p.void
left join devices d on d.slot = n.slot and d.player_id = n.id and d.key = n.device
left join bans b on p.banned and b.slot = n.slot and b.player_id = n.id and b.ended_at is null
left join credentials s on s.slot = n.slot and s.player_id = n.id
