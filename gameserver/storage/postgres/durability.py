"""Whether a Postgres server holds what it acknowledges: which of the settings that this takes are off, and where.

Law: `synchronous_commit` is `on` for every connection of the product, whatever the server, the database or the role say
(`own_settings.EVERYWHERE`); `fsync` and `full_page_writes` only the server can set.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

SERVER = ("fsync", "full_page_writes")
_READ = """
select current_setting('fsync') as fsync, current_setting('full_page_writes') as full_page_writes,
       current_setting('synchronous_commit') as synchronous_commit,
       current_setting('synchronous_standby_names') as standbys,
       array(select case when s.setrole = 0 then 'the database' when s.setdatabase = 0 then 'the role'
                    else 'the role in this database' end
             from pg_db_role_setting s, unnest(s.setconfig) as config
             where s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
               and s.setrole in (0, (select oid from pg_roles where rolname = current_user))
               and config in ('synchronous_commit=off', 'synchronous_commit=false', 'synchronous_commit=0')) as off_by
"""


@dataclass(frozen=True, slots=True)
class Durability:
    """`off` are settings without which acknowledged changes are lost; `overridden` says who has `synchronous_commit`
    off in vain; `waits` is whether commits wait for a standby."""

    off: Sequence[str]
    overridden: Sequence[str]
    waits: bool = False

    def fault(self, database: str) -> str | None:
        """A sentence for operators if a promise can't be kept."""
        if not self.off:
            return None
        return (
            f"database {database}: {' and '.join(self.off)} {'is' if len(self.off) == 1 else 'are'} off, so what was "
            f"acknowledged may be lost when the server or its machine stops: turn it on, or set "
            f"`[databases.{database}] allow_unsafe = true` if that is wanted"
        )

    def lonely(self, database: str) -> str | None:
        """A sentence for operators if commits wait for no standby."""
        if self.waits:
            return None
        return (
            f"database {database}: the settings want it `synchronous`, and its commits wait for no standby: set "
            "synchronous_standby_names there to the names of its standbys, or take `synchronous` out of the settings"
        )


async def read(connection: asyncpg.Connection) -> Durability:
    """What this connection's server has. The connection must have been opened by `Database.connect`."""
    row = await connection.fetchrow(_READ)
    off = [name for name in SERVER if row[name] != "on"]
    if row["synchronous_commit"] in ("off", "local"):
        # A pooler in between that drops what connections ask for.
        off.append("synchronous_commit")
    return Durability(off, row["off_by"], waits=bool(row["standbys"].strip()))
