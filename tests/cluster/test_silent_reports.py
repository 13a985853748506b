"""While a database is frozen, questions over all databases end by their deadline, and play elsewhere goes on."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import count

import pytest

from gameserver.app import Core
from gameserver.commands.accounts import Application
from gameserver.commands.drafts import draft_of
from gameserver.commands.sign_up import enroll
from gameserver.config.settings import Settings
from gameserver.storage.accounts.claims import Key
from gameserver.storage.ids import slot_of, slot_of_key
from gameserver.storage.operators import parts, reports
from tests.support.client import Answer, Api, command_id
from tests.support.devices import device_of
from tests.support.freezing import frozen
from tests.support.nodes import InProcessNode, start_node
from tests.support.servers import SLOTS, Servers

SECONDS = 2.5
"""What an answer over all databases may take here; half of what it may take in service."""
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


async def test_rankings_beside_a_frozen_database_hold_up_no_sign_up_and_end_by_their_deadline(
    servers: Servers, node: InProcessNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "SECONDS", SECONDS)
    monkeypatch.setattr(parts, "OPEN_SECONDS", SECONDS * 0.3)
    rankings: list[tuple[float, Answer]] = []

    async def rank(api: Api) -> None:
        while True:
            began = time.monotonic()
            answer = await api.admin("rankings")
            rankings.append((time.monotonic() - began, answer))

    async with Api(node.url) as api:
        assert (await api.admin("rankings")).status == 200
        with frozen(servers.postgres["two"]):
            asking = [asyncio.create_task(rank(api)) for _ in range(10)]
            took: list[float] = []
            ends = time.monotonic() + 2 * SECONDS + 2
            while time.monotonic() < ends:
                began = time.monotonic()
                await asyncio.wait_for(sign_up_on(node.core, "one"), 10)
                took.append(time.monotonic() - began)
            for task in asking:
                task.cancel()
        assert rankings
        assert {answer.status for _, answer in rankings} == {503}
        # Nine of ten in time: the slowest are what a busy machine makes of them.
        slowness = sorted(seconds for seconds, _ in rankings)
        assert slowness[len(slowness) * 9 // 10 - 1] < SECONDS + 1.5
        assert slowness[-1] < 3 * SECONDS
        assert any("database two does not answer" in str(answer.body) for _, answer in rankings)
        assert sorted(took)[len(took) * 9 // 10] < 1.0
        assert max(took) < 2 * SECONDS
