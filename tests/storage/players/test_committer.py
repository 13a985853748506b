"""Group commit: once under a command id, in order for each player, and the ledger explains every state."""

import asyncio
from collections.abc import Awaitable
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from gameserver.app import Core
from gameserver.rules.errors import CommandMismatch, GameError
from gameserver.storage.players.command import Command, Receipt
from tests.support.client import command_id
from tests.support.deployment import act, assert_ledger_explains, connected, enlist, enlist_many, ledger, order, settled
from tests.support.wait import wait_until


async def test_one_command_on_two_nodes_at_once_is_applied_once_and_both_get_the_same_answer(
    core: Core, second: Core
) -> None:
    players = await enlist_many(core, 20)
    commands = [order(core, player.id) for player in players]
    one, two = await asyncio.gather(settled(core, commands), settled(second, commands))
    for command, a, b in zip(commands, one, two, strict=True):
        assert isinstance(a, Receipt)
        assert isinstance(b, Receipt)
        assert (a.player, list(a.events)) == (b.player, list(b.events))
        assert sorted([a.replayed, b.replayed]) == [False, True]
        assert [row["key"] for row in await ledger(core, command.player_id)].count(command.id) == 1


async def test_a_command_that_comes_twice_in_one_batch_is_applied_once(core: Core) -> None:
    player = await enlist(core)
    command = order(core, player.id)
    first, again = await settled(core, [command, command])
    assert isinstance(first, Receipt)
    assert isinstance(again, Receipt)
    assert (first.replayed, again.replayed, again.player.version) == (False, True, 2)
    assert len(await ledger(core, player.id)) == 2


async def test_a_command_id_used_for_something_else_is_refused_and_changes_nothing(core: Core) -> None:
    player, key = await enlist(core), command_id()
    await act(core, player.id, key=key)
    for other in (order(core, player.id, key=key, foe="wolf"), order(core, player.id, "rest", key)):
        (outcome,) = await settled(core, [other])
        assert isinstance(outcome, CommandMismatch)
    assert len(await ledger(core, player.id)) == 2


async def test_the_same_command_id_of_two_players_is_two_commands(core: Core) -> None:
    one, two, key = await enlist(core), await enlist(core), command_id()
    outcomes = await settled(core, [order(core, one.id, key=key), order(core, two.id, key=key)])
    assert [isinstance(outcome, Receipt) and not outcome.replayed for outcome in outcomes] == [True, True]


async def test_more_commands_than_a_batch_takes_still_take_effect_in_the_order_submitted(core: Core) -> None:
    player = await enlist(core)
    keys = [command_id() for _ in range(100)]
    outcomes = await settled(core, [order(core, player.id, key=key, foe="slime") for key in keys])
    applied = [outcome.command_id for outcome in outcomes if isinstance(outcome, Receipt)]
    assert applied == [row["key"] for row in await ledger(core, player.id)][1:]
    assert len(applied) > 32


class Step(NamedTuple):
    """One submission: `again` repeats an earlier command of the same player, if there is one."""

    node: int
    player: int
    action: str
    again: int | None


steps = st.lists(
    st.builds(
        Step,
        st.integers(0, 1),
        st.integers(0, 4),
        st.sampled_from(["hunt", "hunt", "rest", "heal", "revive"]),
        st.none() | st.integers(0, 5),
    ),
    min_size=1,
    max_size=80,
)


@settings(max_examples=12)
@given(mix=steps)
async def test_any_mix_of_commands_retries_and_players_on_two_nodes_leaves_a_ledger_that_explains_every_player(
    core: Core, second: Core, mix: list[Step]
) -> None:
    nodes, players = (core, second), await enlist_many(core, 5)
    commands: list[Command] = []
    for step in mix:
        mine = [command for command in commands if command.player_id == players[step.player].id]
        again = mine[step.again % len(mine)] if mine and step.again is not None else None
        commands.append(again or order(core, players[step.player].id, step.action))
    parts = [[c for c, step in zip(commands, mix, strict=True) if step.node == node] for node in (0, 1)]
    outcomes = await asyncio.gather(*(settled(node, part) for node, part in zip(nodes, parts, strict=True)))
    for player in players:
        rows = await assert_ledger_explains(core, player.id)
        kept = {row["key"]: row["version"] for row in rows}
        for part, answers in zip(parts, outcomes, strict=True):
            fresh = _judge(player.id, part, answers, kept)
            assert fresh == sorted(fresh), "a node's commands took effect in another order than submitted"
        assert len(kept) == len(rows)


def _judge(player_id: int, part: list[Command], answers: list[Receipt | GameError], kept: dict[str, int]) -> list[int]:
    """Holds a node's answers for a player against the ledger; the versions that it made, in the order submitted."""
    fresh = []
    for command, answer in zip(part, answers, strict=True):
        if command.player_id != player_id:
            continue
        if isinstance(answer, Receipt):
            assert kept[command.id] == answer.player.version
            fresh += [] if answer.replayed else [answer.player.version]
        else:
            assert answer.code in {"player_is_down", "player_is_up", "full_hp"}
    return fresh


IN_TRANSACTION = (
    "select count(*) from pg_stat_activity where state like 'idle in transaction%' and application_name = $1"
)


async def test_a_transaction_begun_ahead_ends_when_nothing_comes_for_it(core: Core) -> None:
    """A session left in one would be ended by the server after a while, and the next batch with it."""
    players = await enlist_many(core, 40, "one")
    outcomes = [settled(core, [order(core, player.id) for _ in range(5)]) for player in players]
    assert all(any(isinstance(command, Receipt) for command in mine) for mine in await asyncio.gather(*outcomes))
    async with connected(core.databases["one"].url) as watcher:
        await wait_until(
            lambda: _holds(watcher.fetchval(IN_TRANSACTION, "gameserver"), 0), what="no session is in a transaction"
        )
        assert await watcher.fetchval(IN_TRANSACTION, "gameserver") == 0
    assert (await act(core, (await enlist(core, database="one")).id)).player.version == 2


async def _holds(asked: Awaitable[int], expected: int) -> bool:
    return await asked == expected
