-- The slot map, as every node reads it. Tables of the control database: slots, members, databases.

-- name: map
-- Each group with its owners, in the order of its slots. No arguments, as for all statements of this file.
select "group", array_agg(database order by slot) from slots group by "group"

-- name: members
-- The databases that may own slots of each group.
select "group", database from members order by "group", database

-- name: urls
-- Databases that joined at run time; the settings of a node may not name them.
select name, url from databases where url is not null
