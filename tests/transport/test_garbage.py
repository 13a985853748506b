"""What is refused leaves nothing that only the garbage collector can free: each of its runs stops the node."""

import contextlib
import gc
import os
from collections.abc import Awaitable, Callable, Iterator

import pytest

from tests.support.client import Api, Signed

REFUSALS = 100
RING = 3
"""Fewer objects for each refusal are the client's, which runs in the same process, or of what happens now and then."""
pytestmark = pytest.mark.own_node


async def _act(api: Api, player: Signed) -> int:
    return (await api.act(player, "rest")).status


async def _unknown_action(api: Api, player: Signed) -> int:
    return (await api.act(player, "fly")).status


async def _read_a_stranger(api: Api, player: Signed) -> int:
    return (await api.ask("GET", "/v1/players/1", token=player.token)).status


async def _without_token(api: Api, player: Signed) -> int:
    return (await api.ask("GET", "/v1/players/me")).status


async def _name_taken(api: Api, player: Signed) -> int:
    body = {"name": player.name, "class": "mage", "device": os.urandom(16).hex()}
    return (await api.ask("POST", "/v1/players", body=body)).status


async def _unknown_device(api: Api, player: Signed) -> int:
    return (await api.ask("POST", "/v1/sessions", body={"device": os.urandom(16).hex()})).status


@pytest.mark.family(2)
@pytest.mark.parametrize(
    ("refused", "status"),
    [
        (_act, 409), (_unknown_action, 422), (_read_a_stranger, 404),
        (_without_token, 401), (_name_taken, 409), (_unknown_device, 401),
    ],
)  # fmt: skip
async def test_refusals_over_http_leave_no_rings(
    api: Api, refused: Callable[[Api, Signed], Awaitable[int]], status: int
) -> None:
    player = await api.sign_up("warrior")
    with rings() as left:
        for _ in range(REFUSALS):
            assert await refused(api, player) == status
    assert left[0] < REFUSALS * RING


async def test_refusals_on_a_socket_leave_no_rings(api: Api) -> None:
    player = await api.sign_up("warrior")
    socket = await api.socket(player.token)
    with rings() as left:
        for _ in range(REFUSALS):
            assert (await socket.ask("act", action="rest"))["error"]["code"] == "full_hp"
    assert left[0] < REFUSALS * RING


@contextlib.contextmanager
def rings() -> Iterator[list[int]]:
    """How many objects only the collector can free, of those that come up meanwhile."""
    left: list[int] = []
    gc.collect()
    gc.disable()
    try:
        yield left
        left.append(gc.collect())
    finally:
        gc.enable()
