"""`gameserver up`: runs the embedded servers, the nodes and the HAProxy that the settings name."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

from gameserver.config.naming import replica_name
from gameserver.config.ports import address, joined
from gameserver.config.servers import DatabaseSettings
from gameserver.config.settings import Settings
from gameserver.stack.announcing import announced
from gameserver.stack.backups.receiver import WalReceiver
from gameserver.stack.clusters import clusters
from gameserver.stack.errors import StackError
from gameserver.stack.fleet.front import Front, stop_seconds
from gameserver.stack.fleet.overview import described, overview
from gameserver.stack.processes import orphans, process_table
from gameserver.stack.processes.account import for_servers
from gameserver.stack.processes.child import Child
from gameserver.stack.processes.supervisor import Supervisor
from gameserver.stack.servers.haproxy_config import place_name
from gameserver.stack.servers.node import NodeProcess
from gameserver.stack.servers.postgres import PostgresServer
from gameserver.stack.servers.redis import RedisServer
from gameserver.stack.servers.replica import PostgresReplica
from gameserver.stack.servers.roles import ROLE, SUPERUSER
from gameserver.stack.servers.watchdog import watched
from gameserver.terminal import on_the_way, plain_console, show, show_json


def servers(settings: Settings) -> list[Child]:
    """The embedded Postgres instances and Redis."""
    data = settings.data
    children: list[Child] = [
        PostgresServer(
            name=name,
            data=data / f"postgres-{name}",
            port=database.embedded.port,
            password=settings.server_password(name, ROLE),
            superuser_password=settings.server_password(name, SUPERUSER),
            former_password=settings.server_secret(),
            log=data / "log" / f"postgres-{name}.log",
            standbys=(own := _embedded_replicas(name, database)),
            copies=[data / f"postgres-{replica}" for replica in own],
            synchronous=database.synchronous,
            archived=settings.backups is not None,
            settings={"summarize_wal": "on"} if settings.backups is not None and settings.backups.incremental else {},
        )
        for name, database in settings.databases.items()
        if database.embedded is not None
    ]
    if settings.redis.embedded is not None:
        port = settings.redis.embedded.port
        children.append(
            RedisServer(
                name="redis",
                data=data / "redis",
                port=port,
                password=settings.server_password("redis", "default"),
                log=data / "log" / "redis.log",
            )
        )
    return children


def replicas(settings: Settings, children: Sequence[Child]) -> list[PostgresReplica]:
    """The embedded replicas of the embedded databases, which are among `children` and run before."""
    primaries = {child.name: child for child in children if isinstance(child, PostgresServer)}
    return [
        PostgresReplica(
            name=(own := replica_name(name, number)),
            data=settings.data / f"postgres-{own}",
            port=replica.embedded.port,
            password=settings.server_password(name, ROLE),
            superuser_password=settings.server_password(name, SUPERUSER),
            log=settings.data / "log" / f"postgres-{own}.log",
            primary=primaries[name],
        )
        for name, database in settings.databases.items()
        for number, replica in enumerate(database.replicas, 1)
        if replica.embedded is not None
    ]


def receivers(settings: Settings) -> list[Child]:
    """What keeps the log of the databases that `up` runs, if there are to be backups."""
    if settings.backups is None:
        return []
    return [
        receiver_of(settings, name, settings.database_url(name))
        for name, database in settings.databases.items()
        if database.url is None
    ]


def receiver_of(settings: Settings, database: str, url: SecretStr, deployment: str | None = None) -> WalReceiver:
    """What keeps the log of a database, of this deployment if that is known; the settings have [backups]."""
    folder = settings.backup_folder
    assert folder is not None
    log = settings.data / "log" / f"{database}-log.log"
    name = f"{database}-log"
    return WalReceiver(name=name, log=log, database=database, url=url, folder=folder, deployment=deployment)


def nodes(settings: Settings, config: Path) -> list[NodeProcess]:
    """The nodes. They share a port, and each has one of its own; behind HAProxy each has only its own."""
    return [_node(settings, config, number) for number in range(1, settings.stack.nodes + 1)]


def _embedded_replicas(name: str, database: DatabaseSettings) -> list[str]:
    numbered = enumerate(database.replicas, 1)
    return [replica_name(name, number) for number, replica in numbered if replica.embedded is not None]


def _node(settings: Settings, config: Path, number: int) -> NodeProcess:
    data, own_port = settings.data, settings.node_port(number)
    shared = settings.haproxy is None
    return NodeProcess(
        name=place_name(number),
        argv=(sys.executable, "-m", "gameserver", "serve", "--config", str(config.resolve())),
        host=settings.node.host,
        port=settings.node.port if shared else own_port,
        apart=_apart(settings, number, shared=shared),
        run=data / "run",
        log=data / "log" / f"{place_name(number)}.log",
        env=_environment(settings, number, shared=shared),
        stop_seconds=stop_seconds(settings),
    )


def _apart(settings: Settings, number: int, *, shared: bool) -> dict[tuple[str, int], str]:
    """What this node of `up` listens on besides the port for players, as it does with `_environment`."""
    own, named = settings.node_port(number), settings.node.operators_listen
    if named is None:
        return {("127.0.0.1", own): "node.port"} if shared else {}
    listens = {} if named == "port" else {address(settings.operators_listen(number)): "node.operators_listen"}
    with_own = shared and own not in {port for _, port in listens}
    return listens | ({(settings.node.host, own): "node.port"} if with_own else {})


def _environment(settings: Settings, number: int, *, shared: bool) -> dict[str, str]:
    """What is different in the settings of this node of `up`, counted from 1."""
    named = {
        "GAMESERVER_NODE__NAME": place_name(number),
        "GAMESERVER_NODE__OWN_PORT" if shared else "GAMESERVER_NODE__PORT": str(settings.node_port(number)),
    }
    apart = {"GAMESERVER_NODE__OPERATORS_LISTEN": settings.operators_listen(number)}
    return named | (apart if settings.node.operators_listen is not None else {})


def _operators(settings: Settings, front: Front | None) -> str:
    """The URL of the operators' doors: HAProxy's, or the first node's."""
    if front is not None:
        return front.haproxy.operators
    listen = settings.operators_listen()
    if listen == "port":
        return f"http://{joined(settings.node.host, settings.node.port)}"
    default = joined("127.0.0.1", settings.node_port(1))
    return f"http://{listen if settings.node.operators_listen is not None else default}"


