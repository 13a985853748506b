"""A node's ports: it starts only if it has them to itself or shares them on purpose; operators have one apart."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gameserver.config import ports
from gameserver.config.deployment import HAProxySettings, NodeSettings
from gameserver.config.limits import LimitSettings, PerSecond
from gameserver.config.settings import Settings
from gameserver.stack.errors import StackError
from gameserver.stack.processes.ports import free_port
from tests.support.client import ADMIN_KEY, Api
from tests.support.nodes import node_process, start_node
from tests.support.wait import wait_until
from tests.transport.doors import assert_problem


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


OPERATORS_PATHS = ("/admin/v1/stats", "/metrics", "/%61dmin/v1/stats", "/admin/v1/nowhere", "/admin", "/metrics?a=b")


async def statuses(port: int) -> set[int]:
    async with Api(f"http://127.0.0.1:{port}") as api:
        asked = list[int]()

        async def are_final() -> bool:
            asked[:] = [(await api.ask("GET", path, token=ADMIN_KEY)).status for path in OPERATORS_PATHS[:3]]
            return 503 not in asked

        await wait_until(are_final, 60, "the databases answer in time")
        assert (await api.ask("GET", "/ready")).status == 200
        assert (await api.ask("POST", "/v1/sessions", body={"device": "nobodys-device"})).status == 401
        return set(asked)


@pytest.mark.parametrize("own", [False, True])
async def test_operators_paths_are_nowhere_on_the_players_port_and_by_default_on_loopback_above_it(
    settings: Settings, stack: AsyncExitStack, own: bool
) -> None:
    chosen = with_ports(settings, free_port(), free_port() if own else None)
    node = chosen.node.model_copy(update={"operators_listen": chosen.operators_listen()})
    started = await start_node(stack, chosen.model_copy(update={"node": node}))
    operators = node.own_port or ports.operators_port(node.port)
    assert node.operators_listen == f"127.0.0.1:{operators}"
    assert await statuses(operators) == {200}
    async with Api(started.url) as api:
        for path in OPERATORS_PATHS:
            for method in ("GET", "POST", "OPTIONS"):
                answer = await api.ask(method, path, token=ADMIN_KEY)
                assert_problem(answer, "not_found", f"{method} {path}")
    assert await statuses(node.port) == {404}


async def test_an_own_port_is_players_where_operators_have_another(settings: Settings, stack: AsyncExitStack) -> None:
    chosen, operators = with_ports(settings, free_port(), free_port()), free_port()
    node = chosen.node.model_copy(update={"operators_listen": f"127.0.0.1:{operators}"})
    await start_node(stack, chosen.model_copy(update={"node": node}))
    assert node.own_port is not None
    assert [await statuses(port) for port in (node.port, node.own_port, operators)] == [{404}, {404}, {200}]


async def test_what_exhausts_an_address_on_the_players_port_leaves_operators_theirs(
    settings: Settings, stack: AsyncExitStack
) -> None:
    chosen = with_ports(settings, free_port(), free_port())
    node = chosen.node.model_copy(update={"operators_listen": chosen.operators_listen()})
    limits = LimitSettings(connections_per_address=1, requests_per_address=PerSecond(per_second=0.01, burst=1))
    await start_node(stack, chosen.model_copy(update={"node": node, "limits": limits}))
    async with Api(f"http://127.0.0.1:{node.port}") as api:
        assert [(await api.ask("GET", "/ready")).status for _ in range(3)] == [200, 429, 429]
        assert node.own_port is not None
        async with Api(f"http://127.0.0.1:{node.own_port}") as operators:
            assert {(await operators.admin("stats")).status for _ in range(5)} == {200}


def test_where_operators_doors_are_follows_from_what_stands_in_front(settings: Settings) -> None:
    def listen(number: int = 1, **node: object) -> str:
        return settings.model_copy(update={"node": NodeSettings(**node)}).operators_listen(number)

    assert listen(port=8080) == "127.0.0.1:9080"
    assert listen(port=65000, host="0.0.0.0") == "127.0.0.1:64000"
    assert listen(port=8080, own_port=8082) == "127.0.0.1:8082"
    assert listen(port=8080, operators_listen="port") == "port"
    assert [listen(number, operators_listen="[fd00::1]:9000") for number in (1, 3)] == [
        "[fd00::1]:9000",
        "[fd00::1]:9002",
    ]
    behind = {"haproxy": HAProxySettings(port=8090, operators_port=8091)}
    assert settings.model_copy(update=behind).operators_listen() == "port"
    for wrong in ("127.0.0.1", "9000", "", "ports", ":9000"):
        with pytest.raises(ValueError, match="operators_listen"):
            NodeSettings(operators_listen=wrong)
