"""Questions over all databases keep apart from play: their connections, their snapshots, and how long they may take."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack
from itertools import count

import pytest

from gameserver import app as application
from gameserver.app import Core
from gameserver.commands.accounts import Application
from gameserver.commands.drafts import draft_of
from gameserver.commands.sign_up import enroll
from gameserver.config.settings import Settings
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.accounts.claims import Key
from gameserver.storage.ids import slot_of, slot_of_key
from gameserver.storage.operators import parts, reports
from gameserver.storage.postgres import database
from gameserver.storage.postgres.database import REPORTS, Database
from gameserver.storage.postgres.shares import EACH, POOL, Purpose, using
from tests.support.client import Api, command_id
from tests.support.devices import device_of
from tests.support.freezing import frozen
from tests.support.nodes import InProcessNode, start_node
from tests.support.servers import SLOTS, Servers
from tests.support.wait import wait_until

LONG, SOON = 60.0, 0.5
"""Seconds: far longer than a test waits, and soon over."""
WITHIN = 30.0
_numbers = count(1)


@pytest.fixture
async def node(settings: Settings) -> AsyncIterator[InProcessNode]:
    async with AsyncExitStack() as stack:
        yield await start_node(stack, settings)


async def sign_up_on(core: Core, database: str) -> None:
    """A sign-up whose player and whose keys all lie on this database."""
    for number in _numbers:
        application, key = (
            Application(f"Reported {number}", "warrior", device=device_of(f"reporting {number}")),
            command_id(),
        )
        draft = draft_of(core.commands.accounts, application, key, 0)
        keys = [Key.parse(text) for text in draft.keys]
        owners = {core.slots.owner("accounts", slot_of_key(each.kind, each.text, SLOTS)).name for each in keys}
        if owners | {core.slots.owner("players", slot_of(draft.player.id)).name} == {database}:
            await enroll(core.commands.accounts, application, key)
            return


def in_use(asked: Database) -> int:
    """Connections that questions over all databases hold there."""
    return int(asked.reports.pool.checkedout())  # type: ignore[attr-defined]


async def test_rankings_beside_a_frozen_database_hold_up_no_sign_up_and_name_it(
    servers: Servers, node: InProcessNode
) -> None:
    async with Api(node.url) as api:
        assert (await api.admin("rankings")).status == 200
        with frozen(servers.postgres["two"]):
            asking = [asyncio.create_task(api.admin("rankings")) for _ in range(10)]
            for _ in range(10):
                await sign_up_on(node.core, "one")
            answers = await asyncio.gather(*asking)
        assert {answer.status for answer in answers} == {503}
        assert any("database two does not answer" in str(answer.body) for answer in answers)


async def test_questions_over_all_databases_take_no_connections_of_those_that_play_needs(core: Core) -> None:
    one, over = core.databases["one"], asyncio.Event()

    async def hold() -> None:
        async with one.report(asyncio.get_running_loop().time() + LONG):
            await over.wait()

    async with asyncio.TaskGroup() as group:
        for _ in range(REPORTS + POOL + 1):
            group.create_task(hold())

        async def are_opened() -> bool:
            return in_use(one) == REPORTS

        await wait_until(are_opened, what="as many are open as may be")
        async with AsyncExitStack() as stack:
            for purpose in Purpose:
                with using(purpose):
                    for _ in range(EACH):
                        await stack.enter_async_context(one.snapshot())
        over.set()


async def test_all_databases_are_asked_at_once(servers: Servers, core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "OPEN_SECONDS", LONG)
    monkeypatch.setattr(reports, "SECONDS", LONG)
    await core.rooms.operators.reports.count()
    databases = [core.databases[name] for name in ("one", "two")]

    async def are_all_asked() -> bool:
        return [in_use(each) for each in databases] == [1, 1]

    with ExitStack() as stack:
        for name in ("one", "two"):
            stack.enter_context(frozen(servers.postgres[name]))
        counting = asyncio.create_task(core.rooms.operators.reports.count())
        await wait_until(are_all_asked, what="both are asked while neither answers")
    await counting


@pytest.mark.parametrize(("opening", "all_of_it"), [(SOON, LONG), (LONG, SOON)])
async def test_a_silent_database_is_waited_for_no_longer_than_its_opening_and_the_whole_answer_may_take(
    servers: Servers, settings: Settings, monkeypatch: pytest.MonkeyPatch, opening: float, all_of_it: float
) -> None:
    monkeypatch.setattr(database, "QUERY_SECONDS", LONG)
    async with application.open_core(settings) as core:
        await core.rooms.operators.reports.count()
        with monkeypatch.context() as bounded:
            bounded.setattr(parts, "OPEN_SECONDS", opening)
            bounded.setattr(reports, "SECONDS", all_of_it)
            with frozen(servers.postgres["two"]):
                async with asyncio.timeout(WITHIN):
                    with pytest.raises(DatabaseUnavailable):
                        await core.rooms.operators.reports.count()
        assert [in_use(core.databases[name]) for name in ("one", "two")] == [0, 0]
        await core.rooms.operators.reports.count()
