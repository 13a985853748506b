"""Opens a tool on the running stack of a settings file: `python .ci/running.py bots|psql|redis-cli|profile CONFIG`.

Passwords go to psql and redis-cli by their environment, never by the command line, which every account can read.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote, urlsplit

import psutil

from gameserver.config import redis_url
from gameserver.config.errors import ConfigFault
from gameserver.config.ports import joined
from gameserver.config.settings import Settings, load
from gameserver.stack.errors import StackError
from gameserver.stack.servers import binaries

_PROFILE_SECONDS = "10"


def psql(settings: Settings) -> NoReturn:
    """On the control database, with the psql of the wheel or else of PATH."""
    url = urlsplit(settings.database_url(settings.control.database).get_secret_value())
    program = shutil.which("psql", path=f"{binaries.postgres()}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
    if program is None:
        sys.exit("psql is missing: install a Postgres client (`apt-get install postgresql-client`).")
    os.environ["PGPASSWORD"] = unquote(url.password or "")
    bare = url._replace(netloc=url.netloc.replace(f":{url.password}@", "@", 1))
    _become(program, bare.geturl())


def redis_cli(settings: Settings) -> NoReturn:
    """On the first server of the Redis URL, with valkey-cli or redis-cli of PATH: the wheel brings none."""
    url = redis_url.parse(settings.redis_url())
    program = shutil.which("valkey-cli") or shutil.which("redis-cli")
    if program is None:
        sys.exit("Neither valkey-cli nor redis-cli is installed (`apt-get install redis-tools`).")
    host, port = url.hosts[0]
    options = ["-h", host, "-p", str(port), "-n", str(url.database)]
    options += ["--user", url.username] if url.username else []
    options += ["--tls"] if url.tls else []
    options += ["-c"] if url.kind == "cluster" else []
    if url.password:
        os.environ["REDISCLI_AUTH"] = url.password.get_secret_value()
    _become(program, *options)


def bots(settings: Settings, options: list[str]) -> NoReturn:
    """200 players for 30 seconds, or as the options say, at the players' address; their result is proved."""
    keys = settings.admin_keys()
    if keys:
        os.environ["BOTS_ADMIN_KEY"] = next(iter(keys.values())).get_secret_value()
    host, port = settings.node.host, settings.node.port
    scheme = "https" if settings.certificate is not None else "http"
    operators = f"http://127.0.0.1:{settings.node_port(1)}"
    if settings.haproxy is not None:
        host, port = settings.haproxy.host, settings.haproxy.port
        operators = f"http://{joined(settings.haproxy.operators_host, settings.haproxy.operators_port)}"
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    _become(
        str(Path(sys.executable).with_name("bots")),
        "run",
        "--players",
        "200",
        "--seconds",
        "30",
        "--url",
        url,
        "--admin-url",
        operators,
        *options,
    )


def profile(config: Path, node: str, output: Path) -> NoReturn:
    """Records where a running node of `gameserver up` spends its time, as a flame graph in `output`."""
    pid = _pid_of(config, node)
    if pid is None:
        sys.exit(f"No node {node} of {config} runs: start it with `make run CONFIG={config}`.")
    output.parent.mkdir(parents=True, exist_ok=True)
    program = str(Path(sys.executable).with_name("py-spy"))
    options = ["--duration", _PROFILE_SECONDS, "--output", str(output), "--pid", str(pid)]
    _become(program, "record", *options)


def _pid_of(config: Path, node: str) -> int | None:
    return next((process.pid for process in psutil.process_iter() if _is_node(process, config, node)), None)


def _is_node(process: psutil.Process, config: Path, node: str) -> bool:
    try:
        if process.cmdline()[-3:] != ["serve", "--config", str(config.resolve())]:
            return False
        name: str | None = process.environ().get("GAMESERVER_NODE__NAME")
        return name == node
    except psutil.Error:
        return False


def _become(*command: str) -> NoReturn:
    """Replaces this process, so that signals and the terminal are the program's."""
    os.execv(command[0], command)  # noqa: S606


def main() -> None:
    tool, config = sys.argv[1], Path(sys.argv[2])
    try:
        settings = load(config)
        match tool:
            case "psql":
                psql(settings)
            case "redis-cli":
                redis_cli(settings)
            case "bots":
                bots(settings, sys.argv[3:])
            case "profile":
                node = sys.argv[3]
                profile(config, node, settings.data / f"{node}.svg")
            case _:
                sys.exit(f"There is no tool {tool}: bots, psql, redis-cli or profile.")
    except (ConfigFault, StackError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
