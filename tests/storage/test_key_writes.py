"""Changes of keys that come together share a transaction, and none holds up another."""

import asyncio

import pytest

from gameserver.app import Core
from gameserver.commands.accounts import Application
from gameserver.commands.sign_up import enroll
from gameserver.rules.errors import NameTaken, PlayerNotFound
from gameserver.storage.accounts.identities import Change
from gameserver.storage.accounts.key_writes import Decision, KeyWrite, write_keys
from gameserver.storage.accounts.player_keys import KeyHolder
from gameserver.storage.ids import slot_of
from gameserver.storage.players.command import Receipt
from gameserver.storage.slots.shared_writes import SharedWrites
from tests.support.client import command_id
from tests.support.deployment import assert_ledger_explains, connected, present
from tests.support.devices import device_of


async def born(core: Core, count: int) -> list[int]:
    wanted = [Application(f"Player {number}", "mage", device=device_of(f"d {number}")) for number in range(count)]
    births = await asyncio.gather(*(enroll(core.commands.accounts, one, command_id()) for one in wanted))
    return [enrolment.player.id for enrolment, _ in births]


def renaming(player_id: int, name: str) -> Change:
    return Change(command_id(), player_id, "rename", {"name": name}, session_epoch=0)


async def rename(core: Core, player_id: int, name: str) -> Receipt | None:
    """A rename without its claims."""
    return await core.rooms.accounts.identities.rename(renaming(player_id, name), 0)


async def renames(core: Core, database: str) -> list[tuple[str, int]]:
    """The database and transaction of each rename there."""
    async with connected(core.databases[database].url) as connection:
        rows = await connection.fetch("select txid from ledger where action = 'rename'")
    return [(database, row["txid"]) for row in rows]


async def test_changes_of_many_players_share_transactions_and_each_is_answered_for_itself(core: Core) -> None:
    ids = await born(core, 30)
    ids[7] = 7  # nobody's
    outcomes = await asyncio.gather(*(rename(core, id_, f"Other {id_}") for id_ in ids), return_exceptions=True)
    assert isinstance(outcomes.pop(7), PlayerNotFound)
    assert [outcome for outcome in outcomes if not isinstance(outcome, Receipt)] == []
    assert {outcome.player.version for outcome in outcomes if isinstance(outcome, Receipt)} == {2}
    rows = [row for database in core.databases.names() for row in await renames(core, database)]
    assert len(rows) == 29
    assert len(set(rows)) < 15
    for id_ in ids[:3]:
        assert (await present(core, id_)).name == f"Other {id_}"
        await assert_ledger_explains(core, id_)


async def test_of_changes_of_one_player_in_a_batch_one_takes_effect_and_the_others_must_begin_again(core: Core) -> None:
    (ann,) = await born(core, 1)
    outcomes = await asyncio.gather(*(rename(core, ann, f"Other {number}") for number in range(4)))
    assert [outcome is None for outcome in outcomes] == [False, True, True, True]
    assert (await present(core, ann)).version == 2


async def test_a_player_that_is_locked_elsewhere_holds_up_no_other(core: Core) -> None:
    ids = await born(core, 12)
    owner = core.slots.owner("players", slot_of(ids[0]))
    neighbours = [id_ for id_ in ids[1:] if core.slots.owner("players", slot_of(id_)) is owner]
    async with connected(owner.url) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("select from players where id = $1 for no key update", ids[0])
        waiting = asyncio.create_task(rename(core, ids[0], "Ann Lee"))
        await asyncio.gather(*(rename(core, id_, f"Other {id_}") for id_ in neighbours))
        assert not waiting.done()
        await transaction.rollback()
    receipt = await waiting
    assert receipt is not None
    assert receipt.player.name == "Ann Lee"


async def test_a_decision_that_fails_fails_alone(core: Core) -> None:
    ids = await born(core, 6)

    def decide(holder: KeyHolder | None) -> Decision:
        assert holder is not None
        return Decision(1 // (holder.row.id - ids[2]) * 0)

    writes: SharedWrites[KeyWrite, object] = SharedWrites(core.slots, "players", write_keys)
    wanted = [KeyWrite(slot_of(id_), id_, None, decide) for id_ in ids]
    outcomes = await asyncio.gather(*map(writes.write, wanted), return_exceptions=True)
    await writes.close()
    assert [isinstance(outcome, ZeroDivisionError) for outcome in outcomes] == [id_ == ids[2] for id_ in ids]


async def test_a_refusal_holds_no_frames(core: Core) -> None:
    (ann,) = await born(core, 1)
    refusals = []

    def decide(holder: KeyHolder | None) -> Decision:
        refusals.append(NameTaken("It is taken."))
        raise refusals[-1]

    writes: SharedWrites[KeyWrite, object] = SharedWrites(core.slots, "players", write_keys)
    with pytest.raises(NameTaken):
        await writes.write(KeyWrite(slot_of(ann), ann, None, decide))
    await writes.close()
    assert [refusal.__traceback__ for refusal in refusals] == [None]
