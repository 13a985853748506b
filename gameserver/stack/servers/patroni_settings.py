"""What Patroni is told: how it elects, what Postgres is set to, and how the roles sign in.

`shared` is the same for all members of a database, and Patroni keeps it in etcd; docs/failover.md says why it is so.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from gameserver.stack.servers.local_http import HOST
from gameserver.stack.servers.postgres import DURABLE
from gameserver.stack.servers.roles import SUPERUSER
from gameserver.stack.servers.standbys import ARCHIVE_SLOT, slot_of

REPLICATOR = "replicator"
API_USER = "gameserver"
_STOP = (
    'read -r pid < "$1/postmaster.pid" && "$0" stop -s -D "$1" -m fast -t 2 || exit; '
    'for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null || exit 0; sleep 0.05; done'
)
"""Two seconds are enough where nothing is wrong, and all by which one that must stop at once is delayed.

A Postgres that has removed its file still ends, and counts as one that runs until it is reaped.
"""
_SHARED: Mapping[str, Any] = {
    # A machine that is lost is noticed when its lease ends: 20 s is the least that Patroni takes.
    "ttl": 20,
    "loop_wait": 1,
    "retry_timeout": 5,
    # A primary that crashed isn't waited for: its standby has everything that was acknowledged.
    "primary_start_timeout": 0,
    "primary_stop_timeout": 10,
    "synchronous_mode_strict": True,
    # The standby has what was acknowledged, however much that wasn't is missing.
    "maximum_lag_on_failover": 1 << 40,
    # While all of etcd is away a primary goes on as long as every member agrees that it is the primary.
    "failsafe_mode": True,
    # Slots of subscriptions, which moves of slots make and drop, and of the archive: Patroni would drop what rests.
    "ignore_slots": [{"type": "logical", "plugin": "pgoutput"}, {"type": "physical", "name": ARCHIVE_SLOT}],
    "postgresql": {
        "use_pg_rewind": True,
        "use_slots": True,
        # A former primary goes on from the last checkpoint that its successor has, too. Recovering from its crash it
        # removes the log since then, and so does the successor when it is promoted, but for so much.
        "parameters": {**DURABLE, "max_slot_wal_keep_size": "8GB", "wal_keep_size": DURABLE["max_wal_size"]},
    },
}
# As the embedded servers have it: text order doesn't change with the machine's libraries.
_INITDB = [
    {"encoding": "UTF8"},
    {"locale": "C"},
    {"locale-provider": "builtin"},
    {"builtin-locale": "C.UTF-8"},
    {"auth": "scram-sha-256"},
]
_HBA = [f"host all all {HOST}/32 scram-sha-256", f"host replication all {HOST}/32 scram-sha-256"]


def shared(members: int, *, summarized: bool = False) -> dict[str, Any]:
    """What so many members share: one standby has every commit before it is acknowledged, with three the faster one.

    `summarized`: they note which pages change, for incremental backups.
    """
    chosen = {**_SHARED["postgresql"]["parameters"], "summarize_wal": "on" if summarized else "off"}
    postgresql = {**_SHARED["postgresql"], "parameters": chosen}
    return {**_SHARED, "postgresql": postgresql, "synchronous_mode": "quorum" if members > 2 else True}


@dataclass(frozen=True, kw_only=True)
class MemberPlace:
    """One server of a database: its name, its ports, and the folder of its account in which everything lies."""

    name: str
    database: str
    port: int
    api_port: int
    home: Path
    others: Sequence[str]
    """The names of the other servers of the database."""

    @property
    def data(self) -> Path:
        return self.home / "data"


@dataclass(frozen=True, kw_only=True)
class MemberPasswords:
    """Of the superuser, of the role that standbys replicate with, of the nodes' role, and of Patroni's REST API."""

    superuser: SecretStr
    replicator: SecretStr
    nodes: SecretStr
    api: SecretStr


def _stopping(programs: Path, data: Path) -> str:
    """What stops a primary that is to follow another one: clients at once, then until its standbys have its last log.

    Postgres waits for those that are connected. If that isn't over in time, Patroni goes on as without it.
    """
    return shlex.join(["sh", "-c", _STOP, str(programs / "pg_ctl"), str(data)])


def patroni_settings(
    place: MemberPlace, passwords: MemberPasswords, etcd: Sequence[str], programs: Path
) -> dict[str, Any]:
    """The settings of one member; `etcd` are host:port. They contain passwords."""
    return {
        "scope": place.database,
        "namespace": "/gameserver/",
        "name": place.name,
        "log": {"level": "INFO", "deduplicate_heartbeat_logs": True},
        "etcd3": {"hosts": list(etcd)},
        "restapi": {
            "listen": f"{HOST}:{place.api_port}",
            "connect_address": f"{HOST}:{place.api_port}",
            "authentication": {"username": API_USER, "password": passwords.api.get_secret_value()},
        },
        "bootstrap": {"dcs": shared(1 + len(place.others)), "initdb": _INITDB},
        "postgresql": {
            "listen": f"{HOST}:{place.port}",
            "connect_address": f"{HOST}:{place.port}",
            "data_dir": str(place.data),
            "bin_dir": str(programs),
            "pgpass": str(place.home / "pgpass"),
            "pg_hba": _HBA,
            "authentication": {
                "superuser": {"username": SUPERUSER, "password": passwords.superuser.get_secret_value()},
                "replication": {"username": REPLICATOR, "password": passwords.replicator.get_secret_value()},
            },
            # A move of slots gets nothing that the standbys don't have, so it can't stand in for one (decision 0061).
            "parameters": {
                "unix_socket_directories": "",
                "synchronized_standby_slots": ", ".join(map(slot_of, place.others)),
            },
            # Reading with a slot it would acknowledge commits before it is a standby; the member's own keeps the log.
            "basebackup": [{"checkpoint": "fast"}, "no-slot"],
            # Patroni looks once a second whether Postgres has stopped, and then waits for another (decision 0124).
            "before_stop": _stopping(programs, place.data),
            # A former primary whose data went another way than its successor's is made anew: it is a copy by then.
            "remove_data_directory_on_rewind_failure": True,
            "remove_data_directory_on_diverged_timelines": True,
        },
    }
