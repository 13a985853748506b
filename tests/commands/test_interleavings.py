"""Sign-ups, renames, deletions and sweepers, stopped before every call of the storage and carried on in any order.

A step is one call. Who is killed does nothing more; who isn't carried on is frozen, and wakes after the sweeper.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameserver.app import Core
from gameserver.commands.accounts import Accounts, Application, Welcome
from gameserver.commands.identity import delete, rename
from gameserver.commands.sign_up import enroll, sign_up
from gameserver.rules.errors import GameError
from gameserver.storage.accounts.claims import Claims
from gameserver.storage.accounts.credentials import Credentials
from gameserver.storage.accounts.enrolments import Enrolments
from gameserver.storage.accounts.identities import Identities
from gameserver.upkeep.loops import sweep
from tests.support.client import command_id
from tests.support.deployment import assert_ledger_explains, connected, ledger
from tests.support.devices import device_of
from tests.support.uniqueness import assert_unique, let_pass, sweep_all

NAMES = ("Ann Lee", "Bea Lee", "Cid Lee")
Command = Callable[[Accounts], Awaitable[object]]


class Killed(BaseException):
    """The process is gone: nothing that was to be done at last is done either."""


class Turns:
    """A part of the storage, each of whose calls waits for its turn; a `forgetful` one loses what nobody waits for."""

    def __init__(self, part: object, turn: Callable[[], Awaitable[None]], *, forgetful: bool = False) -> None:
        self._part, self._turn, self._forgetful = part, turn, forgetful

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._part, name)
        if not asyncio.iscoroutinefunction(call):
            return (lambda *_: None) if self._forgetful and name == "confirm_soon" else call

        async def wait_and_call(*args: Any, **named: Any) -> Any:
            await self._turn()
            return await call(*args, **named)

        return wait_and_call


class Actor:
    """One command on its way."""

    def __init__(self, core: Core, command: Command, *, forgetful: bool) -> None:
        self._at_a_stop, self._go, self._dead = asyncio.Event(), asyncio.Event(), False
        room = core.rooms.accounts
        turning = replace(
            room,
            claims=cast("Claims", Turns(room.claims, self._turn, forgetful=forgetful)),
            enrolments=cast("Enrolments", Turns(room.enrolments, self._turn)),
            identities=cast("Identities", Turns(room.identities, self._turn)),
            credentials=cast("Credentials", Turns(room.credentials, self._turn)),
        )
        stepped = replace(core.commands.accounts, room=turning)
        self.task = asyncio.ensure_future(command(stepped))

    async def _turn(self) -> None:
        if not self._dead:
            self._at_a_stop.set()
            await self._go.wait()
            self._go.clear()
        if self._dead:
            raise Killed

    async def step(self) -> None:
        """Its next call, up to before the one after it."""
        self._at_a_stop.clear()
        self._go.set()
        stop = asyncio.ensure_future(self._at_a_stop.wait())
        await asyncio.wait([self.task, stop], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()

    async def finish(self) -> None:
        while not self.task.done():
            await self.step()

    async def kill(self) -> None:
        self._dead = True
        await self.finish()

    def acknowledged(self) -> bool:
        """Whether it was answered well. Raises what no command may."""
        error = self.task.exception()
        if error is not None and not isinstance(error, GameError | Killed):
            raise error
        return error is None


def commands(players: list[Welcome]) -> st.SearchStrategy[tuple[str, Command]]:
    """Commands of a few players for a few names, often the same; each with its command id, as it can come again."""
    ids = [command_id() for _ in range(6)]

    def renaming(who: Welcome, name: str, key: str) -> tuple[str, Command]:
        return key, lambda accounts: rename(accounts, who.session, name, key)

    def deleting(who: Welcome, key: str) -> tuple[str, Command]:
        return key, lambda accounts: delete(accounts, who.token, key)

    def signing_up(name: str, number: int) -> tuple[str, Command]:
        wanted = Application(name, "mage", device=device_of(f"device {number}"))
        return ids[number], lambda accounts: enroll(accounts, wanted, ids[number])

    who, name = st.sampled_from(players), st.sampled_from(NAMES)
    return st.one_of(
        st.builds(renaming, who, name, st.sampled_from(ids[3:5])),
        st.builds(deleting, who, st.just(ids[5])),
        st.builds(signing_up, name, st.integers(0, 2)),
        st.just(("", sweep)),
    )


STEPS = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["step"] * 12 + ["kill", "let pass"])), max_size=40)


@settings(max_examples=6)
@given(data=st.data())
async def test_whoever_is_stopped_killed_or_woken_at_any_step_no_name_is_free_or_twice_and_no_claim_is_left(
    core: Core, second: Core, data: st.DataObject
) -> None:
    await play(core, second, data)


@pytest.mark.soak
@settings(max_examples=400)
@given(data=st.data())
async def test_thousands_of_interleavings_leave_no_name_free_or_twice_and_no_claim(
    core: Core, second: Core, data: st.DataObject
) -> None:
    await play(core, second, data)


async def play(core: Core, second: Core, data: st.DataObject) -> None:
    """One interleaving, looked at after every step, and at its end after the sweeper."""
    for database in ("one", "two"):
        async with connected(core.databases[database].url) as connection:
            await connection.execute("truncate players, claims, ledger, credentials")
    players = [
        await sign_up(
            core.commands.accounts, Application(name, "mage", device=device_of(f"device of {name}")), command_id()
        )
        for name in NAMES[:2]
    ]
    chosen = data.draw(st.lists(commands(players), min_size=1, max_size=5))
    actors = [
        Actor((core, second)[number % 2], command, forgetful=data.draw(st.booleans()))
        for number, (_, command) in enumerate(chosen)
    ]
    for number, what in data.draw(STEPS):
        actor = actors[number % len(actors)]
        if what == "let pass":
            await let_pass(core)
        else:
            await (actor.kill() if what == "kill" else actor.step())
        await assert_unique(core, open_claims=True)
    await sweep_all(core)
    await assert_unique(core, open_claims=True)
    for actor in actors:
        await actor.finish()
    await sweep_all(core)
    found = await assert_unique(core)
    kept = {row["key"] for player_id in (*found.living, *found.deleted) for row in await ledger(core, player_id)}
    done = {key for (key, _), actor in zip(chosen, actors, strict=True) if actor.acknowledged() and key}
    assert done <= kept, "what was acknowledged is kept"
    for player_id in found.living:
        await assert_ledger_explains(core, player_id)
