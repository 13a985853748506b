"""A node process frozen between two steps of a sign-up, rename or deletion, and woken after the sweeper ran."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gameserver.app import Core
from gameserver.commands.accounts import Application
from gameserver.commands.sign_up import enroll
from gameserver.config.settings import Settings
from gameserver.stack.servers.node import NodeProcess
from gameserver.storage.accounts.claims import Claim, Key, KeyKind
from tests.support.client import Answer, Api, Signed, command_id
from tests.support.deployment import connected
from tests.support.devices import device_of
from tests.support.nodes import node_process
from tests.support.servers import roomy
from tests.support.uniqueness import assert_unique, sweep_all
from tests.support.wait import wait_until

DOZE = """
create function doze() returns trigger language plpgsql as 'begin perform pg_sleep(0.5); return null; end';
create constraint trigger doze after {event} deferrable initially deferred
    for each row when ({condition}) execute function doze()
"""
"""A commit of a row that meets the condition takes half a second, in which a node can be frozen: its write is committed
then, and its next step hasn't begun."""
SLEEPERS = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'"
Ask = Callable[[Api], Awaitable[Answer]]


@pytest.fixture
async def node(settings: Settings) -> AsyncIterator[NodeProcess]:
    """A node beside `core`, as a process."""
    with tempfile.TemporaryDirectory(dir=roomy()) as folder:
        one = node_process(settings, Path(folder), "node-1")
        await one.start()
        yield one
        one.kill()


@asynccontextmanager
async def frozen(
    core: Core, node: NodeProcess, event: str, condition: str, ask: Ask
) -> AsyncIterator[asyncio.Task[Answer]]:
    """The node is frozen after the commit of `event`, which `ask` causes; it goes on after the block."""
    pid = node.process.pid
    assert pid is not None
    urls = [core.databases[name].url for name in ("one", "two")]

    async def sleepers() -> int:
        counts = []
        for url in urls:
            async with connected(url) as connection:
                counts.append(await connection.fetchval(SLEEPERS))
        return sum(counts)

    async def none_sleep() -> bool:
        return not await sleepers()

    async with Api(node.address) as api:
        for url in urls:
            async with connected(url) as connection:
                await connection.execute(DOZE.format(event=event, condition=condition))
        asking = asyncio.ensure_future(ask(api))
        await wait_until(sleepers, what="the commit is under way")
        os.kill(pid, signal.SIGSTOP)
        await wait_until(none_sleep, what="the write of the node is committed")
        for url in urls:
            async with connected(url) as connection:
                await connection.execute("drop function doze() cascade")
        try:
            yield asking
        finally:
            os.kill(pid, signal.SIGCONT)
            await asyncio.wait([asking])


async def answer_of(node: NodeProcess, asking: asyncio.Task[Answer], ask: Ask) -> Answer:
    """The answer, asked again if need be: the request of a frozen node may have timed out."""
    answer = await asking
    async with Api(node.address) as api:
        while answer.status == 503:
            answer = await ask(api)
    return answer


def signing_up(name: str) -> Ask:
    key, body = command_id(), {"name": name, "class": "mage", "device": device_of(f"device of {name}")}
    return lambda api: api.ask("POST", "/v1/players", body=body, key=key)


def renaming(player: Signed, name: str) -> Ask:
    key = command_id()
    return lambda api: api.ask("POST", "/v1/players/me/name", token=player.token, body={"name": name}, key=key)


def deleting(player: Signed) -> Ask:
    key = command_id()
    return lambda api: api.ask("DELETE", "/v1/players/me", token=player.token, key=key)


async def take(core: Core, name: str) -> None:
    """Another player signs up under a name."""
    await enroll(
        core.commands.accounts, Application(name, "mage", device=device_of(f"another device for {name}")), command_id()
    )


