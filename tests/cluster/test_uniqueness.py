"""Races for names over several nodes, some of which are killed meanwhile: one holder per name, no open claim left."""

import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError

from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.stack.servers.node import NodeProcess
from tests.support.client import Answer, Api, Signed, command_id
from tests.support.deployment import assert_ledger_explains, working
from tests.support.devices import device_of
from tests.support.nodes import node_process
from tests.support.servers import roomy
from tests.support.uniqueness import Identities, assert_unique, identities, sweep_all
from tests.support.wait import wait_until

AT_ONCE = 48
"""Requests under way at a time."""
PATIENCE = 60.0
"""Seconds in which a request has to get its answer, kills or not."""


@dataclass
class Field:
    """Node processes, a client of each, and counts of the requests."""

    nodes: Sequence[NodeProcess]
    apis: Sequence[Api]
    room: asyncio.Semaphore
    answers: int = 0
    retries: int = 0
    kills: int = 0

    async def ask(self, method: str, path: str, **request: Any) -> Answer:
        """The answer of any node; a request without an answer is sent again under the same key."""
        async with self.room:
            key, end = command_id(), time.monotonic() + PATIENCE
            while time.monotonic() < end:
                try:
                    answer = await random.choice(self.apis).ask(method, path, key=key, **request)
                except (ClientError, TimeoutError):
                    answer = None
                if answer is not None and answer.status != 503:
                    self.answers += 1
                    return answer
                self.retries += 1
                await asyncio.sleep(0.05)
        raise AssertionError(f"no answer to {method} {path} in {PATIENCE:g} s")

    async def kill(self, node: NodeProcess) -> None:
        """As when its machine fails; it is started again at once."""
        node.kill()
        self.kills += 1
        await node.start()

    async def kill_when(self, answers: int) -> None:
        await wait_until(lambda: self.answers >= answers, PATIENCE, f"{answers} answers")
        await self.kill(self.nodes[0])

    async def kill_for_ever(self, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            await self.kill(random.choice(self.nodes))


@asynccontextmanager
async def field(settings: Settings, nodes: int) -> AsyncIterator[Field]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=roomy())))
        processes = [node_process(settings, folder, f"node-{number}") for number in range(nodes)]
        for node in processes:
            stack.callback(node.kill)
        await asyncio.gather(*(node.start() for node in processes))
        apis = [await stack.enter_async_context(Api(node.address)) for node in processes]
        yield Field(processes, apis, asyncio.Semaphore(AT_ONCE))


async def race_to_sign_up(nodes: Field, names: int, per_name: int) -> Counter[tuple[int, str | None]]:
    """`per_name` sign-ups for each name, in random order; counts the statuses and codes."""
    wanted = [
        (f"Racer {name}", device_of(f"device {name} of {number}"))
        for name in range(names)
        for number in range(per_name)
    ]
    random.shuffle(wanted)
    bodies = [{"name": name, "class": "mage", "device": device} for name, device in wanted]
    answers = await asyncio.gather(*(nodes.ask("POST", "/v1/players", body=body) for body in bodies))
    return Counter((answer.status, answer.code) for answer in answers)


@dataclass
class Renamer:
    """A player that takes one name after the other, and in the end may delete itself."""

    player: Signed
    name: str
    done: int = 0
    deleted: bool = False

    async def play(self, nodes: Field, pool: Sequence[str], times: int) -> None:
        for _ in range(times):
            name = random.choice(pool)
            body = {"name": name}
            answer = await nodes.ask("POST", "/v1/players/me/name", token=self.player.token, body=body)
            assert (answer.status, answer.code) in ((200, None), (409, "name_taken")), answer.body
            if answer.status == 200:
                self.name, self.done = name, self.done + 1
        if random.random() < 0.2:
            answer = await nodes.ask("DELETE", "/v1/players/me", token=self.player.token)
            assert answer.status == 204, answer.body
            self.deleted = True


async def race_to_rename(nodes: Field, players: int, pool: Sequence[str], times: int) -> list[Renamer]:
    async def enter(number: int) -> Renamer:
        body = {"name": f"Renamer {number}", "class": "mage", "device": device_of(f"device of renamer {number}")}
        answer = (await nodes.ask("POST", "/v1/players", body=body)).body
        player = Signed(answer["player"]["id"], body["name"], body["device"], answer["session"]["token"])
        return Renamer(player, body["name"])

    renamers = await asyncio.gather(*map(enter, range(players)))
    await asyncio.gather(*(renamer.play(nodes, pool, times) for renamer in renamers))
    return renamers


