-- Operators' keys, and sessions of the console. Tables: admin_keys, admin_sessions.

-- name: known
-- Every key that opens the door now: id, name, role, hash, and the secret of its one-time passwords.
select id, name, role, hash, totp from admin_keys
where revoked_at is null and (expires_at is null or expires_at > clock_timestamp())

-- name: without_codes
-- $1 roles: the keys of one of them that hold without one-time passwords, each name once: name, role.
select distinct name, role from admin_keys
where revoked_at is null and (expires_at is null or expires_at > clock_timestamp()) and totp is null and role = any($1)
order by name

-- name: sessions
-- Every session that hasn't ended; the key it was opened with is looked up each time.
select hash, key, name, fingerprint, expires_at from admin_sessions where expires_at > clock_timestamp()

-- name: alone
-- $1 the lock: nobody else changes keys until this transaction ends.
select pg_advisory_xact_lock($1)

-- name: made
-- $1 the id of a key, $2 a name: whether the id is taken, whether the name is, and how many keys are current.
select coalesce(bool_or(id = $1), false) as id, coalesce(bool_or(name = $2 and current), false) as name,
    count(*) filter (where current) as count
from admin_keys

-- name: make
-- $1 id, $2 name, $3 role, $4 hash, $5 who makes it, $6 days until it expires or null, $7 the secret of
-- its one-time passwords or null.
insert into admin_keys (id, name, role, hash, made_by, expires_at, current, totp)
values ($1, $2, $3, $4, $5, clock_timestamp() + make_interval(days => $6::int), true, $7)
returning id, name, role, made_at, made_by, expires_at, 'holds' as state, totp is not null

-- name: rotate
-- $1 the new id, $2 name, $3 the new hash, $4 who does it, $5 seconds for which the old key goes on. No row if none is.
-- A key that was to expire keeps its whole length of life; its one-time passwords stay those of the app.
with old as (
    update admin_keys
    set current = false,
        expires_at = least(coalesce(expires_at, 'infinity'), clock_timestamp() + make_interval(secs => $5::float8))
    where name = $2 and current
    returning role, totp, totp_step, (select k.expires_at - k.made_at from admin_keys k where k.id = admin_keys.id) as life
)
insert into admin_keys (id, name, role, hash, made_by, expires_at, current, totp, totp_step)
select $1, $2, role, $3, $4, clock_timestamp() + life, true, totp, totp_step from old
returning id, name, role, made_at, made_by, expires_at, 'holds' as state, totp is not null

-- name: last
-- $1 name, $2 whether only keys with one-time passwords count: a row if it is the only one with an operator's key that
-- holds.
select 1 as last from admin_keys
where role = 'operator' and current and (expires_at is null or expires_at > clock_timestamp())
    and (totp is not null or not $2)
having bool_and(name = $1)

-- name: revoke
-- $1 name: ends all of its keys at once.
update admin_keys set revoked_at = clock_timestamp(), current = false where name = $1 and revoked_at is null
returning id

-- name: named
-- $1 name: a row if a key has, or had, the name.
select 1 from admin_keys where name = $1 limit 1

-- name: listed
-- $1 how many keys: those that are current, and the newest of the others. The last column: when it last opened a session
-- of the console, of those that aren't forgotten yet.
select id, name, role, made_at, made_by, expires_at,
    case when revoked_at is not null then 'revoked' when not current then 'rotated_out'
        when expires_at <= clock_timestamp() then 'expired' else 'holds' end as state,
    totp is not null, (select max(s.made_at) from admin_sessions s where s.key = newest.id)
from (select * from admin_keys order by current desc, made_at desc, id limit $1) as newest
order by name, made_at, id

-- name: spend
-- $1 the key's id, $2 the half minute of a one-time password. No row if it, or a later one, has been used: with this key,
-- or with another one that has its secret, as those of before and after a rotation do.
with same as (select k.id, k.totp_step from admin_keys k join admin_keys this on this.totp = k.totp where this.id = $1)
update admin_keys set totp_step = $2
where id in (select id from same) and not exists (select from same where totp_step >= $2)
returning id

-- name: open
-- $1 hash, $2 the key's id or '', $3 name, $4 the key's hash, $5 seconds. Sessions that have ended are forgotten.
with forgotten as (delete from admin_sessions where expires_at < clock_timestamp())
insert into admin_sessions (hash, key, name, fingerprint, expires_at)
values ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5::float8))
returning expires_at

-- name: close
-- $1 hash
delete from admin_sessions where hash = $1 returning hash