async def ann(core: Core, node: NodeProcess) -> Signed:
    """Ann Lee, whose claims are confirmed, which follows the answer: no write of theirs is under way."""
    async with Api(node.address) as api:
        player = await api.sign_up(name="Ann Lee")

    async def confirmed() -> bool:
        held = await claim(core, "ann lee")
        return held is not None and held.confirmed

    await wait_until(confirmed, what="the name is confirmed")
    return player


async def claim(core: Core, name: str) -> Claim | None:
    return await core.rooms.accounts.claims.find(Key(KeyKind.NAME, name))


BEA = "new.key = 'bea lee'"


@pytest.mark.parametrize(("what", "event"), [
    ("sign up", "insert on claims"), ("rename", "insert on claims"), ("rename", "update on claims"),
])  # fmt: skip
async def test_a_node_frozen_between_reserving_and_its_commit_creates_nothing_after_the_sweeper(
    core: Core, node: NodeProcess, what: str, event: str
) -> None:
    player = await ann(core, node)
    ask = signing_up("Bea Lee") if what == "sign up" else renaming(player, "Bea Lee")
    condition = BEA if event.startswith("insert") else "new.key = 'ann lee'"
    async with frozen(core, node, event, condition, ask) as asking:
        assert await claim(core, "bea lee") is not None
        await sweep_all(core)
        assert await claim(core, "bea lee") is None
        await take(core, "Bea Lee")
        await assert_unique(core)
    answer = await answer_of(node, asking, ask)
    assert (answer.status, answer.code) == (409, "name_taken")
    identities = await assert_unique(core)
    assert sorted(identities.living.values()) == ["Ann Lee", "Bea Lee"]


@pytest.mark.parametrize("what", ["sign up", "rename"])
async def test_a_node_frozen_between_its_commit_and_the_confirmation_keeps_the_name_whatever_the_sweeper_does(
    core: Core, node: NodeProcess, what: str
) -> None:
    player = await ann(core, node)
    ask = signing_up("Bea Lee") if what == "sign up" else renaming(player, "Bea Lee")
    event = "insert on players" if what == "sign up" else "update of name on players"
    async with frozen(core, node, event, "new.name = 'Bea Lee'", ask) as asking:
        assert await sweep_all(core) == (3 if what == "sign up" else 4), "two claims of each name, and the device"
        identities = await assert_unique(core)
        assert "Bea Lee" in identities.living.values()
        if what == "rename":
            await take(core, "Ann Lee")
    answer = await answer_of(node, asking, ask)
    assert (answer.status, answer.body["player"]["name"]) == (201 if what == "sign up" else 200, "Bea Lee")
    identities = await assert_unique(core)
    assert sorted(identities.living.values()) == ["Ann Lee", "Bea Lee"]


async def test_a_node_frozen_in_the_middle_of_a_deletion_takes_nothing_from_who_came_after(
    core: Core, node: NodeProcess
) -> None:
    player = await ann(core, node)
    ask = deleting(player)
    async with frozen(core, node, "update of deleted on players", "new.deleted", ask) as asking:
        assert await sweep_all(core) == 3, "two claims of the name, and the device"
        assert await core.rooms.sessions.listed(int(player.id)) == []
        await enroll(core.commands.accounts, Application("Ann Lee", "mage", device=player.device), command_id())
        await assert_unique(core)
    assert (await answer_of(node, asking, ask)).status == 204
    identities = await assert_unique(core)
    assert (list(identities.living.values()), list(identities.deleted.values())) == (["Ann Lee"], ["Ann Lee"])


async def test_a_node_frozen_before_it_commits_a_deletion_deletes_nobody_after_the_sweeper_until_it_begins_anew(
    core: Core, node: NodeProcess
) -> None:
    player = await ann(core, node)
    ask = deleting(player)
    async with frozen(core, node, "update on claims", "new.key = 'ann lee' and not new.confirmed", ask) as asking:
        await sweep_all(core)
        assert list((await assert_unique(core)).living.values()) == ["Ann Lee"]
    assert (await answer_of(node, asking, ask)).status == 204
    assert list((await assert_unique(core)).deleted.values()) == ["Ann Lee"]
