"""Letters between players of two databases: each takes effect exactly once, whatever happens on the way."""

import asyncio

from gameserver.app import Core
from tests.storage.deployment import act, assert_ledger_explains, carrying, enlist, present, waiting
from tests.wait import wait_until


async def drained(core: Core) -> None:
    async def is_empty() -> bool:
        return not await waiting(core)

    await wait_until(is_empty, what="the outboxes are empty")


async def test_a_spell_heals_a_player_of_another_database_once_and_lies_in_his_inbox(core: Core) -> None:
    priest = await enlist(core, "priest", database="one")
    hurt = await enlist(core, "warrior", database="two")
    while (await present(core, hurt.id)).hp > 70:
        await act(core, hurt.id, "hunt", foe="wolf")
    before = await present(core, hurt.id)
    receipt = await act(core, priest.id, "heal_other", player=str(hurt.id))
    cast, sent = receipt.events
    assert await waiting(core) == 1
    async with carrying(core):
        await drained(core)
    after = await present(core, hurt.id)
    assert after.hp == before.hp + cast["points"]
    assert after.version == before.version + 1
    rows = await assert_ledger_explains(core, hurt.id)
    assert rows[-1]["key"] == sent["mail_id"]
    (mail,) = await core.backend.players.inbox(hurt.id, 10, None)
    assert (mail.mail_id, mail.kind, mail.sender) == (sent["mail_id"], "healed", priest.id)
    assert mail.events == [{"type": "healed", "by": str(priest.id), "hp": cast["points"]}]
    await assert_ledger_explains(core, priest.id)


async def test_a_duel_gives_its_winner_exp_and_takes_hp_from_its_loser_each_once(core: Core) -> None:
    one, two = await enlist(core, "fighter", database="one"), await enlist(core, "mage", database="two")
    async with carrying(core):
        pairs = (one, two), (two, one)
        await asyncio.gather(*(act(core, each.id, "duel", player=str(other.id)) for each, other in pairs))
        await drained(core)
    for each in (one, two):
        rows = await assert_ledger_explains(core, each.id)
        assert sorted(row["action"] for row in rows) == ["duel", "mail:challenged", "mail:duelled", "sign_up"]
    now = [await present(core, each.id) for each in (one, two)]
    assert sum(each.exp for each in now) == 20


async def test_a_letter_to_nobody_comes_back(core: Core) -> None:
    priest = await enlist(core, "priest", database="one")
    for nobody in ((1 << 41) - 1 << 22 | 3 << 10, 1, (1 << 63) - 1):
        await act(core, priest.id, "heal_other", player=str(nobody))
    async with carrying(core):
        await drained(core)
    mails = await core.backend.players.inbox(priest.id, 10, None)
    assert [each.args["reason"] for each in mails] == ["player_not_found"] * 3
    rows = await assert_ledger_explains(core, priest.id)
    assert len(rows) == 7
