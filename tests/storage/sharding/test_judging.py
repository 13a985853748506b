"""Whatever goes back in time, at whatever moment of a move: a slot gets one owner at the most, which has its rows."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gameserver.storage.sharding.judging import (
    NEVER,
    Circumstances,
    MovingSlot,
    Ownership,
    SlotView,
    Verdict,
    What,
    accept,
    judge,
)
from gameserver.storage.sharding.move import SlotStep, Step

NAMES = ("one", "two", "three")
CONTROL = "control"


@dataclass
class Server:
    """A database: its row of the slot, the marks and the rows that it has. None stands for no rows at all."""

    row: Ownership = NEVER
    rows: list[int] | None = None
    marks: set[int] = field(default_factory=set)


@dataclass
class Map:
    """The control database's part."""

    owner: str = "one"
    epoch: int = 1
    moving: MovingSlot | None = None
    moves: int = 0


class World:
    """One slot, three databases and a control database, each with its whole history."""

    def __init__(self) -> None:
        self.servers = {name: Server() for name in NAMES}
        self.servers["one"] = Server(Ownership(owned=True, epoch=1), [])
        self.map = Map()
        self.history: dict[str, list[Server | Map]] = {name: [] for name in (*NAMES, CONTROL)}
        self.written = 0
        self.remember()

    def remember(self) -> None:
        for name, server in self.servers.items():
            self.history[name].append(copy.deepcopy(server))
        self.history[CONTROL].append(copy.deepcopy(self.map))

    def go_back(self, name: str, steps: int) -> None:
        past = copy.deepcopy(self.history[name][max(0, len(self.history[name]) - 1 - steps)])
        if isinstance(past, Map):
            self.map = past
        else:
            self.servers[name] = past

    def owners(self) -> list[str]:
        return [name for name, server in self.servers.items() if server.row.owned]

    def write(self) -> None:
        """A player acts, wherever a database lets it."""
        for name in self.owners():
            self.written += 1
            rows = self.servers[name].rows
            assert rows is not None, f"{name} is written to without its rows"
            rows.append(self.written)

    def set_row(self, name: str, *, owned: bool, epoch: int) -> None:
        if self.servers[name].row.epoch < epoch:
            self.servers[name].row = Ownership(owned, epoch)

    def step(self, step: SlotStep, epoch: int, stage: Step = Step.MOVING) -> None:
        moving = self.map.moving
        assert moving is not None
        self.map.moving = MovingSlot(moving.move, moving.source, moving.target, stage, step, epoch)

    def moves(self, target: str, *, gives_back: bool = False) -> Iterator[None]:
        """A move in its steps, as the mover takes them; after each the world may be looked at."""
        source = self.map.owner
        if source == target or self.map.moving is not None:
            return
        self.map.moves += 1
        self.map.moving = MovingSlot(self.map.moves, source, target, Step.MOVING, SlotStep.WAITING, 0)
        self.servers[target].rows = list(self.servers[source].rows or [])
        yield
        epoch = self.map.epoch + 1
        self.step(SlotStep.FENCING, epoch)
        yield
        self.set_row(source, owned=False, epoch=epoch)
        self.servers[source].marks.add(epoch)
        yield
        self.servers[target].rows = list(self.servers[source].rows or [])
        self.servers[target].marks.add(epoch)
        yield
        if gives_back:
            yield from self.returns(source, target, epoch + 1)
            return
        self.step(SlotStep.FLIPPED, epoch + 1)
        self.map.owner, self.map.epoch = target, epoch + 1
        yield
        self.set_row(target, owned=True, epoch=epoch + 1)
        yield
        self.step(SlotStep.MOVED, epoch + 1)
        yield
        self.step(SlotStep.MOVED, epoch + 1, Step.CLEANING)
        yield
        self.servers[source].rows = None
        yield
        self.map.moving = None

    def returns(self, source: str, target: str, epoch: int) -> Iterator[None]:
        """The end of a move whose slot goes back to the source after its fence."""
        self.step(SlotStep.RETURNING, epoch)
        self.map.epoch = epoch
        yield
        self.set_row(source, owned=True, epoch=epoch)
        yield
        self.step(SlotStep.WAITING, epoch)
        yield
        self.servers[target].rows = None
        self.map.moving = None
        yield

    def recover(self) -> None:
        """What the next mover does with an unfinished move: back to the source before the flip, on after it."""
        moving = self.map.moving
        if moving is None:
            return
        if moving.step is SlotStep.FENCING:
            self.step(SlotStep.RETURNING, moving.epoch + 1)
            self.map.epoch = moving.epoch + 1
            moving = self.map.moving
            assert moving is not None
        if moving.step is SlotStep.RETURNING:
            self.set_row(moving.source, owned=True, epoch=moving.epoch)
            self.map.moving = None
        elif moving.step is SlotStep.FLIPPED and moving.epoch - 1 in self.servers[moving.target].marks:
            self.set_row(moving.target, owned=True, epoch=moving.epoch)
            self.map.moving = None
        elif moving.step is SlotStep.MOVED and self.servers[moving.target].row.epoch >= moving.epoch:
            self.servers[moving.source].rows = None
            self.map.moving = None

    def view(self) -> SlotView:
        rows = {name: server.row for name, server in self.servers.items()}
        return SlotView("players", 7, self.map.owner, self.map.epoch, rows, self.map.moving)

    def reconcile(self, changed: set[str], parts: int = 99) -> Verdict | None:
        """In the order of settling.py; with fewer parts it is killed before the end."""
        verdict = judge(self.view(), Circumstances(changed - {CONTROL}, set(), doubtful=CONTROL in changed))
        if verdict is None:
            return None
        winner = verdict.map[0] if verdict.what is What.LEARNT and verdict.map else None
        steps: list[Callable[[], None]] = []
        if winner in verdict.rows:
            steps.append(lambda: self._write(str(winner), verdict.rows[str(winner)]))
        steps.append(lambda: self._settle(verdict))
        steps += [
            lambda name=name, row=row: self._write(name, row)  # type: ignore[misc]
            for name, row in verdict.rows.items()
            if name != winner
        ]
        for each in steps[:parts]:
            each()
        return verdict

    def _settle(self, verdict: Verdict) -> None:
        if verdict.map is not None and self.map.epoch <= verdict.map[1]:
            self.map.owner, self.map.epoch = verdict.map
        if verdict.step is not None:
            self.step(*verdict.step, stage=self.map.moving.stage if self.map.moving else Step.MOVING)
            if verdict.step[0] is SlotStep.KEPT:
                self.map.moving = None

    def _write(self, name: str, row: Ownership) -> None:
        if self.servers[name].row.epoch <= row.epoch:
            self.servers[name].row = row


