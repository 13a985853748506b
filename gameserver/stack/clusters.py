"""The servers of settings that fail over: etcd, databases under Patroni, Valkey with Sentinels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gameserver.config.naming import member_name
from gameserver.config.settings import REDIS_MASTER, Settings
from gameserver.stack.errors import StackError
from gameserver.stack.processes.child import Child
from gameserver.stack.servers.etcd import EtcdPlace, EtcdServer
from gameserver.stack.servers.failover import FailoverDatabase
from gameserver.stack.servers.local_http import HOST, BasicLogin
from gameserver.stack.servers.patroni import PatroniServer
from gameserver.stack.servers.patroni_api import PatroniApi
from gameserver.stack.servers.patroni_settings import API_USER, REPLICATOR, MemberPasswords
from gameserver.stack.servers.roles import ROLE, SUPERUSER
from gameserver.stack.servers.sentinel import FILE, SentinelPlaces, SentinelServer, WatchedRedis


@dataclass(frozen=True)
class Clusters:
    """What `up` runs of them, in the order of their starts."""

    deciders: Sequence[Child]
    """Those who decide which server leads: etcd and Sentinels."""
    databases: Sequence[FailoverDatabase]
    redis: Sequence[Child]

    @property
    def members(self) -> list[PatroniServer]:
        return [member for database in self.databases for member in database.members]

    @property
    def servers(self) -> list[Child]:
        """Those about which it is decided."""
        return [*self.members, *self.redis]


def clusters(settings: Settings) -> Clusters:
    """Everything that fails over; empty where the settings name nothing of the kind."""
    databases = [failover_database(settings, name) for name, each in settings.databases.items() if each.members]
    sentinels, redis = _watched(settings)
    return Clusters([*_etcd(settings), *sentinels], databases, redis)


def failover_api(settings: Settings, name: str) -> PatroniApi:
    """Patroni's REST API of a database with members. Raises StackError for another one."""
    database = settings.databases.get(name)
    if database is None or not database.members:
        known = ", ".join(known for known, each in settings.databases.items() if each.members) or "none"
        raise StackError(f"{name!r} isn't a database with `members` in these settings; those are: {known}.")
    ports = [member.api_port for member in database.members]
    return PatroniApi(name, ports, BasicLogin(API_USER, settings.server_password(name, "patroni")))


def failover_database(settings: Settings, name: str) -> FailoverDatabase:
    """One database of several servers."""
    passwords = MemberPasswords(
        superuser=settings.server_password(name, SUPERUSER),
        replicator=settings.server_password(name, REPLICATOR),
        nodes=settings.server_password(name, ROLE),
        api=settings.server_password(name, "patroni"),
    )
    chosen = settings.databases[name].members
    names = [member_name(name, number) for number in range(1, len(chosen) + 1)]
    members = [
        PatroniServer(
            name=own,
            others=[other for other in names if other != own],
            database=name,
            data=settings.data / f"postgres-{own}",
            port=member.port,
            api_port=member.api_port,
            passwords=passwords,
            etcd=[f"{HOST}:{place.port}" for place in _etcd_places(settings)],
            log=_log(settings, f"postgres-{own}"),
        )
        for own, member in zip(names, chosen, strict=True)
    ]
    summarized = settings.backups is not None and settings.backups.incremental
    return FailoverDatabase(name, members, passwords, failover_api(settings, name), summarized=summarized)


def _etcd_places(settings: Settings) -> list[EtcdPlace]:
    members = settings.etcd.members if settings.etcd is not None else ()
    return [EtcdPlace(f"etcd-{number}", each.port, each.peer_port) for number, each in enumerate(members, 1)]


def _etcd(settings: Settings) -> list[Child]:
    places = _etcd_places(settings)
    return [
        EtcdServer(
            name=place.name,
            data=settings.data / place.name,
            place=place,
            members=places,
            log=_log(settings, place.name),
        )
        for place in places
    ]


def _watched(settings: Settings) -> tuple[list[Child], list[Child]]:
    """The Sentinels, and the servers that they watch."""
    section = settings.redis.sentinels
    if section is None:
        return [], []
    names = [f"sentinel-{number}" for number, _ in enumerate(section.ports, 1)]
    files = [settings.data / name / FILE for name in names]
    places = SentinelPlaces(REDIS_MASTER, section.ports, settings.server_password("redis", "sentinel"), files)
    password, first = settings.server_password("redis", "default"), section.servers[0]
    sentinels: list[Child] = [
        SentinelServer(
            name=own,
            data=settings.data / own,
            port=port,
            first_master=first,
            master_password=password,
            sentinels=places,
            log=_log(settings, own),
        )
        for own, port in zip(names, section.ports, strict=True)
    ]
    servers: list[Child] = [
        WatchedRedis(
            name=(own := f"redis-{number}"),
            data=settings.data / own,
            port=port,
            password=password,
            first_master=first,
            sentinels=places,
            log=_log(settings, own),
        )
        for number, port in enumerate(section.servers, 1)
    ]
    return sentinels, servers


def _log(settings: Settings, name: str) -> Path:
    return settings.data / "log" / f"{name}.log"
