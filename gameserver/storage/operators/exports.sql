-- A line of an export of players: an expression over the columns of `p`, a subquery of players in their order.
-- Table: players. Cells and names are those of gameserver/exports.py and `COLUMNS`.

-- name: csv
-- Moments are in UTC, in milliseconds.
concat(
    p.id, ',',
    case when p.name ~ {special} or p.class ~ {special} then {guarded} else concat(p.name, ',', p.class) end, ',',
    p.level, ',', p.hp, ',', p.exp, ',', p.version, ',',
    to_char(p.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), ',',
    to_char(p.exp_reached_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), ',',
    case when p.banned then 'True' else 'False' end, ',',
    to_char(p.seen_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), E'\r\n')

-- name: special
-- A part of `csv`: what texts match that can't be cells as they are. Most can, and guarding takes as long as the rest.
E'^ *[=+@\\t\\r\\n\uff1d\uff0b\uff0d\uff20-]|[",\\r\\n]'

-- name: guarded
-- A part of `csv`: name and class. A text that begins like a formula gets an apostrophe, also behind blanks; one with a
-- comma, a quote or a line's end is quoted.
(select concat(
    case when translate(cell.name, E'",\r\n', '') = cell.name then cell.name
        else concat('"', replace(cell.name, '"', '""'), '"') end, ',',
    case when translate(cell.class, E'",\r\n', '') = cell.class then cell.class
        else concat('"', replace(cell.class, '"', '""'), '"') end)
from (select
    case when ltrim(p.name, ' ') <> '' and strpos(E'=+-@\t\r\n\uff1d\uff0b\uff0d\uff20', left(ltrim(p.name, ' '), 1)) > 0
        then concat('''', p.name) else p.name end as name,
    case when ltrim(p.class, ' ') <> '' and strpos(E'=+-@\t\r\n\uff1d\uff0b\uff0d\uff20', left(ltrim(p.class, ' '), 1)) > 0
        then concat('''', p.class) else p.class end as class
) as cell)

-- name: ndjson
concat(
    '{"id":"', p.id, '","name":', to_json(p.name), ',"class":', to_json(p.class),
    ',"level":', p.level, ',"hp":', p.hp, ',"exp":', p.exp, ',"version":', p.version,
    ',"created_at":"', to_char(p.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    '","exp_reached_at":"', to_char(p.exp_reached_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    '","banned":', case when p.banned then 'true' else 'false' end,
    ',"seen_at":"', to_char(p.seen_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), E'"}\n')
