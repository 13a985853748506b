"""Once a rulebook was published, no version that knows nothing of it commits anything by rules of its own.

0.2.0, the only released one, calls `gather`, and inserts the players that it makes itself: both are refused as busy, as
`gather_with_data` is. Its players are told by `seen`, which every later version writes. What a move of slots brings was
made before, and what is void is no player.
"""

from alembic import op

revision = "players_0027"
down_revision = "players_0026"

GATHER = """
create or replace function gather(
    slots smallint[], ids bigint[],
    command_slots smallint[], command_players bigint[], commands uuid[], lowest uuid, highest uuid
) returns table (
    id bigint, name varchar, class varchar, level int, hp bigint, exp bigint, version bigint,
    created_at timestamptz, exp_reached_at timestamptz,
    session_epoch int, now timestamptz, command_id text, action varchar, args json, outcome json
)
language plpgsql volatile
as $$
#variable_conflict use_column
begin
    return query
    select g.id, g.name, g.class, g.level, g.hp, g.exp, g.version, g.created_at, g.exp_reached_at,
           g.session_epoch, g.now, g.command_id, g.action, g.args, g.outcome
    from gather_with_data(slots, ids, command_slots, command_players, commands, lowest, highest) g;
end
$$
"""
BORN = """
create function players_are_of_these_rules() returns trigger
language plpgsql
as $$
begin
    if exists (select from players_editions r where r.at <= new.created_at and r.state <> 'cancelled') then
        raise exception 'a rulebook was published, which this version knows nothing of' using errcode = '55P03';
    end if;
    return new;
end
$$
"""
TRIGGER = """
create trigger players_are_of_these_rules before insert on players
for each row when (new.seen is null and not new.void) execute function players_are_of_these_rules()
"""


def upgrade() -> None:
    for statement in (GATHER, BORN, TRIGGER):
        op.execute(statement)
