-- What a group commit with letters asks in addition to players/batch.sql. Tables: outbox, inbox.
-- Arguments are arrays of equal length, one element for each row.

-- name: refused
-- $1 slots, $2 recipients, $3 mail ids: the letters that were refused before, and why. To be read under the locks.
select i.player_id, i.mail_id::text as mail_id, i.refused
from unnest($1::smallint[], $2::bigint[], $3::uuid[]) as wanted(slot, player_id, mail_id)
join inbox i on i.slot = wanted.slot and i.player_id = wanted.player_id and i.mail_id = wanted.mail_id
where i.refused is not null

-- name: waiting
-- $1 slots, $2 players, $3 up to what to count: how many letters of each player wait.
select wanted.player_id, w.waiting
from unnest($1::smallint[], $2::bigint[]) as wanted(slot, player_id),
     lateral (select count(*) as waiting
              from (select from outbox o
                    where o.slot = wanted.slot and o.player_id = wanted.player_id and o.number >= 0 limit $3) as these
     ) as w

-- name: post
-- $1 slots, $2 senders, $3 command ids, $4 numbers, $5 kinds, $6 recipients, $7 payloads.
insert into outbox (slot, player_id, command_id, number, kind, recipient, payload, at)
select e.*, clock_timestamp()
from unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::smallint[], $5::text[], $6::bigint[], $7::json[]) as e

-- name: arrive
-- $1 slots, $2 recipients, $3 mail ids, $4 kinds, $5 senders, $6 payloads, $7 when sent, $8 why refused (or null).
insert into inbox (slot, player_id, mail_id, kind, sender, payload, sent_at, refused, at)
select e.*, clock_timestamp()
from unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::text[], $5::bigint[], $6::json[], $7::timestamptz[],
            $8::text[]) as e
