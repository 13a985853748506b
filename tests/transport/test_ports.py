"""A node that can't have its port to itself, or share it on purpose, doesn't start, and says why."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gameserver.config.settings import Settings
from gameserver.stack.errors import StackError
from gameserver.stack.processes.ports import free_port
from tests.support.client import Api
from tests.support.nodes import node_process, start_node


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


def with_ports(settings: Settings, port: int, own_port: int | None = None) -> Settings:
    return settings.model_copy(update={"node": settings.node.model_copy(update={"port": port, "own_port": own_port})})


@pytest.mark.parametrize("first_has_an_own_port", [False, True])
async def test_a_second_serve_on_a_port_ends_with_the_reason_and_takes_no_traffic(
    settings: Settings, tmp_path: Path, stack: AsyncExitStack, first_has_an_own_port: bool
) -> None:
    second = node_process(settings, tmp_path, "node-2")
    first = await start_node(stack, with_ports(settings, second.port, free_port() if first_has_an_own_port else None))
    with pytest.raises(StackError, match=r"exit status 1") as raised:
        await second.start()
    assert f"Port {second.port} of 127.0.0.1 is taken" in str(raised.value)
    assert "set another one as node.port" in str(raised.value)
    assert "Traceback" not in str(raised.value)
    for _ in range(20):
        async with Api(first.url) as api:
            assert (await api.ask("GET", "/ready")).status == 200


async def test_nodes_with_own_ports_share_one_and_the_same_settings_twice_dont(
    settings: Settings, stack: AsyncExitStack
) -> None:
    port, owns = free_port(), [free_port(), free_port()]
    for own in owns:
        await start_node(stack, with_ports(settings, port, own))
    for own in (*owns, port):
        async with Api(f"http://127.0.0.1:{own}") as api:
            assert (await api.ask("GET", "/ready")).status == 200
    with pytest.raises(OSError, match=rf"Port {owns[0]} .* is taken.*node\.own_port"):
        await start_node(stack, with_ports(settings, port, owns[0]))


async def test_an_address_of_another_machine_is_named_with_its_setting(
    settings: Settings, stack: AsyncExitStack
) -> None:
    node = settings.node.model_copy(update={"host": "198.51.100.7"})
    with pytest.raises(OSError, match=r"of 198\.51\.100\.7 \(node\.port\) can't be listened on"):
        await start_node(stack, settings.model_copy(update={"node": node}))
