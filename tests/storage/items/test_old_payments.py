"""Payments with items in another database whose command is old or undone, or that can't be given back."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.rules.errors import (
    CommandExpired,
    DatabaseUnavailable,
    OutcomeUnknown,
    Overloaded,
    Refused,
    Unavailable,
)
from gameserver.storage.ids import new_command_id, slot_of
from gameserver.storage.items.inventory import Grant, Reservation
from gameserver.storage.items.payment_ledger import PaymentLedger
from gameserver.storage.players import payments
from gameserver.upkeep import loops
from tests.storage.items.deployment import assert_sums, give, held, move, part, with_studio
from tests.support.client import command_id
from tests.support.deployment import act, connected, enlist, working
from tests.support.wait import wait_until


@pytest.fixture
async def core(settings: Settings, tmp_path: Path) -> AsyncIterator[Core]:
    """A deployment whose items all lie in the other database than their player."""
    await part(settings)
    async with working(with_studio(settings, tmp_path)) as opened:
        yield opened


def _ledger(core: Core) -> PaymentLedger:
    return core.rooms.players.payments._ledger


async def test_an_action_whose_payment_is_settled_and_whose_ledger_row_is_dropped_has_expired(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    player, attempts = await enlist(core, database="two"), 0
    await give(core, player.id, "herb", 3)
    key = new_command_id(int((datetime.now(UTC) - timedelta(days=8)).timestamp() * 1000))
    async with connected(core.slots.owner("items", slot_of(player.id)).url) as items:
        await items.execute(
            "insert into item_ledger (slot, player_id, command_id, kind, token, items, settled, at)"
            " values ($1, $2, $3, 'take', gen_random_uuid(), '{\"herb\": 2}', true, now() - interval '8 days')",
            slot_of(player.id), player.id, key,
        )  # fmt: skip
    look = _ledger(core).look

    async def count(*arguments: Any) -> Any:
        nonlocal attempts
        attempts += 1
        assert attempts < 5, "it tries again and again"
        return await look(*arguments)

    monkeypatch.setattr(_ledger(core), "look", count)
    with pytest.raises(CommandExpired):
        await act(core, player.id, "brew", key)
    assert await held(core, player.id) == {"herb": 3}


async def test_a_settled_payment_whose_command_was_undone_is_waited_for_with_pauses(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a restore of the player's database, until what crossed is reconciled."""
    player, key, attempts = await enlist(core, database="two"), command_id(), list[str]()
    await give(core, player.id, "herb", 3)
    await act(core, player.id, "brew", key)
    await core.rooms.players.inventory.confirmed(player.id)
    async with connected(core.slots.owner("players", slot_of(player.id)).url) as players:
        await players.execute("delete from ledger where player_id = $1 and command_id = $2", player.id, key)
    look, sleep, pause = _ledger(core).look, asyncio.sleep, 0.0123

    async def note(*arguments: Any) -> Any:
        attempts.append("look")
        if len(attempts) >= 5:
            raise DatabaseUnavailable("enough")
        return await look(*arguments)

    async def rest(seconds: float) -> None:
        if seconds == pause:
            attempts.append("pause")
        await sleep(seconds)

    monkeypatch.setattr(_ledger(core), "look", note)
    monkeypatch.setattr(payments, "RIVAL_PAUSE", pause, raising=False)
    monkeypatch.setattr(asyncio, "sleep", rest)
    with pytest.raises(DatabaseUnavailable):
        await act(core, player.id, "brew", key)
    assert attempts == ["look", "pause", "look", "pause", "look"]


@pytest.mark.parametrize("error", [Overloaded("full"), DatabaseUnavailable("away"), OutcomeUnknown("cut off")])
async def test_a_refusal_is_answered_also_if_what_was_reserved_cant_be_given_back(
    core: Core, monkeypatch: pytest.MonkeyPatch, error: Unavailable
) -> None:
    player = await enlist(core, database="two")
    await give(core, player.id, "potion")

    async def fail(reservation: Reservation) -> None:
        raise error

    with monkeypatch.context() as failing:
        failing.setattr(core.rooms.players.inventory, "give_back", fail)
        with pytest.raises(Refused) as caught:
            await act(core, player.id, "use", item="potion")
    assert caught.value.code == "full_hp"
    await assert_sums(core, player.id)


async def test_reservations_that_wait_for_a_silent_database_hold_up_no_page_of_others(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    away, other = [await enlist(core, database=name) for name in ("two", "one")]
    inventory, settlement = core.rooms.players.inventory, core.rooms.players.payments._settlement
    for player, count, hours in ((away, 6, 2), (other, 1, 1)):
        async with connected(core.slots.owner("items", slot_of(player.id)).url) as items:
            await items.execute(
                "insert into item_ledger (slot, player_id, command_id, kind, token, items, settled, at)"
                " select $1, $2, gen_random_uuid(), 'take', gen_random_uuid(), '{}', false,"
                " now() - interval '1 hour' * $4::int from generate_series(1, $3::int)",
                slot_of(player.id), player.id, count, hours,
            )  # fmt: skip
    # All in one database of items, so that they are on the same page.
    await move(core, "items", slot_of(away.id), inventory.owner(other.id).name)
    await core.slots.refresh()
    resolve = settlement.resolve

    async def fail(reservation: Reservation) -> None:
        if reservation.player_id == away.id:
            raise DatabaseUnavailable("silent")
        await resolve(reservation)

    monkeypatch.setattr(settlement, "resolve", fail)

    async def is_resolved() -> bool:
        await core.rooms.players.payments.sweep(2)
        return {held.player_id for held in await inventory.overdue(60, 100)} == {away.id}

    await wait_until(is_resolved, what="the other's reservation is resolved")


async def test_what_a_grant_under_way_may_need_isnt_forgotten(core: Core) -> None:
    """Its delivery was not noted for long: the ledger of items tells that it has arrived."""
    player, inventory = await enlist(core, database="two"), core.rooms.players.inventory
    await give(core, player.id, "potion")
    assert await held(core, player.id) == {"potion": 1}
    await give(core, player.id, "herb")
    async with connected(core.slots.owner("players", slot_of(player.id)).url) as players:
        waiting = await players.fetch("select player_id, command_id::text, payload::text from outbox")
        await inventory.grant([Grant(*row) for row in waiting])
        await players.execute("update outbox set at = now() - interval '40 days'")
        async with connected(inventory.owner(player.id).url) as items:
            days = "case when items::text like '%herb%' then 39 else 50 end"
            await items.execute(f"update item_ledger set at = now() - interval '1 day' * {days}")
        assert await loops.forget_old_items(core.rooms.players) == 1
        assert await held(core, player.id) == {"potion": 1, "herb": 1}
        assert await loops.forget_old_items(core.rooms.players) == 1
