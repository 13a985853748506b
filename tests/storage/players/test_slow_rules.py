"""A rule that takes too long ends its own command alone: it runs once, and the others of its batch are committed."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.rules.errors import RuleBroken
from gameserver.storage.players.command import Receipt
from gameserver.storage.players.rule_time import longest_rule
from tests.storage.players import faulty
from tests.support.client import command_id
from tests.support.deployment import (
    act,
    assert_ledger_explains,
    carrying,
    drained,
    enlist,
    enlist_many,
    order,
    settled,
    with_rules,
    working,
)

RULES = {name: f"tests.storage.players.faulty:{name}" for name in ("ponder", "bewitch")}
BEYOND = 2.6
"""Seconds after which Postgres has ended a transaction that waits for the node."""


@pytest.fixture
def ran() -> Iterator[list[str]]:
    faulty.ran.clear()
    yield faulty.ran
    faulty.ran.clear()


@pytest.fixture
async def core(settings: Settings, tmp_path: Path) -> AsyncIterator[Core]:
    changed = with_rules(settings, tmp_path, RULES, {"hexed": "tests.storage.players.faulty:hexed"})
    async with working(changed) as opened:
        yield opened


def test_a_rule_may_take_less_than_a_transaction_may_wait() -> None:
    assert (longest_rule(2), longest_rule(60), longest_rule(0.5)) == (1.0, 1.0, 0.25)


@pytest.mark.parametrize("seconds", [1.2, BEYOND])
async def test_a_rule_that_takes_too_long_runs_once_and_fails_alone(core: Core, ran: list[str], seconds: float) -> None:
    slow, other, third = await enlist_many(core, 3, "one")
    commands = [
        order(core, other.id),
        order(core, slow.id),
        order(core, slow.id, "ponder", milliseconds=int(seconds * 1000)),
        order(core, slow.id),
        order(core, third.id),
    ]
    outcomes = await settled(core, commands)
    assert [type(outcome) for outcome in outcomes] == [Receipt, Receipt, RuleBroken, Receipt, Receipt]
    broken = outcomes[2]
    assert isinstance(broken, RuleBroken)
    assert broken.code == "internal"
    assert "a rule may take 1 s" in broken.fault
    assert ran == ["ponder"]
    assert [row["action"] for row in await assert_ledger_explains(core, slow.id)] == ["sign_up", "hunt", "hunt"]


async def test_two_copies_of_a_command_whose_rule_takes_too_long_run_it_once(core: Core, ran: list[str]) -> None:
    (slow,) = await enlist_many(core, 1, "one")
    key = command_id()
    copies = [order(core, slow.id, "ponder", key, milliseconds=1200) for _ in range(2)]
    outcomes = await settled(core, copies)
    assert [type(outcome) for outcome in outcomes] == [RuleBroken, RuleBroken]
    assert isinstance(await act(core, slow.id), Receipt)
    assert ran == ["ponder"]
    assert [row["action"] for row in await assert_ledger_explains(core, slow.id)] == ["sign_up", "hunt"]


async def test_many_rules_that_are_somewhat_slow_lose_no_transaction(core: Core, ran: list[str]) -> None:
    players = await enlist_many(core, 5, "one")
    outcomes = await settled(core, [order(core, player.id, "ponder", milliseconds=600) for player in players])
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    assert ran == ["ponder"] * 5


@pytest.mark.parametrize(
    ("stalls", "runs"), [([("works", 1.1)], 1), ([("sleeps", BEYOND), ("sleeps", 1.1)], 2)], ids=["works", "sleeps"]
)
async def test_a_letter_whose_rule_takes_too_long_is_refused_for_good(
    core: Core, ran: list[str], stalls: list[tuple[str, float]], runs: int
) -> None:
    one, _ = await hexed(core, stalls)
    rows = await assert_ledger_explains(core, one)
    assert [row["action"] for row in rows] == ["sign_up", "bewitch", "mail:returned"]
    assert '"reason":"internal"' in rows[-1]["args"]
    assert ran == ["hexed"] * runs


@pytest.mark.parametrize("seconds", [1.1, BEYOND])
async def test_a_letter_during_whose_rule_the_node_stood_still_takes_effect(
    core: Core, ran: list[str], seconds: float
) -> None:
    """To a process that is stopped, and to one that sleeps, the clocks say the same."""
    one, two = await hexed(core, [("sleeps", seconds)])
    assert ran == ["hexed"] * 2
    assert [row["action"] for row in await assert_ledger_explains(core, one)] == ["sign_up", "bewitch"]
    assert [row["action"] for row in await assert_ledger_explains(core, two)] == ["sign_up", "mail:hexed"]


async def hexed(core: Core, stalls: list[tuple[str, float]]) -> tuple[int, int]:
    """The sender and the recipient of a letter, after its rule has stalled so and the letter has come to its end."""
    faulty.stalls[:] = stalls
    one, two = await enlist(core, database="one"), await enlist(core, database="two")
    async with carrying(core):
        await act(core, one.id, "bewitch", player=str(two.id))
        await drained(core)
    return one.id, two.id
