"""Turns are shared by network and address: who asks rarely waits for what is under way, not for those who ask often."""

import asyncio
from dataclasses import replace

import pytest

from gameserver.commands.fair_turns import FairTurns, Source, TurnBounds
from gameserver.rules.errors import Overloaded

BOUNDS = TurnBounds(at_once=1, waiting=100, at_each=(50, 20), seconds=60.0)
HOSTILE, OWNER, NEIGHBOUR, THIRD = ("bad", "1"), ("good", "1"), ("bad", "2"), ("third", "1")


class Hall:
    """Turns in the order in which they began; each ends when the test says so."""

    def __init__(self, bounds: TurnBounds = BOUNDS) -> None:
        self.turns = FairTurns(bounds)
        self.began: list[Source] = []
        self.refused: list[Source] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def ask(self, source: Source, times: int = 1) -> None:
        self.tasks += [asyncio.create_task(self._take(source)) for _ in range(times)]
        await self.settle()

    async def _take(self, source: Source) -> None:
        try:
            await self.turns.take(source)
        except Overloaded:
            self.refused.append(source)
        else:
            self.began.append(source)

    async def end(self, source: Source) -> None:
        """Ends a turn of the source."""
        self.turns.end(source)
        await self.settle()

    async def serve(self, many: int) -> list[Source]:
        """Ends the turn under way, many times; the sources whose turns began."""
        before = len(self.began)
        for _ in range(many):
            await self.end(self.began[-1])
        return self.began[before:]

    def remembers_nothing(self) -> bool:
        return not self.turns._lines and not self.turns._parts

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


async def test_who_asks_once_is_next_however_many_wait_elsewhere() -> None:
    hall = Hall()
    await hall.ask(HOSTILE, 20)
    await hall.ask(OWNER)
    assert await hall.serve(2) == [OWNER, HOSTILE]
    assert (await hall.serve(18))[-1] == HOSTILE
    assert hall.refused == []


async def test_networks_take_turns_and_so_do_the_addresses_within_one() -> None:
    hall = Hall()
    for source in (HOSTILE, HOSTILE, HOSTILE, NEIGHBOUR, NEIGHBOUR, OWNER, OWNER, THIRD):
        await hall.ask(source)
    assert await hall.serve(7) == [OWNER, THIRD, NEIGHBOUR, OWNER, HOSTILE, NEIGHBOUR, HOSTILE]


async def test_one_network_never_has_the_last_turn() -> None:
    hall = Hall(replace(BOUNDS, at_once=3))
    await hall.ask(HOSTILE, 5)
    await hall.ask(NEIGHBOUR, 5)
    assert hall.began == [HOSTILE] * 2
    await hall.ask(OWNER, 2)
    assert hall.began[2:] == [OWNER], "it began at once"
    await hall.end(HOSTILE)
    assert hall.began[3:] == [OWNER], "each has one under way, and the owner has waited for longer since its last end"
    await hall.end(OWNER)
    assert hall.began[4:] == [NEIGHBOUR]
    await hall.end(OWNER)
    assert len(hall.began) == 5, "nobody but the hostile network wants the last one"


async def test_an_address_and_a_network_have_so_many_places() -> None:
    hall = Hall(replace(BOUNDS, at_each=(5, 3)))
    await hall.ask(HOSTILE, 6)
    assert hall.refused == [HOSTILE] * 2
    await hall.ask(NEIGHBOUR, 3)
    assert hall.refused[2:] == [NEIGHBOUR]
    await hall.ask(OWNER)
    assert len(hall.refused) == 3
    assert await hall.serve(1) == [OWNER]


async def test_the_last_place_in_total_is_taken_from_the_most_crowded_network() -> None:
    hall = Hall(replace(BOUNDS, waiting=6))
    await hall.ask(HOSTILE, 5)
    await hall.ask(NEIGHBOUR, 2)
    await hall.ask(OWNER, 4)
    assert sorted(hall.refused) == sorted([HOSTILE, HOSTILE, HOSTILE, OWNER])
    assert sorted(await hall.serve(6)) == sorted([HOSTILE, NEIGHBOUR, NEIGHBOUR, OWNER, OWNER, OWNER])


async def test_who_waits_for_too_long_is_refused_and_keeps_no_place() -> None:
    hall = Hall(replace(BOUNDS, seconds=0.01, at_each=(1, 1)))
    await hall.ask(OWNER)
    for _ in range(2):
        await hall.ask(HOSTILE)
        await hall.tasks[-1]
    await hall.ask(THIRD)
    assert hall.refused == [HOSTILE, HOSTILE]
    assert await hall.serve(1) == [THIRD]


async def test_who_leaves_takes_no_turn() -> None:
    hall = Hall()
    await hall.ask(OWNER)
    await hall.ask(HOSTILE, 2)
    await hall.ask(THIRD)
    # One leaves while it waits, another just as its turn begins.
    hall.tasks[1].cancel()
    await hall.settle()
    hall.turns.end(OWNER)
    hall.tasks[2].cancel()
    await hall.settle()
    assert hall.began == [OWNER, THIRD]


async def test_a_crowded_source_can_be_refused_before_it_asks() -> None:
    hall = Hall(replace(BOUNDS, at_each=(4, 2)))
    for _ in range(3):
        hall.turns.require_place(HOSTILE)
        await hall.ask(HOSTILE)
    with pytest.raises(Overloaded):
        hall.turns.require_place(HOSTILE)
    hall.turns.require_place(NEIGHBOUR)
    await hall.ask(NEIGHBOUR, 3)
    for source in (HOSTILE, NEIGHBOUR, ("bad", "3")):
        with pytest.raises(Overloaded):
            hall.turns.require_place(source)
    await hall.serve(4)
    await hall.end(hall.began[-1])
    assert hall.remembers_nothing()


async def test_nothing_is_remembered_of_sources_that_want_no_more() -> None:
    hall = Hall()
    for number in range(50):
        await hall.ask((f"network {number % 7}", str(number)), 2)
    await hall.serve(99)
    await hall.end(hall.began[-1])
    assert hall.remembers_nothing()


@pytest.mark.parametrize("order", [(OWNER, HOSTILE), (HOSTILE, OWNER)])
async def test_turns_at_different_networks_are_shared_half_and_half(order: tuple[Source, Source]) -> None:
    hall = Hall()
    for source in order:
        await hall.ask(source, 10)
    began = [*order[:1], *await hall.serve(9)]
    assert (began.count(OWNER), began.count(HOSTILE)) == (5, 5)


async def test_only_those_who_wait_are_said_to_wait() -> None:
    hall = Hall()
    await hall.ask(HOSTILE)
    assert hall.turns.waiting() == []
    await hall.ask(NEIGHBOUR)
    await hall.ask(OWNER)
    assert hall.turns.waiting() == [NEIGHBOUR, OWNER]
    await hall.end(HOSTILE)
    assert hall.began == [HOSTILE, OWNER]
    assert hall.turns.waiting() == [NEIGHBOUR]
    await hall.end(OWNER)
    await hall.end(NEIGHBOUR)