def play(world: World, plan: list[tuple[str, bool]], stop: int) -> None:
    """Moves the slot about, writing in between, until `stop` steps have been taken."""
    taken = 0
    for target, gives_back in plan:
        for _ in world.moves(target, gives_back=gives_back):
            world.write()
            world.remember()
            taken += 1
            if taken == stop:
                return


PLANS = st.lists(st.tuples(st.sampled_from(NAMES), st.booleans()), min_size=1, max_size=5)


@given(
    plan=PLANS,
    stop=st.integers(1, 45),
    who=st.sampled_from((*NAMES, CONTROL)),
    back=st.integers(0, 40),
    dies=st.integers(0, 4),
)
@hypothesis_settings(max_examples=200)
def test_a_server_that_went_back_leaves_one_owner_that_has_the_rows(
    plan: list[tuple[str, bool]], stop: int, who: str, back: int, dies: int
) -> None:
    world = World()
    play(world, plan, stop)
    # Nothing moves on: the movers' leases were taken.
    before = copy.deepcopy(world)
    world.go_back(who, back)
    changed = {who}
    world.reconcile(changed, dies)
    verdict = world.reconcile(changed)
    assert len(world.owners()) <= 1
    for later in (changed, set[str]()):
        again = world.reconcile(later)
        kinds = (again and again.what, verdict and verdict.what)
        assert (kinds == (What.CONFLICT, What.CONFLICT)) if What.CONFLICT in kinds else again is None
    world.recover()
    assert len(world.owners()) <= 1
    if verdict is not None and verdict.what is What.CONFLICT:
        assert who != CONTROL, "only a database can lose rows"
        assert world.owners() == []
        return
    if world.owners():
        (owner,) = world.owners()
        assert owner == world.map.owner
        assert world.servers[owner].rows is not None
        if who != before.map.owner:
            # What went back wasn't the owner: nothing is lost.
            assert world.servers[owner].rows == max((each.rows or [] for each in before.servers.values()), key=len)
    else:
        moving = world.map.moving
        assert moving is not None
        assert moving.stage is Step.CLEANING or moving.step is SlotStep.FLIPPED


