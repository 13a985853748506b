"""A node process that is frozen or signalled to stop while a transaction is under way."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.stack.servers.node import NodeProcess
from gameserver.storage.ids import slot_of
from tests.storage.sharding.moving import assert_settled, insist, move
from tests.support.client import Api, Signed, command_id
from tests.support.deployment import act, connected, ledger, owner
from tests.support.nodes import node_process
from tests.support.servers import roomy
from tests.support.wait import wait_until

SLOW_REST = """
create function doze() returns trigger language plpgsql as 'begin perform pg_sleep({seconds}); return new; end';
create trigger doze before insert on ledger for each row when (new.action = 'rest') execute function doze()
"""
PARSING = """
    select count(*) from pg_locks l join pg_class c on c.oid = l.relation
    where c.relname = 'letter_counts' and not l.granted
"""
SLEEPERS = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'"


@pytest.fixture
async def node(settings: Settings) -> AsyncIterator[NodeProcess]:
    """A node beside `core`, as a process."""
    with tempfile.TemporaryDirectory(dir=roomy()) as folder:
        one = node_process(settings, Path(folder), "node-1")
        await one.start()
        yield one
        one.kill()


@asynccontextmanager
async def slow_rest(core: Core, player: Signed, seconds: float = 0.5) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """The player's rest takes so long; yields a wait until its transaction is under way."""
    async with connected(core.slots.owner("players", slot_of(int(player.id))).url) as connection:
        await connection.execute(SLOW_REST.format(seconds=seconds))
        await connection.execute("update players set hp = 50 where id = $1", int(player.id))

        async def sleeps() -> bool:
            return bool(await connection.fetchval(SLEEPERS))

        async def is_under_way() -> None:
            await wait_until(sleeps, what="the transaction is under way")

        yield is_under_way


def pid_of(node: NodeProcess) -> int:
    assert node.process.pid is not None
    return node.process.pid


async def test_a_node_frozen_in_a_transaction_holds_its_player_for_seconds_and_its_command_is_applied_once(
    core: Core, node: NodeProcess
) -> None:
    async with Api(node.address) as api:
        player, key = await api.sign_up(), command_id()
        async with slow_rest(core, player) as is_under_way:
            acting = asyncio.create_task(api.act(player, "rest", key))
            await is_under_way()
            os.kill(pid_of(node), signal.SIGSTOP)
            receipt = await act(core, int(player.id), "rest", key)
            assert (receipt.replayed, receipt.player.version) == (False, 2)
            assert not acting.done()
            os.kill(pid_of(node), signal.SIGCONT)
            answer = await acting
    assert (answer.status, answer.body["replayed"], answer.body["player"]["version"]) == (200, True, 2)
    assert len(await assert_ledger_begins(core, player)) == 2


async def test_a_node_frozen_across_a_cut_over_wakes_with_an_old_map_and_writes_only_where_the_slot_is_now(
    core: Core, node: NodeProcess
) -> None:
    async with Api(node.address) as api:
        player, key = await api.sign_up(), command_id()
        player_id, source = int(player.id), owner(core, int(player.id))
        target = "two" if source == "one" else "one"
        async with slow_rest(core, player) as is_under_way:
            acting = asyncio.create_task(api.act(player, "rest", key))
            await is_under_way()
            os.kill(pid_of(node), signal.SIGSTOP)
            await move(core, [slot_of(player_id)], target)
            elsewhere = await act(core, player_id, "rest")
            assert not acting.done()
            os.kill(pid_of(node), signal.SIGCONT)
            answer = await acting
            if answer.status == 503:
                # The move has waited for what the node was at when it froze, longer than a command may take.
                answer = await api.act(player, "rest", key)
    assert answer.status == 200, answer.body
    assert [row["key"] for row in (await assert_ledger_begins(core, player))[1:]] == [elsewhere.command_id, key]
    assert owner(core, player_id) == target
    await assert_settled(core)


async def test_a_node_frozen_between_a_statement_and_its_arguments_holds_its_player_for_seconds(
    core: Core, node: NodeProcess
) -> None:
    async with Api(node.address) as api:
        player, other, key = await api.sign_up(), await api.sign_up(), command_id()
        player_id = int(player.id)
        async with connected(core.slots.owner("players", slot_of(player_id)).url) as blocker:
            # Postgres can't parse the node's next statement but for this lock; then it waits for the arguments.
            await blocker.execute("begin; lock table letter_counts in access exclusive mode")
            acting = asyncio.create_task(api.act(player, "duel", key, player=other.id))
            await wait_until(lambda: blocker.fetchval(PARSING), 20, "the node's statement is parsed")
            os.kill(pid_of(node), signal.SIGSTOP)
            await blocker.execute("commit")
            receipt = await insist(core, player_id)
        assert receipt.player.version == 2
        os.kill(pid_of(node), signal.SIGCONT)
        await acting
    await assert_ledger_begins(core, player)


async def assert_ledger_begins(core: Core, player: Signed) -> list[Mapping[str, Any]]:
    """Its versions are consecutive from the sign-up on."""
    rows = await ledger(core, int(player.id))
    assert [row["version"] for row in rows] == list(range(1, len(rows) + 1))
    return rows


async def test_a_node_told_to_stop_answers_what_it_has_begun_takes_nothing_new_and_ends_with_0(
    core: Core, node: NodeProcess
) -> None:
    async def refuses() -> bool:
        try:
            _, writer = await asyncio.open_connection(node.host, node.port)
        except OSError:
            return True
        writer.close()
        return False

    async with Api(node.address) as api:
        player = await api.sign_up()
        async with slow_rest(core, player, 1.5) as is_under_way:
            acting = asyncio.create_task(api.act(player, "rest"))
            await is_under_way()
            os.kill(pid_of(node), signal.SIGTERM)
            await wait_until(refuses, 20, "new connections are refused")
            assert not acting.done()
            answer = await acting
        assert (answer.status, answer.body["player"]["version"]) == (200, 2)
        await wait_until(lambda: node.process.status is not None, 20, "the node has ended")
        assert node.process.status == 0


async def test_a_socket_of_a_node_told_to_stop_is_told_so_and_gets_the_answer_to_what_it_has_asked(
    core: Core, node: NodeProcess
) -> None:
    async with Api(node.address) as api:
        player = await api.sign_up()
        socket = await api.socket(player.token)
        async with slow_rest(core, player) as is_under_way:
            await socket.connection.send_json({"id": 77, "op": "act", "action": "rest", "args": {}})
            await is_under_way()
            os.kill(pid_of(node), signal.SIGTERM)
            messages = [message.json() async for message in socket.connection]
        assert socket.connection.close_code == 1001
        await wait_until(lambda: node.process.status is not None, 20, "the node has ended")
        assert node.process.status == 0
    assert [message["push"] for message in messages if "push" in message] == ["going_away"]
    assert [message["ok"]["player"]["version"] for message in messages if message.get("id") == 77] == [2]
