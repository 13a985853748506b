"""What waits in an outbox: it costs letters to other destinations nothing, and there is a bound to it."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial

import asyncpg
import orjson
import pytest

from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.rules.errors import Overloaded
from gameserver.rules.pacing import Pace
from gameserver.storage.ids import mail_id, slot_of
from gameserver.storage.items.backlog import Backlog
from gameserver.storage.mail.bounds import LetterCounts, LetterLimits
from gameserver.storage.mail.courier import SETTINGS
from gameserver.storage.mail.mailbag import Mailbag
from gameserver.storage.mail.outbox import CHUNK, SQL, Outbox
from gameserver.storage.postgres.link import Link
from tests.support.client import command_id
from tests.support.deployment import act, connected, enlist, order, settled, widely_limited, working
from tests.support.servers import SLOTS
from tests.support.wait import wait_until

DEAD, LIVE = range(SLOTS // 2), range(SLOTS // 2, SLOTS)
FILL = """insert into outbox (slot, player_id, command_id, number, kind, recipient, payload, at)
          select $1, -1, gen_random_uuid(), 0, $2, ($3::bigint + number % $4) << 10, '{}', now()
          from generate_series(1, $5::int) as number"""


@pytest.fixture
async def courier(core: Core) -> AsyncIterator[asyncpg.Connection]:
    """A connection of a courier's."""
    link = Link(core.databases["one"], SETTINGS)
    yield await link.open()
    await link.close()


@pytest.mark.parametrize("planned", ["of an empty outbox", "of a full one", "of another one"])
@pytest.mark.parametrize("most", ["to other slots", "of other kinds", "to the destination"])
async def test_a_read_costs_no_more_however_many_letters_wait(
    courier: asyncpg.Connection, planned: str, most: str
) -> None:
    kind = "items" if most == "of other kinds" else "mail:healed"
    slots = DEAD if most == "to other slots" else LIVE
    if planned == "of another one":
        await courier.fetch(FILL, 0, "mail:healed", LIVE[0], 1, 2_000)
    await courier.execute("vacuum analyze outbox")
    await courier.execute("delete from outbox")
    await courier.execute("set plan_cache_mode = force_generic_plan")
    await courier.fetch(FILL, 0, "mail:healed", LIVE[0], 1, 3)
    blocks = []
    for more in (2_000, 18_000):
        await courier.fetch(FILL, 0, kind, slots[0], len(slots), more)
        if planned == "of a full one":
            await courier.execute("analyze outbox")
        read = await Outbox(courier).read(["mail:healed"], SLOTS - 1, LIVE)
        assert len(read) == (CHUNK if most == "to the destination" else 3)
        blocks.append(await read_blocks(courier))
    assert blocks[1] < 2 * blocks[0], blocks


async def read_blocks(connection: asyncpg.Connection) -> int:
    """How many blocks a read of the live slots' letters looks at, as planned for any arguments."""
    await connection.execute("prepare reading(text[], int, int[], int) as " + SQL["read"])
    array = ",".join(map(str, LIVE))
    execute = f"execute reading('{{mail:healed}}', {SLOTS - 1}, '{{{array}}}', {CHUNK})"
    (plan,) = orjson.loads(await connection.fetchval(f"explain (analyze, buffers, format json) {execute}"))
    await connection.execute("deallocate reading")
    return int(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])


