-- What a group commit with letters asks in addition to players/batch.sql. Tables: outbox, inbox, blocks, letter_counts,
-- ledger_kept.
-- Arguments are arrays of equal length, one element for each row.

-- name: arriving
-- $1 slots, $2 recipients, $3 mail ids, $4 senders, $5 when sent: for each letter whether the inbox has it, why it was
-- refused before (or null), whether the ledger has dropped what happened to its recipient since it was sent (not asked of
-- one so new that none of its weeks can be dropped), whether its recipient blocks its sender, and the count of what the
-- recipient has received. To be read under the locks.
select wanted.player_id, wanted.mail_id::text as mail_id, i.mail_id is not null as arrived, i.refused,
       wanted.sent_at < now() - interval '1 day' and exists (
           select from ledger_kept k
           where k.slot = wanted.slot and k.player_id = wanted.player_id and k.at >= wanted.sent_at
       ) as forgotten,
       b.blocked_id is not null as blocked, c.rest, c.arrivals
from unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::bigint[], $5::timestamptz[])
    as wanted(slot, player_id, mail_id, sender, sent_at)
left join inbox i on i.slot = wanted.slot and i.player_id = wanted.player_id and i.mail_id = wanted.mail_id
left join blocks b on b.slot = wanted.slot and b.player_id = wanted.player_id and b.blocked_id = wanted.sender
left join letter_counts c on c.slot = wanted.slot and c.player_id = wanted.player_id and c.other_id = -1

-- name: waiting
-- $1 slots, $2 players, $3 up to what to count: how many letters of each player wait; and rows of what it has
-- sent, whose time of rest isn't past.
select wanted.player_id, w.waiting, null::bigint as other_id, null::bigint as rest
from unnest($1::smallint[], $2::bigint[]) as wanted(slot, player_id),
     lateral (select count(*) as waiting
              from (select from outbox o
                    where o.slot = wanted.slot and o.player_id = wanted.player_id and o.number >= 0 limit $3) as these
     ) as w
union all
select c.player_id, null, c.other_id, c.rest
from unnest($1::smallint[], $2::bigint[]) as wanted(slot, player_id)
join letter_counts c on c.slot = wanted.slot and c.player_id = wanted.player_id
where c.other_id >= 0 and c.rest > extract(epoch from now()) * 1000000000

-- name: count
-- $1 slots, $2 players, $3 others, $4 times of rest, $5 arrivals.
insert into letter_counts (slot, player_id, other_id, rest, arrivals)
select * from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::int[])
on conflict (slot, player_id, other_id) do update set rest = excluded.rest, arrivals = excluded.arrivals

-- name: trim
-- $1 slots, $2 players, $3 how many letters to leave, $4 how many of them of one sender: deletes the least important
-- letters of inboxes. The server's (rewards) stay longest, then each sender's newest, the first to arrive go first.
-- They are found once, or a plan may find them anew for each row that the player has.
with gone as materialized (
    select wanted.slot, wanted.player_id, surplus.mail_id
    from unnest($1::smallint[], $2::bigint[]) as wanted(slot, player_id),
         lateral (
             select r.mail_id
             from (select l.mail_id, l.sender, l.at,
                          row_number() over (partition by l.sender order by l.at desc) as nth
                   from inbox l
                   where l.slot = wanted.slot and l.player_id = wanted.player_id and l.refused is null) as r
             order by r.sender = 0 desc, r.nth <= $4 desc, r.at desc
             offset $3
         ) as surplus
)
delete from inbox i using gone
where i.slot = gone.slot and i.player_id = gone.player_id and i.mail_id = gone.mail_id

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