@given(
    plan=PLANS,
    stop=st.integers(1, 45),
    pair=st.permutations((*NAMES, CONTROL)),
    back=st.tuples(st.integers(0, 40), st.integers(0, 40)),
)
@hypothesis_settings(max_examples=200)
def test_two_servers_that_went_back_leave_one_owner_at_the_most(
    plan: list[tuple[str, bool]], stop: int, pair: tuple[str, ...], back: tuple[int, int]
) -> None:
    world = World()
    play(world, plan, stop)
    for name, steps in zip(pair[:2], back, strict=True):
        world.go_back(name, steps)
    changed = set(pair[:2])
    world.reconcile(changed)
    assert len(world.owners()) <= 1
    world.recover()
    assert len(world.owners()) <= 1
    world.reconcile(set())
    assert len(world.owners()) <= 1
    assert all(world.servers[name].rows is not None for name in world.owners())


def test_what_an_operator_accepts_ends_a_conflict() -> None:
    rows = {"one": Ownership(owned=False, epoch=4), "two": NEVER}
    view = SlotView("players", 7, "two", 5, rows)
    verdict = judge(view, Circumstances({"two"}, set()))
    assert verdict is not None
    assert verdict.what is What.CONFLICT
    decided = accept(view, "two")
    assert decided.map == ("two", 6)
    assert decided.rows == {"two": Ownership(owned=True, epoch=6)}
    assert judge(SlotView("players", 7, "two", 6, {**rows, **decided.rows}), Circumstances(set(), set())) is None


@pytest.mark.parametrize("unseen", [set(), {"three"}])
def test_a_fenced_slot_that_the_map_forgot_waits_for_those_who_may_own_it(unseen: set[str]) -> None:
    rows = {"one": Ownership(owned=False, epoch=2), "two": NEVER}
    verdict = judge(SlotView("players", 7, "one", 1, rows), Circumstances(set(), unseen))
    assert verdict is not None
    assert verdict.what is (What.WAITS if unseen else What.LEARNT)
    assert verdict.map == (None if unseen else ("one", 4))


@pytest.mark.parametrize("step", [None, SlotStep.WAITING, SlotStep.FENCING], ids=["resting", "waiting", "fencing"])
def test_a_source_that_went_back_to_before_its_slot_was_returned_has_it_again(step: SlotStep | None) -> None:
    epoch = 4 if step is SlotStep.FENCING else 0
    moving = None if step is None else MovingSlot(2, "one", "two", Step.MOVING, step, epoch)
    rows = {"one": Ownership(owned=False, epoch=2), "two": NEVER}
    verdict = judge(SlotView("players", 7, "one", 3, rows, moving), Circumstances({"one"}, set()))
    if step is SlotStep.FENCING:
        assert verdict is None, "the mover gives it back"
    else:
        assert verdict is not None
        assert (verdict.what, verdict.rows) == (What.GRANTED, {"one": Ownership(owned=True, epoch=3)})