async def test_a_read_takes_of_each_slot_and_kind_alike_the_oldest_first(courier: asyncpg.Connection) -> None:
    await courier.fetch(FILL, 0, "mail:healed", LIVE[0], 1, 2 * CHUNK)
    await courier.fetch(FILL, 0, "mail:healed", LIVE[1], 1, 1)
    await courier.fetch(FILL, 0, "mail:duelled", LIVE[0], 1, 1)
    aged = (
        "update outbox set at = at - interval '1 h' where command_id = (select max(command_id::text)::uuid from outbox)"
    )
    oldest = await courier.fetchval(f"{aged} returning command_id::text")
    letters = await Outbox(courier).read(["mail:healed", "mail:duelled"], SLOTS - 1, LIVE)
    counts = Counter((slot_of(letter.recipient), letter.kind) for letter in letters)
    assert counts == {(LIVE[0], "mail:healed"): CHUNK // 3, (LIVE[1], "mail:healed"): 1, (LIVE[0], "mail:duelled"): 1}
    assert letters[0].command_id == oldest
    assert [letter.at for letter in letters] == sorted(letter.at for letter in letters)


async def test_a_read_of_many_slots_and_kinds_is_no_longer_and_begins_with_the_oldest(
    courier: asyncpg.Connection,
) -> None:
    kinds = [f"mail:{number}" for number in range(10)]
    for kind in reversed(kinds):
        await courier.fetch(FILL, 0, kind, LIVE[0], len(LIVE), 2 * len(LIVE))
    letters = await Outbox(courier).read(kinds, SLOTS - 1, LIVE)
    assert Counter(letter.kind for letter in letters) == dict.fromkeys(kinds[2:], len(LIVE))
    assert len(letters) == CHUNK


async def test_rows_of_slots_that_the_database_doesnt_own_take_no_place_of_a_read(courier: asyncpg.Connection) -> None:
    own, foreign = 0, SLOTS - 1
    kinds = [f"mail:{number}" for number in range(1 + CHUNK // len(LIVE))]
    for kind in kinds:  # they are the oldest
        await courier.fetch(FILL, foreign, kind, LIVE[0], len(LIVE), len(LIVE))
    await courier.fetch(FILL, own, "mail:healed", LIVE[0], 1, 2)
    await courier.fetch(FILL, own, kinds[0], LIVE[1], 1, 1)
    letters = await Outbox(courier).read([*kinds, "mail:healed"], SLOTS - 1, LIVE)
    assert [letter.kind for letter in letters] == ["mail:healed"] * 2 + kinds[:1]


FEW = 10


async def test_so_many_letters_may_wait_for_a_database_and_then_no_more_are_sent_there_until_there_is_room(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gameserver.storage.players.players.Backlog", partial(Backlog, most=FEW))
    monkeypatch.setattr("gameserver.storage.items.backlog.LOOK_SECONDS", 0.05)
    async with working(widely_limited(settings)) as core, connected(core.databases["one"].url) as connection:
        here, there = await enlist(core, database="one"), await enlist(core, database="two")
        senders = {name: await enlist(core, database=name) for name in ("one", "two")}

        async def is_refused(source: str = "one", recipient: int = there.id) -> bool:
            sending = order(core, senders[source].id, "duel", player=str(recipient))
            return isinstance((await settled(core, [sending]))[0], Overloaded)

        async def is_taken() -> bool:
            return not await is_refused()

        await connection.fetch(FILL, 0, "mail:healed", slot_of(there.id), 1, FEW)
        await wait_until(is_refused, what="letters to the database are refused")
        assert not await is_refused("one", here.id), "letters to another database are taken"
        assert not await is_refused("two"), "letters from another database are taken"
        await act(core, senders["one"].id)
        await connection.execute("delete from outbox where player_id in (-1, $1)", senders["one"].id)
        await wait_until(is_taken, what="there is room")


@pytest.mark.parametrize(
    ("kind", "beyond", "full"),
    [("mail:healed", 0, ["players"]), ("items", 0, ["items"]), ("mail:healed", SLOTS, ["players"])],
)
async def test_the_bound_is_of_what_waits_for_the_owner_of_a_slot(
    core: Core, courier: asyncpg.Connection, kind: str, beyond: int, full: list[str]
) -> None:
    last = SLOTS - 1
    backlog, owner = Backlog(core.slots, FEW), core.slots.owner("players", last)
    others = [slot for slot in range(SLOTS) if core.slots.owner("players", slot) is not owner]

    async def looked() -> list[str]:
        await backlog.look()
        assert not any(backlog.is_full(core.databases["one"], "players", slot) for slot in others)
        return [group for group in ("players", "items") if backlog.is_full(core.databases["one"], group, last + beyond)]

    await courier.fetch(FILL, 0, kind, last + beyond, 1, FEW - 1)
    await courier.fetch(FILL, 0, kind, others[0], 1, FEW - 1)
    assert await looked() == []
    await courier.fetch(FILL, 0, kind, last + beyond, 1, 1)
    assert await looked() == full
    await courier.execute("update outbox set slot = $1", last)
    assert await looked() == [], "what the database doesn't own is never delivered by it"
    await courier.execute("delete from outbox")
    assert await looked() == []


def test_a_letter_that_answers_another_is_sent_however_many_wait() -> None:
    limits = LetterLimits(Pace(1, 1), Pace(1, 1), Pace(1, 1), 10)
    mail, now = Mailbag(LetterCounts(limits), lambda slot: True), datetime.now(UTC)
    letters = [("mail:duelled", 1 << 10, "{}")]
    with pytest.raises(Overloaded):
        mail.rows_for(2 << 10, command_id(), letters, now)
    answers = mail.rows_for(2 << 10, mail_id(1 << 10, command_id(), 0), letters, now)
    assert [row.recipient for row in answers] == [1 << 10]
