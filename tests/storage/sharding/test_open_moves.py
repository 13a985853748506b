"""What /metrics tells of moves that aren't over: how many, and how long the slowest has got no further."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from prometheus_client import REGISTRY

from gameserver.storage.sharding.move import TURN, MoveRecord, SlotRecord, SlotStep, Step
from gameserver.storage.sharding.records import NOBODY
from gameserver.upkeep.open_moves import OpenMoves

SLOTS = [SlotRecord(slot, SlotStep.WAITING, 1, None) for slot in range(2)]
MOVE = MoveRecord(7, "players", "one", "two", Step.COPYING, 1, "here", False, "", None, None, SLOTS)


def shown(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"gameserver_{name}", labels)


def test_a_move_ages_while_it_gets_no_further() -> None:
    now = 0.0
    sharding: Any = SimpleNamespace(mover=SimpleNamespace(name="here"))
    figures = OpenMoves(sharding, lambda: now)
    figures.show([MOVE], {7: 10})
    now = 60.0
    figures.show([MOVE], {7: 10})
    assert (shown("move_progress_age_seconds"), shown("move_rows_copied")) == (60, 10)
    figures.show([MOVE], {7: 11})
    assert (shown("move_progress_age_seconds"), shown("move_rows_copied")) == (0, 11)
    now = 90.0
    moved = replace(MOVE, step=Step.MOVING, slots=[replace(SLOTS[0], step=SlotStep.MOVED), SLOTS[1]])
    for slots in (SLOTS, moved.slots):
        figures.show([replace(moved, slots=slots)], {7: 11})
        assert shown("move_progress_age_seconds") == 0
    now = 150.0
    failing = replace(moved, problem="two is away")
    figures.show([failing, replace(MOVE, id=8, mover="there")], {7: 11})
    assert shown("move_progress_age_seconds") == 60
    assert (shown("moves_open", state="waiting"), shown("moves_open", state="going_on")) == (1, 1)
    figures.show([], {})
    assert (shown("move_progress_age_seconds"), shown("moves_open", state="waiting")) == (0, 0)


def test_what_nobody_carries_out_ages_on_every_node_and_what_waits_its_turn_on_none() -> None:
    now = 0.0
    sharding: Any = SimpleNamespace(mover=SimpleNamespace(name="here"))
    figures = OpenMoves(sharding, lambda: now)
    in_turn, others = replace(MOVE, problem=TURN.format(target="two")), replace(MOVE, id=8, mover="there")
    figures.show([in_turn, others], {})
    now = 700.0
    figures.show([in_turn, others], {})
    assert shown("move_progress_age_seconds") == 0
    figures.show([replace(MOVE, id=9, mover=NOBODY)], {})
    now = 1400.0
    figures.show([replace(MOVE, id=9, mover=NOBODY)], {})
    assert shown("move_progress_age_seconds") == 700