async def assert_each_has_the_name_of_its_last_answer(
    core: Core, identities_now: Identities, renamers: Sequence[Renamer]
) -> None:
    for renamer in renamers:
        player_id = int(renamer.player.id)
        assert renamer.deleted == (player_id in identities_now.deleted)
        if not renamer.deleted:
            assert identities_now.living[player_id] == renamer.name
            actions = [row["action"] for row in await assert_ledger_explains(core, player_id)]
            assert actions.count("rename") == renamer.done


async def killing(work: Callable[[], Awaitable[Any]], kills: Awaitable[None]) -> Any:
    """The result of `work`, during which nodes are killed."""
    task = asyncio.ensure_future(kills)
    try:
        return await work()
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_of_600_sign_ups_for_60_names_over_two_nodes_one_of_which_is_killed_60_players_come(
    core: Core, settings: Settings
) -> None:
    async with field(settings, 2) as nodes:
        outcomes = await killing(lambda: race_to_sign_up(nodes, 60, 10), nodes.kill_when(200))
        renaming = race_to_rename(nodes, 16, [f"Name {number}" for number in range(8)], 6)
        renamers = await killing(lambda: renaming, nodes.kill_when(nodes.answers + 50))
        assert nodes.kills == 2
    assert outcomes == {(201, None): 60, (409, "name_taken"): 540}
    await assert_unique(core, open_claims=True)
    await sweep_all(core)
    identities_now = await assert_unique(core)
    assert len([name for name in identities_now.living.values() if name.startswith("Racer")]) == 60
    await assert_each_has_the_name_of_its_last_answer(core, identities_now, renamers)


async def left(core: Core) -> int:
    """Claims that are still open."""
    return sum(not confirmed for _, confirmed in (await identities(core)).claims)


@pytest.mark.soak
async def test_of_10_000_sign_ups_for_1_000_names_over_three_nodes_that_are_killed_1_000_players_come(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    async with working(settings) as core, field(settings, 3) as nodes:
        started = time.monotonic()
        outcomes = await killing(lambda: race_to_sign_up(nodes, 1000, 10), nodes.kill_for_ever(3))
        await tell(
            capsys, core, nodes, started, f"{outcomes[201, None]} players, {outcomes[409, 'name_taken']} refused"
        )
        await assert_unique(core, open_claims=True)
        assert outcomes == {(201, None): 1000, (409, "name_taken"): 9000}
        await wait_until(lambda: settled(core), 90, "the nodes' sweepers have settled every claim")
        identities_now = await assert_unique(core)
        assert len(identities_now.living) == 1000
        assert len(identities_now.claims) == 2000


@pytest.mark.soak
async def test_players_who_grab_each_others_names_over_three_nodes_that_are_killed_hold_what_they_were_told(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    async with working(settings) as core, field(settings, 3) as nodes:
        started, pool = time.monotonic(), [f"Name {number}" for number in range(260)]
        renamers = await killing(lambda: race_to_rename(nodes, 200, pool, 30), nodes.kill_for_ever(3))
        done, gone = sum(renamer.done for renamer in renamers), sum(renamer.deleted for renamer in renamers)
        await tell(capsys, core, nodes, started, f"{done} of {200 * 30} renames done, {gone} of 200 players deleted")
        await assert_unique(core, open_claims=True)
        await wait_until(lambda: settled(core), 90, "the nodes' sweepers have settled every claim")
        await assert_each_has_the_name_of_its_last_answer(core, await assert_unique(core), renamers)


async def tell(capsys: pytest.CaptureFixture[str], core: Core, nodes: Field, started: float, what: str) -> None:
    """The figures of a race."""
    figures = f"{time.monotonic() - started:.0f} s, {nodes.kills} kills, {nodes.retries} retries"
    with capsys.disabled():
        sys.stdout.write(f"\n{what}: {figures}, {await left(core)} claims open at its end\n")


async def settled(core: Core) -> bool:
    return not await left(core)
