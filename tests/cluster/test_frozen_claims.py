"""A node as a process, frozen between two steps of a sign-up, a rename or a deletion, and woken after the sweeper."""

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
from gameserver.storage.accounts.claims import Claim, Key, Kind
from tests.support.client import Answer, Api, Signed, command_id
from tests.support.deployment import connected
from tests.support.nodes import node_process
from tests.support.servers import roomy
from tests.support.uniqueness import assert_unique, sweep_all
from tests.support.wait import wait_until

DOZE = """
create function doze() returns trigger language plpgsql as 'begin perform pg_sleep(0.5); return null; end';
create constraint trigger doze after {event} deferrable initially deferred
    for each row when ({condition}) execute function doze()
"""
"""Makes the commit of what the condition names take half a second, so that a node can be frozen while it waits for it:
what it has written is kept, and what comes next hasn't begun."""
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
    """The node stands still after the commit of `event`, which asking brings about; it goes on after the block."""
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
        asked = asyncio.ensure_future(ask(api))
        await wait_until(sleepers, what="the commit is under way")
        os.kill(pid, signal.SIGSTOP)
        await wait_until(none_sleep, what="what the node wrote is kept")
        for url in urls:
            async with connected(url) as connection:
                await connection.execute("drop function doze() cascade")
        try:
            yield asked
        finally:
            os.kill(pid, signal.SIGCONT)
            await asyncio.wait([asked])


async def answered(node: NodeProcess, asked: asyncio.Task[Answer], ask: Ask) -> Answer:
    """What came of it, if need be by asking again: who was frozen may find that he waited too long."""
    answer = await asked
    async with Api(node.address) as api:
        while answer.status == 503:
            answer = await ask(api)
    return answer


def signing_up(name: str) -> Ask:
    key, body = command_id(), {"name": name, "class": "mage", "device": f"device of {name}"}
    return lambda api: api.ask("POST", "/v1/players", body=body, key=key)


def renaming(who: Signed, name: str) -> Ask:
    key = command_id()
    return lambda api: api.ask("POST", "/v1/players/me/name", token=who.token, body={"name": name}, key=key)


def deleting(who: Signed) -> Ask:
    key = command_id()
    return lambda api: api.ask("DELETE", "/v1/players/me", token=who.token, key=key)


async def take(core: Core, name: str) -> None:
    """Somebody else signs up under a name."""
    await enroll(core.commands.accounts, Application(name, "mage", device=f"another device for {name}"), command_id())


async def ann(node: NodeProcess) -> Signed:
    async with Api(node.address) as api:
        return await api.sign_up(name="Ann Lee")


async def claim(core: Core, name: str) -> Claim | None:
    return await core.rooms.accounts.claims.find(Key(Kind.NAME, name))


BEA = "new.key = 'bea lee'"


@pytest.mark.parametrize(("what", "event"), [
    ("sign up", "insert on claims"), ("rename", "insert on claims"), ("rename", "update on claims"),
])  # fmt: skip
async def test_a_node_frozen_between_reserving_and_its_commit_creates_nothing_after_the_sweeper(
    core: Core, node: NodeProcess, what: str, event: str
) -> None:
    who = await ann(node)
    ask = signing_up("Bea Lee") if what == "sign up" else renaming(who, "Bea Lee")
    condition = BEA if event.startswith("insert") else "new.key = 'ann lee'"
    async with frozen(core, node, event, condition, ask) as asked:
        assert await claim(core, "bea lee") is not None
        await sweep_all(core)
        assert await claim(core, "bea lee") is None
        await take(core, "Bea Lee")
        await assert_unique(core)
    answer = await answered(node, asked, ask)
    assert (answer.status, answer.code) == (409, "name_taken")
    found = await assert_unique(core)
    assert sorted(found.living.values()) == ["Ann Lee", "Bea Lee"]


@pytest.mark.parametrize("what", ["sign up", "rename"])
async def test_a_node_frozen_between_its_commit_and_the_confirmation_keeps_the_name_whatever_the_sweeper_does(
    core: Core, node: NodeProcess, what: str
) -> None:
    who = await ann(node)
    ask = signing_up("Bea Lee") if what == "sign up" else renaming(who, "Bea Lee")
    event = "insert on players" if what == "sign up" else "update of name on players"
    async with frozen(core, node, event, "new.name = 'Bea Lee'", ask) as asked:
        assert await sweep_all(core) == 2
        found = await assert_unique(core)
        assert "Bea Lee" in found.living.values()
        if what == "rename":
            await take(core, "Ann Lee")
    answer = await answered(node, asked, ask)
    assert (answer.status, answer.told["player"]["name"]) == (201 if what == "sign up" else 200, "Bea Lee")
    found = await assert_unique(core)
    assert sorted(found.living.values()) == ["Ann Lee", "Bea Lee"]


async def test_a_node_frozen_in_the_middle_of_a_deletion_takes_nothing_from_who_came_after(
    core: Core, node: NodeProcess
) -> None:
    who = await ann(node)
    ask = deleting(who)
    async with frozen(core, node, "update of deleted on players", "new.deleted", ask) as asked:
        assert await sweep_all(core) == 2
        assert await core.rooms.sessions.listed(int(who.id)) == []
        await enroll(core.commands.accounts, Application("Ann Lee", "mage", device=who.device), command_id())
        await assert_unique(core)
    assert (await answered(node, asked, ask)).status == 204
    found = await assert_unique(core)
    assert (list(found.living.values()), list(found.deleted.values())) == (["Ann Lee"], ["Ann Lee"])


async def test_a_node_frozen_before_it_commits_a_deletion_deletes_nobody_after_the_sweeper_until_it_begins_anew(
    core: Core, node: NodeProcess
) -> None:
    who = await ann(node)
    ask = deleting(who)
    async with frozen(core, node, "update on claims", "new.key = 'ann lee' and not new.confirmed", ask) as asked:
        await sweep_all(core)
        assert list((await assert_unique(core)).living.values()) == ["Ann Lee"]
    assert (await answered(node, asked, ask)).status == 204
    assert list((await assert_unique(core)).deleted.values()) == ["Ann Lee"]
