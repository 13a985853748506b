"""The attacks of the bench ask everything that players may ask."""

import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from orjson import loads

from gameserver.transport.routes import ROUTES
from gameserver.transport.socket.operations import OPERATIONS
from tests.bench.addresses import FRAMES
from tests.bench.attacker import KINDS
from tests.bench.attacks import Attack
from tests.bench.hostile import ENOUGH, Spell, exceeding

DOORS = [route for route in ROUTES if not route.path.startswith("/admin/")]
ANSWER = {"id": "own", "session": {"token": "secret"}, "sessions": [{"id": "own", "current": True}]}
"""What the steps of an attack that follow on one another need."""
HOLDING = {"bystander", "network", "connections", "sockets", "mute"} | {
    "handshakes",
    "half_heads",
    "half_bodies",
    "garbage",
}
"""Attacks that take long, or are made of connections and not of requests."""


@pytest.fixture
async def asked() -> AsyncIterator[tuple[str, set[str]]]:
    """A server that has the product's routes, answers each alike, and which of them it was asked for."""
    found = set[str]()

    async def answer(request: web.Request) -> web.Response:
        resource = request.match_info.route.resource
        found.add(f"{request.method} {resource.canonical if resource else request.path}")
        return web.json_response(ANSWER)

    app = web.Application()
    for route in DOORS:
        app.router.add_route(route.method, route.path, answer)
    async with TestServer(app) as server:
        yield str(server.make_url("")), found


async def test_every_door_of_players_is_attacked_by_some_kind(asked: tuple[str, set[str]]) -> None:
    url, found = asked
    for name, kind in KINDS.items():
        if name not in HOLDING:
            async with ClientSession(url) as session:
                until = time.monotonic() + 0.05
                await kind(Attack(url, "127.0.0.1", until, session, "secret", "device", "Victim", ["stranger"]))
    assert found == {f"{route.method} {route.path}" for route in DOORS}


def test_the_frames_of_an_attack_are_of_every_operation_but_acts() -> None:
    assert {loads(frame)["op"] for frame in FRAMES} == OPERATIONS.keys() - {"act"}


def spell(seconds: dict[str, float], failed: int = 0) -> Spell:
    """With as many answers as make a p99, all as slow."""
    return Spell({name: [ms] * ENOUGH for name, ms in seconds.items()}, Counter({"read": failed}))


def test_what_is_beyond_the_goal_is_so_by_the_calm_and_by_the_busy_spell() -> None:
    calm, slow = spell({"read": 10, "act": 10}), spell({"read": 16, "act": 10})
    assert exceeding([(calm, calm, slow)]) == ["read 1.60"]
    assert exceeding([(calm, slow, slow)]) == []
    assert exceeding([(calm, calm, spell({"read": 14, "act": 15}))]) == []
    assert exceeding([(calm, calm, spell({"read": 10, "act": 10}, failed=1))]) == ["read"]
