"""A small `gameserver up` for the tests: `python -m tests.stack.up FOLDER PORT PORT PORT MANNER`.

The ports are those of Postgres, Valkey and the nodes; the manner is that of `played_node`.
"""

import asyncio
import sys
from pathlib import Path

import uvloop
from pydantic import SecretStr
from rich.console import Console

from gameserver.stack.errors import StackError
from gameserver.stack.fleet.overview import overview
from gameserver.stack.processes.supervisor import Supervisor
from gameserver.stack.servers.node import NodeProcess
from gameserver.stack.servers.postgres import PostgresServer
from gameserver.stack.servers.redis import RedisServer
from gameserver.terminal import show
from tests.stack.conftest import FAST, PASSWORD


def children(folder: Path, ports: list[int], manner: str) -> tuple[PostgresServer, RedisServer, list[NodeProcess]]:
    log = folder / "log"
    postgres = PostgresServer(
        name="one", data=folder / "one", port=ports[0], password=SecretStr(PASSWORD), log=log / "one.log", settings=FAST
    )
    redis = RedisServer(
        name="redis", data=folder / "redis", port=ports[1], password=SecretStr(PASSWORD), log=log / "redis.log"
    )
    played = [sys.executable, str(Path(__file__).with_name("played_node.py")), manner, str(ports[1])]
    nodes = [
        NodeProcess(
            name=name,
            argv=played,
            host="127.0.0.1",
            port=ports[2],
            run=folder / "run",
            log=log / f"{name}.log",
        )
        for name in ("node-1", "node-2")
    ]
    return postgres, redis, nodes


async def up(folder: Path, ports: list[int], manner: str) -> None:
    postgres, redis, nodes = children(folder, ports, manner)
    async with Supervisor([postgres, redis, *nodes], lock=folder / "up.lock") as supervisor:
        await supervisor.start(postgres, redis)
        await supervisor.start(*nodes)
        console = Console(width=200)
        for table in overview([postgres, redis, *nodes]):
            show(console, table)
        console.print("up")
        await supervisor.run()


def main() -> None:
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(up(Path(sys.argv[1]), [int(port) for port in sys.argv[2:5]], sys.argv[5]))
    except StackError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
