-- What every report asks of one database's snapshot. Tables: players, players_owned_slots.

-- name: open
-- :size how many slots the group has, :by what is ranked by and of what histogram bounds are wanted, or ''; of moments
-- these are Unix microseconds.
-- `slots` are those that the database owns; `leftovers` those that it has rows of all the same (one index probe each);
-- `bounds` values of the column with about as many rows between any two neighbours, from Postgres's last statistics.
select array(select slot from players_owned_slots where owned) as slots,
       clock_timestamp() as as_of,
       array(
           select other.slot from generate_series(0, cast(:size as int) - 1) as other(slot)
           left join players_owned_slots o on o.slot = other.slot and o.owned
           cross join lateral (select from players p where p.slot = other.slot order by p.slot, p.id limit 1) as any_of_it
           where o.slot is null
       ) as leftovers,
       array(
           select distinct bound from pg_stats s
           cross join lateral unnest(case when cast(:by as text) = 'seen_at' then array(
               select cast(extract(epoch from moment) * 1000000 as bigint)
               from unnest(coalesce(cast(cast(s.histogram_bounds as text) as timestamptz[]), '{}')
                           || coalesce(cast(cast(s.most_common_vals as text) as timestamptz[]), '{}')) as moment
           ) else coalesce(cast(cast(s.histogram_bounds as text) as bigint[]), '{}')
               || coalesce(cast(cast(s.most_common_vals as text) as bigint[]), '{}') end) as bound
           where s.schemaname = current_schema and s.tablename = 'players'
             and s.attname = case cast(:by as text) when 'seen_at' then 'seen' else :by end
           order by bound
       ) as bounds

-- name: named
-- :part and :beginning of a name, null for any: at the most which share of the names has it, by Postgres's last statistics of
-- the words that `name_parts` makes of names. It is the share of the rarest word: they go together, so a plan, which
-- multiplies their shares, expects far too few. Shorter parts are the beginnings of several words.
with asked(text) as (
    values (name_folded(cast(:part as text))), ('^' || name_folded(cast(:beginning as text)))
), words as (
    select distinct substr(text, place, 3) as word
    from asked cross join lateral generate_series(1, greatest(1, length(text) - 2)) as place where text is not null
), known as (
    select each.word, each.share from pg_stats s
    cross join lateral unnest(cast(cast(s.most_common_elems as text) as text[]), s.most_common_elem_freqs)
        as each(word, share)
    where s.schemaname = current_schema and s.tablename = 'players_name_parts' and each.word is not null
)
select min(share) as share from (
    select w.word, 1 - exp(sum(ln(greatest(1 - coalesce(k.share, 0), 1e-6)))) as share
    from words w left join known k on k.word = w.word or (length(w.word) < 3 and starts_with(k.word, w.word))
    group by w.word
) as of_words

-- name: players
-- :slots and :ids: the whole rows of these players, found one by one through the key, whatever the statistics say.
select p.*
from unnest(cast(:slots as smallint[]), cast(:ids as bigint[])) as wanted(slot, id)
cross join lateral (
    select id, name, class, level, hp, exp, version, created_at, exp_reached_at,
           cast(data as text) as data, banned,
           coalesce(seen, date_bin(interval '1 hour', exp_reached_at, timestamptz 'epoch')) as seen_at
    from players
    where slot = wanted.slot and id = wanted.id limit 1
) as p
