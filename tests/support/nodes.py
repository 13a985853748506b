"""Whole nodes in the tests' own process, and as processes that can be killed."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import orjson
from pydantic import BaseModel

from gameserver import app as application
from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.stack.processes.ports import free_port
from gameserver.stack.servers.node import NodeProcess
from gameserver.transport.service import Stop, serving
from tests.support.forked_process import ForkedProcess


@dataclass
class InProcessNode:
    core: Core
    url: str
    stop: Stop


async def start_node(stack: AsyncExitStack, settings: Settings, wall: Callable[[], float] = time.time) -> InProcessNode:
    """A node that serves until the stack is closed; `wall` is its machine's clock, in Unix seconds."""
    core = await stack.enter_async_context(application.open_core(settings, wall))
    app = application.build_app(core)
    stop = Stop()
    node = settings.node.model_copy(update={"operators_listen": settings.node.operators_listen or "port"})
    await stack.enter_async_context(serving(app, node, application.background(core, app), stop))
    return InProcessNode(core, f"http://127.0.0.1:{settings.node.port}", stop)


def node_process(settings: Settings, folder: Path, name: str) -> NodeProcess:
    """A node as a child process on a port of its own, not started."""
    port = free_port()
    config = folder / f"{name}.toml"
    config.write_text(toml_of(settings, port))
    node = NodeProcess(
        name=name,
        argv=(sys.executable, "-m", "gameserver", "serve", "--config", str(config)),
        host="127.0.0.1",
        port=port,
        run=folder,
        log=folder / f"{name}.log",
        stop_seconds=10,
    )
    node.process = ForkedProcess(node.process.name, node.log)
    return node


def toml_of(settings: Settings, port: int) -> str:
    """The settings as a file: JSON strings, arrays and numbers are TOML, too."""
    lines = [f"game = {_value(str(settings.game))}", "[node]", f"port = {port}", "drain_seconds = 3",
             'operators_listen = "port"']  # fmt: skip
    for name in settings.databases:
        lines += [f"[databases.{name}]", f"url = {_value(settings.database_url(name).get_secret_value())}"]
        lines += ["allow_unsafe = true"] if settings.databases[name].allow_unsafe else []
        for url in settings.replica_urls(name).values():
            lines += [f"[[databases.{name}.replicas]]", f"url = {_value(url.get_secret_value())}"]
    lines += ["[reads]", *(f"{name} = {value}" for name, value in settings.reads.model_dump().items())]
    lines += ["[redis]", f"url = {_value(settings.redis_url().get_secret_value())}"]
    lines += ["[control]", f"database = {_value(settings.control.database)}"]
    for name, group in settings.groups.items():
        lines += [f"[groups.{name}]", f"databases = {_value(list(group.databases))}", f"slots = {group.slots}"]
    lines += ["[operators]", *(f"{name} = {value}" for name, value in settings.operators.model_dump().items())]
    if settings.tracing.enabled:
        tracing = settings.tracing.model_dump(exclude={"headers"})
        lines += ["[tracing]", *(f"{name} = {_value(value)}" for name, value in tracing.items())]
    lines += ["[limits]", *(f"{name} = {_limit(value)}" for name, value in _chosen_limits(settings))]
    lines += ["[admin]", f"one_time_passwords = {_value(sorted(settings.admin.one_time_passwords))}"]
    lines += [
        "[admin.keys]",
        *(f"{name} = {_value(key.get_secret_value())}" for name, key in settings.admin.keys.items()),
    ]
    return "\n".join(lines) + "\n"


def _chosen_limits(settings: Settings) -> Iterator[tuple[str, object]]:
    """Those that the settings give themselves."""
    return ((name, getattr(settings.limits, name)) for name in sorted(settings.limits.model_fields_set))


def _limit(value: object) -> str:
    if isinstance(value, BaseModel):
        return "{ " + ", ".join(f"{name} = {_value(number)}" for name, number in value.model_dump().items()) + " }"
    return _value([str(network) for network in value] if isinstance(value, tuple) else value)


def _value(value: object) -> str:
    return orjson.dumps(value).decode()
