"""What tests share: real servers for the run, a fresh deployment for each test, and nodes on it."""

import asyncio
import contextlib
import os
import socket
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import structlog
import uvloop
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from xdist.remote import Producer

from gameserver import app as application
from gameserver import garbage
from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.logs.setup import console_lines
from gameserver.stack.processes import ports
from gameserver.storage.postgres import patience
from gameserver.waiting import cancel_and_wait
from tests.support import families, other_postgres
from tests.support.client import Api
from tests.support.command_line import WARM, CommandLine
from tests.support.lanes import Lanes
from tests.support.nodes import InProcessNode, start_node
from tests.support.servers import OTHER_REDIS, Servers, standing_servers
from tests.support.shared_node import needs_its_own, shared_node

structlog.configure(processors=[structlog.processors.add_log_level, console_lines()])
hypothesis_settings.register_profile(
    "real servers", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
hypothesis_settings.load_profile("real servers")
other_postgres.use()

STANDSTILL = "10000"
"""For how long, in milliseconds, the process of a test may stand still between two statements of a pool's transaction.

A machine that runs several tests at a time may stand still for two seconds, after which a node's transaction is ended.
"""
END_SECONDS = 0.01
"""In which connections that a test left open hear that they have ended."""


class EndingLoop(uvloop.Loop):
    """The loop that the nodes run on, whose end doesn't wait for a connection that a killed server's client left open.

    uvloop runs until its last handle is closed; a transport whose task was cancelled while it connected may never be.
    """

    def close(self) -> None:
        left = [_shut_down(int(link.name)) for link in Path("/proc/self/fd").iterdir()]
        if not any(left) or self.is_closed():
            super().close()
            return
        # A transport that hears of its end only in a closed loop can't tell its protocol any more.
        self.run_until_complete(asyncio.sleep(END_SECONDS))
        with warnings.catch_warnings():
            # One that didn't read hears of nothing. A warning would keep uvloop from closing it, and then from its end.
            warnings.simplefilter("ignore", ResourceWarning)
            super().close()


def _shut_down(number: int) -> bool:
    """Whether it was a socket of a network that is connected."""
    with contextlib.suppress(OSError):
        if os.readlink(f"/proc/self/fd/{number}").startswith("socket:"):
            with socket.socket(fileno=os.dup(number)) as left:
                if left.family in (socket.AF_INET, socket.AF_INET6):
                    left.shutdown(socket.SHUT_RDWR)
                    return True
    return False


def pytest_configure() -> None:
    """Each worker draws ports from a part of its own, as one that is free is listened on only later; and is patient."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    size = len(ports.BELOW_EPHEMERAL) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ports.FREE_PORTS = ports.FreePorts(ports.BELOW_EPHEMERAL[number * size : (number + 1) * size])
    patience.POOLED["idle_in_transaction_session_timeout"] = STANDSTILL


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The tests run on the loop that the nodes run on."""
    return {"uvloop": EndingLoop}


def pytest_itemcollected(item: pytest.Item) -> None:
    families.belongs(item)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of families of tests a part is run, unless they are asked for. After what `-k` chooses."""
    if families.MARK not in config.option.markexpr:
        items[:], left_out = families.drawn(items, config.getoption("randomly_seed", 0))
        config.hook.pytest_deselected(items=left_out)


def pytest_collection_finish() -> None:
    """What collecting the tests has made stays for the whole run: the collector needn't look at it after each."""
    garbage.settle()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> object:
    """Of a run of several workers that keeps files together."""
    return Lanes(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command that a test runs in this process sets up logs of its own; those of later tests are as they were."""
    configured = structlog.get_config()
    yield
    structlog.configure(**configured)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    with standing_servers() as standing:
        yield standing


@pytest.fixture(scope="session", autouse=True)
def warm() -> Iterator[None]:
    """What commands and nodes are forked from ends with the run."""
    yield
    WARM.end()


@pytest.fixture(scope="session")
def command_line() -> CommandLine:
    """What runs commands of the product, each as a process of its own."""
    return CommandLine()


@pytest.fixture
async def settings(servers: Servers) -> AsyncIterator[Settings]:
    """A fresh deployment: migrated, empty, its slots over two databases."""
    database = await servers.fresh()
    yield servers.settings(database)
    servers.drop(database)


@pytest.fixture
async def core(settings: Settings) -> AsyncIterator[Core]:
    """The storage and commands without doors; its queues are worked off."""
    async with application.open_core(settings) as opened:
        task = asyncio.create_task(opened.rooms.players.run())
        yield opened
        await cancel_and_wait([task])


@pytest.fixture
async def node(settings: Settings) -> AsyncIterator[InProcessNode]:
    """One whole node in this process."""
    async with AsyncExitStack() as stack:
        yield await start_node(stack, settings)


@pytest.fixture(scope="module")
def shared_address(servers: Servers) -> Iterator[str]:
    """That of a node which tests of one file share."""
    with shared_node(servers) as address:
        yield address


@pytest.fixture
def node_address(request: pytest.FixtureRequest) -> str:
    """That of the test's own node, if it needs one; else of the one that its file shares."""
    if not needs_its_own(request) and OTHER_REDIS not in os.environ:
        return str(request.getfixturevalue("shared_address"))
    own: InProcessNode = request.getfixturevalue("node")
    return own.url


@pytest.fixture
async def api(node_address: str) -> AsyncIterator[Api]:
    """A client of that node."""
    async with Api(node_address) as client:
        yield client
