"""Exports of players, by themselves and by operators: how many are under way, how long, how fast they are read."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from gameserver.commands import export_places
from gameserver.commands.export_places import (
    OF_OPERATORS,
    PARTS_A_SECOND,
    PER_ADDRESS,
    PLACES,
    ExportPlaces,
    OperatorPlaces,
)
from gameserver.rules.errors import Overloaded, RateLimited


async def test_a_player_has_one_export_under_way_and_a_node_a_bounded_number() -> None:
    places = ExportPlaces()
    async with AsyncExitStack() as stack:
        for player_id in range(1, PLACES):
            await stack.enter_async_context(places.place(player_id, None))
        with pytest.raises(RateLimited):
            await stack.enter_async_context(places.place(1, None))
        async with places.place(PLACES, None):
            with pytest.raises(Overloaded):
                await stack.enter_async_context(places.place(PLACES + 1, None))
        await stack.enter_async_context(places.place(PLACES + 1, None))


async def test_an_address_has_few_of_the_places_however_many_players_it_has() -> None:
    places = ExportPlaces()
    async with AsyncExitStack() as stack:
        for player_id in range(PER_ADDRESS):
            await stack.enter_async_context(places.place(player_id, "203.0.113.7"))
        with pytest.raises(RateLimited):
            await stack.enter_async_context(places.place(PLACES, "203.0.113.7"))
        await stack.enter_async_context(places.place(PLACES, "203.0.113.8"))
    async with places.place(PLACES, "203.0.113.7"):
        pass


async def test_an_export_that_takes_too_long_ends_and_its_place_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_places, "LONGEST_SECONDS", 0.01)
    places = ExportPlaces()
    with pytest.raises(TimeoutError):
        async with places.place(1, None):
            await asyncio.Event().wait()
    async with places.place(1, None):
        pass


async def test_however_many_exports_there_are_their_parts_come_one_after_the_other() -> None:
    places, began = ExportPlaces(), asyncio.get_running_loop().time()
    await asyncio.gather(*(places.turn() for _ in range(5)))
    assert asyncio.get_running_loop().time() - began >= 0.99 * 4 / PARTS_A_SECOND


async def test_operators_have_few_places_and_each_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    places = OperatorPlaces()
    async with AsyncExitStack() as stack:
        for _ in range(OF_OPERATORS):
            await stack.enter_async_context(places.place())
        with pytest.raises(Overloaded):
            await stack.enter_async_context(places.place())
    monkeypatch.setattr(export_places, "LONGEST_SECONDS", 0.0)
    for _ in range(OF_OPERATORS + 1):
        with pytest.raises(TimeoutError):
            async with places.place():
                await asyncio.Event().wait()