async def up(
    settings: Settings, config: Path, migrate: Callable[[Settings], Awaitable[object]], *, as_json: bool = False
) -> None:
    """Starts everything, prints what runs where, and stops everything on SIGTERM or SIGINT.

    With `as_json` that is one JSON object on stdout, and no text. `migrate` runs between the databases and the nodes.
    Raises StackError.
    """
    process_table.require()
    _close_to_others(settings.data)
    databases, game_nodes = servers(settings), nodes(settings, config)
    followers, failing_over = replicas(settings, databases), clusters(settings)
    # Play goes on without the replicas that no commit waits for, as without what keeps the log.
    needed = [replica for replica in followers if replica.primary.synchronous]
    keepers: list[Child] = [*(replica for replica in followers if replica not in needed), *receivers(settings)]
    databases += failing_over.servers
    front = _front(settings, config, game_nodes)
    children: list[Child] = [*failing_over.deciders, *databases, *needed, *game_nodes]
    children += [front.haproxy] if front else []
    shown = [*children, *keepers]
    console = plain_console(stderr=True, quiet=as_json, soft_wrap=True)
    supervisor = Supervisor(children, lock=settings.data / "up.lock")
    async with _reaping(supervisor), supervisor:
        with on_the_way(err=True):
            console.print(f"Starting what {config} names; data and logs are under {_short(settings.data)}.")
        await supervisor.start(*failing_over.deciders)
        await supervisor.start(*databases)
        await asyncio.gather(*(database.provide() for database in failing_over.databases))
        await supervisor.start(*needed)
        supervisor.keep(*keepers)
        await migrate(settings)
        settings.admin_keys()
        await supervisor.start(*game_nodes)
        serving = front.serving(supervisor) if front else contextlib.nullcontext()
        async with watched(failing_over.members), serving:
            doors = {"players": front.haproxy.players if front else game_nodes[0].address}
            doors["operators"] = _operators(settings, front)
            async with announced(settings, config, doors, lambda: supervisor.children):
                with on_the_way(err=not as_json):
                    if as_json:
                        key = str(settings.admin_key_file)
                        show_json({"servers": described(shown), **doors, "admin_key_file": key})
                    else:
                        _print(console, shown, doors, settings)
                await supervisor.run()


def _reaping(supervisor: Supervisor) -> contextlib.AbstractAsyncContextManager[None]:
    """What servers leave behind, such as the Postgres of a Patroni, is reaped when it ends, also while they stop."""
    return orphans.taken_in(lambda: [child.process for child in supervisor.children])


def _print(console: Console, children: Sequence[Child], doors: Mapping[str, str], settings: Settings) -> None:
    for table in overview(children):
        console.print()
        show(console, table)
    console.print()
    for name, url in doors.items():
        console.print(f"{name.capitalize()}: {url}")
    console.print(f"Console: {doors['operators']}/console/")
    console.print(f"Admin key: {_short(settings.admin_key_file)}. Ctrl-C stops everything.")


def _close_to_others(data: Path) -> None:
    """Lets only this account read what `up` and its children write.

    Another account that Postgres runs as may go through `data` to its own folder, but not list it. Raises StackError.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
        os.umask(0o077)
        for folder in (data, data / "log", data / "run"):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        if for_servers() is not None:
            data.chmod(0o711)
    except OSError as error:
        raise StackError(f"The folder {error.filename} can't be used: {error.strerror}.") from None


def _front(settings: Settings, config: Path, game_nodes: list[NodeProcess]) -> Front | None:
    if settings.haproxy is None:
        return None
    numbers = {place_name(number): number for number in range(1, settings.haproxy.places + 1)}
    return Front(settings, game_nodes, lambda name: _node(settings, config, numbers[name]))


def _short(path: Path) -> str:
    return os.path.relpath(path)
