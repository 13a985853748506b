"""Players are found by parts of their names: an index of these, which play doesn't change.

Every three characters that follow each other are one word of a `tsvector`; the first two stand behind a `^`, which no
name has, and the last ones are shorter words. So a part is found by its own threes or, if it is shorter, as the
beginning of a word; a beginning of names by the word with the `^`. An update that leaves the name alone stays HOT.

The index waits for no play, and play for no index: it is built `concurrently`. Names themselves leave the statistics,
where those of erased players would stay until the next `analyze`.
"""

import sqlalchemy as sa
from alembic import op

from gameserver.storage.tables import indexes

revision = "players_0020"
down_revision = "players_0019"

FOLDED = """
create or replace function name_folded(name text) returns text
language sql immutable strict parallel safe cost 4
as $$ select translate(lower(normalize(name, nfkc){collation}), 'ς', 'σ') $$
"""
"""A name as it is searched: without regard to case, width and the two forms of the letter sigma."""

PARTS = """
create or replace function name_parts(name text) returns tsvector
language plpgsql immutable strict parallel safe cost 10
as $$
declare
    folded text := '^' || public.name_folded(name);
    parts text[];
begin
    for i in 1..length(folded) loop
        parts[i] := substr(folded, i, 3);
    end loop;
    return array_to_tsvector(parts);
end
$$
"""

QUERY = r"""
create or replace function name_query(part text, is_beginning boolean) returns tsquery
language plpgsql immutable strict parallel safe
as $$
declare
    folded text := case when is_beginning then '^' else '' end || public.name_folded(part);
    word text;
    words text[];
begin
    for i in 1..greatest(1, length(folded) - 2) loop
        word := replace(replace(substr(folded, i, 3), '\', '\\'), '''', '''''');
        words[i] := '''' || word || case when length(folded) < 3 then ''':*' else '''' end;
    end loop;
    return array_to_string(words, ' & ')::tsquery;
end
$$
"""
"""What every name with this part has; some without it have it, too, if their threes are in another order."""

COLLATIONS = """
select collname from pg_collation where collname in ('pg_c_utf8', 'und-x-icu')
order by collname = 'pg_c_utf8' desc limit 1
"""
"""Postgres 17 has the first one; the second one depends on how a server was built. Else it is the database's."""


def functions(collation: str | None) -> tuple[str, ...]:
    """What the index and its searches need."""
    folded = FOLDED.format(collation="" if collation is None else f' collate pg_catalog."{collation}"')
    return folded, PARTS, QUERY


def upgrade() -> None:
    # An index of an upgrade that was cut off is in the way of what follows.
    indexes.drop("players_name_parts")
    for statement in functions(op.get_bind().execute(sa.text(COLLATIONS)).scalar()):
        op.execute(statement)
    # The same type again: it drops the statistics that there are.
    op.execute("alter table players alter column name set statistics 0, alter column name type varchar(64)")
    options = "fastupdate = on, gin_pending_list_limit = 1024"
    indexes.build("players_name_parts", f"players using gin (name_parts(name)) with ({options})")
