"""Letters between players of two databases: each takes effect exactly once, whatever happens on the way."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gameserver.app import Core, postman_of
from gameserver.config.sections import WriteSettings
from gameserver.config.settings import Settings
from gameserver.rules.errors import Overloaded
from gameserver.rules.player import Player
from gameserver.storage.ids import slot_of
from gameserver.storage.mail.inbox import Forgotten
from gameserver.storage.mail.mailbag import HOPS, WAITING, SentLetter
from gameserver.storage.mail.outbox import Ending, Outbox
from gameserver.storage.players.command import Receipt
from gameserver.storage.postgres.locks import CARRYING
from gameserver.upkeep import loops
from tests.storage.mail.test_outbox import FILL
from tests.storage.sharding import moving
from tests.support.client import command_id
from tests.support.deployment import (
    act,
    assert_ledger_explains,
    carrying,
    connected,
    drained,
    enlist,
    enlist_many,
    ledger,
    move_slot,
    order,
    present,
    settled,
    waiting,
    widely_limited,
    with_actions,
    with_rules,
    working,
)
from tests.support.servers import SLOTS, running_servers
from tests.support.wait import wait_until

CARRIERS = f"select pid from pg_locks where locktype = 'advisory' and objid = {CARRYING}"


@dataclass
class Gate:
    """A postman that stands still at a step of each delivery until it is let through, as if killed or frozen there."""

    core: Core
    step: str
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._postman = postman_of(self.core)
        self.group, self.kinds = self._postman.group, self._postman.kinds

    async def deliver(self, letters: Sequence[SentLetter]) -> Sequence[Ending | None]:
        if self.step == "before the delivery":
            await self._stand_still()
        endings = await self._postman.deliver(letters)
        if self.step == "after the delivery":
            await self._stand_still()
        return endings

    async def _stand_still(self) -> None:
        self.reached.set()
        await self.opened.wait()


async def hurt(core: Core, database: str) -> Player:
    """A warrior that has room for a spell."""
    player = await enlist(core, "warrior", database=database)
    while (await present(core, player.id)).hp > 60:
        await act(core, player.id, "hunt", foe="wolf")
    return await present(core, player.id)


async def mail_of(core: Core, player: Player) -> list[Mapping[str, Any]]:
    """The ledger rows that came by mail."""
    return [row for row in await assert_ledger_explains(core, player.id) if row["action"].startswith("mail:")]


async def test_a_spell_heals_a_player_of_another_database_once_and_lies_in_its_inbox(core: Core) -> None:
    priest, target = await enlist(core, "priest", database="one"), await hurt(core, "two")
    key = command_id()
    first = await act(core, priest.id, "heal_other", key, player=str(target.id))
    again = await act(core, priest.id, "heal_other", key, player=str(target.id))
    cast, sent = first.events
    assert (again.replayed, again.events) == (True, list(first.events))
    assert await waiting(core) == 1
    async with carrying(core):
        await drained(core)
    after = await present(core, target.id)
    assert (after.hp, after.version) == (target.hp + cast["points"], target.version + 1)
    (row,) = await mail_of(core, target)
    assert (row["key"], row["action"]) == (sent["mail_id"], "mail:healed")
    (mail,) = (await core.commands.play.inbox.page(target.id, 10, None)).rows
    assert (mail.mail_id, mail.kind, mail.sender) == (sent["mail_id"], "healed", priest.id)
    assert mail.events == [{"type": "healed", "by": str(priest.id), "hp": cast["points"]}]
    assert await mail_of(core, priest) == []


async def test_duels_of_two_databases_give_each_side_its_end_once(core: Core) -> None:
    one, two = await enlist(core, "fighter", database="one"), await enlist(core, "mage", database="two")
    async with carrying(core):
        await asyncio.gather(
            act(core, one.id, "duel", player=str(two.id)), act(core, two.id, "duel", player=str(one.id))
        )
        await drained(core)
    for player in (one, two):
        assert sorted(row["action"] for row in await mail_of(core, player)) == ["mail:challenged", "mail:duelled"]
    assert sum([(await present(core, player.id)).exp for player in (one, two)]) == 20, "each duel had one winner"


async def test_a_letter_to_a_player_that_does_not_exist_comes_back_once(core: Core) -> None:
    priest = await enlist(core, "priest", database="one")
    here, there = ((1 << 40) << 22 | slot << 10 for slot in (0, 63))
    for recipient in (here, there, 1, (1 << 63) - 1):
        await act(core, priest.id, "heal_other", player=str(recipient))
    async with carrying(core):
        await drained(core)
    mails = (await core.commands.play.inbox.page(priest.id, 10, None)).rows
    assert [(mail.kind, mail.args["reason"]) for mail in mails] == [("returned", "player_not_found")] * 4
    assert [row["action"] for row in await mail_of(core, priest)] == ["mail:returned"] * 4


async def test_a_letter_that_its_rule_refuses_comes_back_and_isnt_tried_again(core: Core) -> None:
    spells = await cast(core)
    async with carrying(core):
        await drained(core)
    await spells.assert_ended_once(core)
    assert (await core.commands.play.inbox.page(spells.down.id, 10, None)).rows == []
    (mail,) = (await core.commands.play.inbox.page(spells.priest.id, 10, None)).rows
    returned = (mail.args["reason"], mail.args["to"], mail.args["kind"])
    assert returned == ("player_is_down", str(spells.down.id), "healed")


@dataclass
class Spells:
    """A spell for a player that is up, and one for a player that is down, both of another database."""

    priest: Player
    up: Player
    down: Player
    arrives: Receipt
    returns: Receipt

    async def assert_ended_once(self, core: Core) -> None:
        """The one has healed its target, the other has come back to its sender."""
        assert [row["key"] for row in await mail_of(core, self.up)] == [self.arrives.events[1]["mail_id"]]
        assert [row["key"] for row in await mail_of(core, self.priest)] == [self.returns.events[1]["mail_id"]]
        assert await mail_of(core, self.down) == []
        assert (await present(core, self.up.id)).hp == min(self.up.hp + self.arrives.events[0]["points"], 110)


async def cast(core: Core) -> Spells:
    priest, up, down = await enlist(core, "priest", database="one"), await hurt(core, "two"), await enlist(core, "mage")
    while (await present(core, down.id)).hp:
        await act(core, down.id, "hunt", foe="dragon")
    receipts = [await act(core, priest.id, "heal_other", player=str(target.id)) for target in (up, down)]
    return Spells(priest, up, down, *receipts)


async def make_void(core: Core, player: Player) -> None:
    """As if there had never been such a player; a deleted one is the same to a letter."""
    async with connected(core.slots.owner("players", slot_of(player.id)).url) as connection:
        await connection.execute("update players set void = true where id = $1", player.id)


async def test_a_letter_that_can_neither_arrive_nor_come_back_is_dropped(core: Core) -> None:
    one, two = await enlist(core, database="one"), await enlist(core, database="two")
    await act(core, one.id, "duel", player=str(two.id))
    await make_void(core, one)
    await make_void(core, two)
    async with carrying(core):
        await drained(core)
    assert [row["action"] for row in await ledger(core, one.id)] == ["sign_up", "duel"]
    assert [row["action"] for row in await ledger(core, two.id)] == ["sign_up"]


async def test_a_letter_that_arrived_before_its_recipient_went_doesnt_come_back(core: Core, second: Core) -> None:
    one, two = await enlist(core, "priest", database="one"), await enlist(core, database="two")
    await act(core, one.id, "heal_other", player=str(two.id))
    gate = Gate(core, "after the delivery")
    async with carrying(core, gate):
        await asyncio.wait_for(gate.reached.wait(), 10)
    await make_void(core, two)
    async with carrying(second):
        await drained(core)
    assert await mail_of(core, one) == []


@pytest.mark.parametrize("step", ["before the delivery", "after the delivery"])
async def test_a_courier_killed_between_two_steps_is_followed_by_one_that_delivers_nothing_twice(
    core: Core, second: Core, step: str
) -> None:
    spells = await cast(core)
    gate = Gate(core, step)
    async with carrying(core, gate):
        await asyncio.wait_for(gate.reached.wait(), 10)
    assert await waiting(core) == 2
    async with carrying(second):
        await drained(core)
    await spells.assert_ended_once(core)


@pytest.mark.parametrize("step", ["before the delivery", "after the delivery"])
async def test_a_frozen_courier_that_wakes_when_another_has_done_its_work_changes_nothing(
    core: Core, second: Core, step: str
) -> None:
    spells = await cast(core)
    postman = postman_of(core)
    async with connected(core.databases["one"].url) as connection:
        outbox = Outbox(connection)
        letters = await outbox.read(postman.kinds, SLOTS - 1, range(SLOTS))
        endings = await postman.deliver(letters) if step == "after the delivery" else None
        async with carrying(second):
            await drained(core)
        await act(core, spells.down.id, "revive")
        endings = endings or await postman.deliver(letters)
        await outbox.settle([(letter, ending) for letter, ending in zip(letters, endings, strict=True) if ending])
    async with carrying(second):
        await drained(core)
    await spells.assert_ended_once(core)


async def turned(core: Core) -> None:
    """A letter sent now has arrived, so what was read before has been worked off."""
    one, two = await enlist(core, database="one"), await enlist(core, database="two")
    await act(core, one.id, "duel", player=str(two.id))

    async def is_answered() -> bool:
        return len(await ledger(core, one.id)) == 3

    await wait_until(is_answered, what="an answer has come")


async def test_only_one_courier_at_a_time_empties_an_outbox(core: Core, second: Core) -> None:
    async with carrying(core), carrying(second), connected(core.databases["one"].url) as watcher:
        await wait_until(lambda: watcher.fetch(CARRIERS), what="an outbox is emptied")
        one, two = await enlist_many(core, 2)
        for _ in range(5):
            await act(core, one.id, "duel", player=str(two.id))
        await drained(core)
        databases = await watcher.fetchval(f"select count(distinct database) from pg_locks where objid = {CARRYING}")
        assert len(await watcher.fetch(CARRIERS)) == databases


async def test_a_letter_arrives_once_when_its_sender_or_recipient_moves_while_it_waits(
    core: Core, second: Core
) -> None:
    pairs = [(await enlist(core, database="one"), await enlist(core, database="two")) for _ in range(3)]
    receipts = [await act(core, one.id, "duel", player=str(two.id)) for one, two in pairs]
    gate = Gate(core, "after the delivery")
    async with carrying(core, gate):
        await asyncio.wait_for(gate.reached.wait(), 10)
        for slot in {slot_of(one.id) for one, _ in pairs[:2]}:
            await move_slot(core, slot, "two")
        for slot in {slot_of(two.id) for _, two in pairs[1:]}:
            await move_slot(core, slot, "one")
        gate.opened.set()
        async with carrying(second):
            await drained(core)
    await core.slots.refresh()
    for (one, two), receipt in zip(pairs, receipts, strict=True):
        assert [row["key"] for row in await mail_of(core, two)] == [receipt.events[-1]["mail_id"]]
        assert [row["action"] for row in await mail_of(core, one)] == ["mail:duelled"]


async def test_players_that_duel_while_their_slots_move_lose_no_letter_and_get_none_twice(
    core: Core, second: Core
) -> None:
    players = [*await enlist_many(core, 3, "one"), *await enlist_many(core, 3, "two")]
    going_on = True
    sent: list[str] = []

    async def play(node: Core, number: int) -> None:
        player_id, rival = players[number].id, str(players[number - 1].id)
        while going_on:
            for answer in await settled(
                node, [order(node, player_id, "duel", player=rival), order(node, player_id, "revive")]
            ):
                sent.extend(event["mail_id"] for event in getattr(answer, "events", ()) if event["type"] == "mail_sent")

    async with carrying(core), carrying(second):
        playing = [asyncio.create_task(play(node, number)) for node in (core, second) for number in range(6)]
        slots = [slot for slot in moving.slot_with(players) if core.slots.owner("players", slot).name == "one"]
        await moving.move(core, slots, "two")
        going_on = False
        await asyncio.gather(*playing)
        await drained(core)
    await moving.assert_settled(core)
    arrived = [row["key"] for player in players for row in await mail_of(core, player) if row["key"] in set(sent)]
    assert sorted(arrived) == sorted(sent), "each letter of an acknowledged command arrived once, or came back once"
    assert len(sent) > 20


async def test_a_copy_of_an_outbox_on_a_database_that_doesnt_own_the_slot_is_left_alone(core: Core) -> None:
    one, two = await enlist(core, database="one"), await enlist(core, database="two")
    await act(core, one.id, "duel", player=str(two.id))
    async with connected(core.databases["one"].url) as here, connected(core.databases["two"].url) as there:
        rows = await here.fetch("select * from outbox")
        await there.copy_records_to_table("outbox", records=[tuple(row) for row in rows])
        await here.execute("delete from outbox")
        async with carrying(core):
            await turned(core)
        assert await there.fetchval("select count(*) from outbox where player_id = $1", one.id) == 1
    assert await mail_of(core, two) == []


async def test_a_player_with_too_many_letters_that_wait_sends_no_more_until_they_are_gone(
    settings: Settings, tmp_path: Path
) -> None:
    changed = with_actions(widely_limited(settings), tmp_path, shout="tests.storage.mail.gossip:shout")
    async with working(changed) as core:
        one, two, neighbour = await enlist_many(core, 3, "one")
        commands = [order(core, one.id, "shout", player=str(two.id)) for _ in range(20)]
        answers = await settled(core, [*commands, order(core, neighbour.id, "duel", player=str(two.id))])
        refused = [answer for answer in answers if isinstance(answer, Overloaded)]
        assert len(refused) == 20 - -(-WAITING // 8)
        assert await waiting(core) == 8 * -(-WAITING // 8) + 1
        hunted, full = await settled(core, [order(core, one.id), order(core, one.id, "shout", player=str(two.id))])
        assert isinstance(full, Overloaded)
        assert not isinstance(hunted, Overloaded), "a command without letters isn't held up"
        async with carrying(core):
            await drained(core)
        assert len(await mail_of(core, two)) == 8 * -(-WAITING // 8) + 1
        await act(core, one.id, "shout", player=str(two.id))


async def test_letters_that_answer_each_other_for_ever_end_and_the_last_comes_back(
    settings: Settings, tmp_path: Path
) -> None:
    changed = with_rules(
        settings,
        tmp_path,
        {"gossip": "tests.storage.mail.gossip:gossip"},
        {"gossiped": "tests.storage.mail.gossip:gossiped"},
    )
    async with working(changed) as core:
        one, two = await enlist(core, database="one"), await enlist(core, database="two")
        await act(core, one.id, "gossip", player=str(two.id))

        async def is_back() -> bool:
            rows = [row for player in (one, two) for row in await ledger(core, player.id)]
            return any(row["action"] == "mail:returned" for row in rows)

        async with carrying(core):
            # While letters hop, each outbox may be empty whenever it is asked.
            await wait_until(is_back, what="the last letter is back")
            await drained(core)
        rows = await mail_of(core, one) + await mail_of(core, two)
        assert [row["action"] for row in rows].count("mail:gossiped") == HOPS - 1
        (back,) = [row for row in rows if row["action"] == "mail:returned"]
        assert '"reason":"internal"' in back["args"]


async def test_a_letter_whose_rule_raises_comes_back_and_harms_no_other_letter(
    settings: Settings, tmp_path: Path
) -> None:
    changed = with_rules(
        settings,
        tmp_path,
        {"curse": "tests.storage.mail.gossip:curse"},
        {"cursed": "tests.storage.mail.gossip:cursed"},
    )
    async with working(changed) as core:
        one, two = await enlist(core, database="one"), await enlist(core, database="two")
        async with carrying(core):
            await act(core, one.id, "curse", player=str(two.id))
            await act(core, one.id, "duel", player=str(two.id))
            await drained(core)
        assert [row["action"] for row in await mail_of(core, two)] == ["mail:challenged"]
        assert sorted(row["action"] for row in await mail_of(core, one)) == ["mail:duelled", "mail:returned"]


async def test_a_letter_that_no_node_knows_the_rule_of_waits_for_one_that_does(
    core: Core, settings: Settings, tmp_path: Path
) -> None:
    changed = with_rules(
        settings,
        tmp_path,
        {"gossip": "tests.storage.mail.gossip:gossip"},
        {"gossiped": "tests.storage.mail.gossip:gossiped"},
    )
    one, two = await enlist(core, database="one"), await enlist(core, database="two")
    async with working(changed) as newer:
        await act(newer, one.id, "gossip", player=str(two.id))
        async with carrying(core):
            await turned(core)

            async def waits_alone() -> bool:
                return await waiting(core) == 1

            await wait_until(waits_alone, what="all other letters have arrived")
        async with carrying(newer):
            await drained(core)
        assert await mail_of(newer, two)


async def test_a_letter_from_before_the_ledgers_partitions_makes_its_own(core: Core) -> None:
    one, two = await enlist(core, database="one"), await enlist(core, database="two")
    await act(core, one.id, "duel", player=str(two.id))
    async with connected(core.databases["one"].url) as connection:
        await connection.execute("update outbox set command_id = $1::uuid", command_id(seconds_ago=90 * 86400))
    async with carrying(core):
        await drained(core)
    assert [row["action"] for row in await mail_of(core, two)] == ["mail:challenged"]


async def test_a_database_that_is_away_holds_up_no_letters_to_others_and_gets_its_own_later() -> None:
    quick = WriteSettings(deadline_seconds=1)
    async with running_servers() as servers, working(servers.settings(await servers.fresh(), writes=quick)) as core:
        one, here, there = [await enlist(core, database=database) for database in ("one", "one", "two")]
        servers.postgres["two"].kill()
        async with carrying(core), connected(core.databases["one"].url) as connection:
            # The oldest letters are those that wait for the dead database.
            await connection.fetch(FILL, slot_of(one.id), "mail:healed", slot_of(there.id), 1, 3_000)
            for _ in range(3):
                await act(core, one.id, "duel", player=str(there.id))
                await act(core, one.id, "duel", player=str(here.id))

            async def is_near() -> bool:
                return len([row for row in await ledger(core, here.id) if row["action"] == "mail:challenged"]) == 3

            await wait_until(is_near, 20, what="letters to the other database have arrived")
            await connection.execute("delete from outbox where player_id = -1")
            await servers.postgres["two"].start()
            await drained(core)
        assert [row["action"] for row in await mail_of(core, there)] == ["mail:challenged"] * 3


async def test_mail_is_forgotten_when_its_reader_says_so_or_when_it_is_old(core: Core) -> None:
    one, two = await enlist(core, database="one"), await enlist(core, database="two")
    async with carrying(core):
        for _ in range(4):
            await act(core, one.id, "duel", player=str(two.id))
        await drained(core)
    mails = (await core.commands.play.inbox.page(two.id, 10, None)).rows
    assert [mail.mail_id for mail in mails] == sorted((mail.mail_id for mail in mails), reverse=True)
    assert (await core.commands.play.inbox.page(two.id, 2, mails[1].mail_id)).rows == mails[2:]
    await core.commands.play.inbox.forget(Forgotten(two.id, 0, mails[0].mail_id))
    await core.commands.play.inbox.forget(Forgotten(one.id, 0, mails[1].mail_id))
    assert (await core.commands.play.inbox.page(two.id, 10, None)).rows == mails[1:]
    async with connected(core.databases["two"].url) as connection:
        old = "update inbox set at = at - interval '40 days' where mail_id = any($1::uuid[])"
        await connection.execute(old, [mail.mail_id for mail in mails[2:]])
    databases = core.slots.databases("players")
    assert await loops.forget_old_mail(core.commands.accounts.policy.now(), databases, 30 * 86400) == 2
    assert (await core.commands.play.inbox.page(two.id, 10, None)).rows == mails[1:2]
    assert len(await mail_of(core, two)) == 4, "the ledger keeps it"
