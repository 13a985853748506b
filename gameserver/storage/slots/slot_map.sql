-- The slot map, as every node asks for it. Tables of the control database: slots, members, databases.

-- name: map
-- Each group's owners in the order of its slots, without gaps.
select "group", array_agg(database order by slot) from slots group by "group"

-- name: members
select "group", database from members order by "group", database

-- name: urls
-- Databases that joined at run time and that the settings may not name.
select name, url from databases where url is not null
