"""What `gameserver up` runs: the embedded servers and nodes that the settings name."""

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console

from gameserver.config import Settings
from gameserver.stack.child import Child
from gameserver.stack.node import Node
from gameserver.stack.overview import overview
from gameserver.stack.postgres import Postgres
from gameserver.stack.redis import Redis
from gameserver.stack.supervisor import Supervisor


def servers(settings: Settings) -> list[Child]:
    """The embedded Postgres instances and Redis."""
    data, password = settings.data, settings.server_password()
    found: list[Child] = [
        Postgres(
            name=name,
            data=data / f"postgres-{name}",
            port=database.embedded.port,
            password=password,
            log=data / "log" / f"postgres-{name}.log",
        )
        for name, database in settings.databases.items()
        if database.embedded is not None
    ]
    if settings.redis.embedded is not None:
        port = settings.redis.embedded.port
        found.append(
            Redis(
                name="redis",
                data=data / "redis",
                port=port,
                password=password,
                log=data / "log" / "redis.log",
            )
        )
    return found


def nodes(settings: Settings, config: Path) -> list[Node]:
    """The nodes, which share a port and have one each of their own."""
    host, port, data = settings.node.host, settings.node.port, settings.data
    return [
        Node(
            name=f"node-{number}",
            argv=(sys.executable, "-m", "gameserver", "serve", "--config", str(config.resolve())),
            host=host,
            port=port,
            run=data / "run",
            log=data / "log" / f"node-{number}.log",
            env={"GAMESERVER_NODE__NAME": f"node-{number}", "GAMESERVER_NODE__OWN_PORT": str(port + number)},
            stop_seconds=settings.node.drain_seconds + 10,
        )
        for number in range(1, settings.stack.nodes + 1)
    ]


async def up(settings: Settings, config: Path, migrate: Callable[[Settings], Awaitable[None]]) -> None:
    """Starts everything, shows what runs where, and stops it all on SIGTERM or SIGINT. Raises StackError."""
    for folder in (settings.data, settings.data / "log", settings.data / "run"):
        folder.mkdir(parents=True, exist_ok=True)
    below, above = servers(settings), nodes(settings, config)
    console = Console(stderr=True)
    async with Supervisor([*below, *above], lock=settings.data / "up.lock") as supervisor:
        console.print(f"Starting what {config} names; data and logs are under {_short(settings.data)}.")
        await supervisor.start(*below)
        await migrate(settings)
        settings.admin_keys()
        await supervisor.start(*above)
        console.print(overview([*below, *above]))
        console.print(f"Players: http://{settings.node.host}:{settings.node.port}")
        console.print(f"Admin key: {_short(settings.admin_key_file)}. Ctrl-C stops everything.")
        await supervisor.run()


def _short(path: Path) -> str:
    return os.path.relpath(path)
