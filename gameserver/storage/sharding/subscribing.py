"""Creates a subscription so that its source's password gets into no log of the target.

A statement that fails is logged with its text, by log_min_error_statement, and others by log_statement or
log_min_duration_statement, and the role of the nodes may not change these. `create subscription` takes its address as
text alone. So the address goes to the target as the data of a COPY, which no setting logs, into a temporary table; a
block of PL/pgSQL reads it there, and passes on errors without the statement that they came from. What remains is
pg_subscription.subconninfo, which only superusers can read; and at log_min_messages = debug1 or more talkative Postgres
itself logs the address whenever it connects.
"""

from textwrap import dedent
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import asyncpg

CREATE_SECONDS = 120.0
"""Creating a replication slot waits for every transaction that runs on the source."""
_CREATE = dedent("""
    do $$
    declare
      address text;
      message text;
      code text;
    begin
      select url into strict address from pg_temp.move_source;
      begin
        execute format(
          'create subscription %I connection %L publication %I '
          'with (create_slot = false, slot_name = %L, synchronous_commit = ''on'', streaming = off{more})',
          '{name}', address, '{name}', '{name}');
      exception when others then
        get stacked diagnostics message = message_text, code = returned_sqlstate;
        message := replace(message, address, 'the address of the source');
        raise exception using message = message, errcode = code;
      end;
    end $$
""")


async def subscribe(target: asyncpg.Connection, name: str, address: str, *, behind_standbys: bool = False) -> None:
    """Creates the subscription `name` to the publication and the existing slot of this name at `address`.

    `behind_standbys`: it gets nothing that the source's standbys don't have yet (`synchronized_standby_slots` there).
    """
    await target.execute("create temporary table if not exists move_source (url text)")
    await target.execute("truncate pg_temp.move_source")
    await target.copy_records_to_table(
        "move_source", records=[(_encoded(address),)], columns=["url"], schema_name="pg_temp"
    )
    try:
        more = ", failover = true" if behind_standbys else ""
        await target.execute(_CREATE.format(name=name, more=more), timeout=CREATE_SECONDS)
    finally:
        if not target.is_closed():
            await target.execute("drop table if exists pg_temp.move_source")


def _encoded(address: str) -> str:
    """The URL with its password percent-encoded: libpq cites what it can't decode in its error."""
    parts = urlsplit(address)
    role, _, rest = parts.netloc.rpartition("@")[0].partition(":")
    if not rest:
        return address
    hosts = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{quote(unquote(rest), safe='')}@{hosts}"))
