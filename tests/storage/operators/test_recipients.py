"""Whom a campaign writes to: everyone once, also from slots that are read later."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain

from gameserver.app import Core
from gameserver.storage.ids import slot_of
from gameserver.storage.operators.campaigns import CampaignRecord
from gameserver.storage.operators.questions import EVERYONE
from tests.support.client import command_id
from tests.support.deployment import enlist_many, move_slot, owner
from tests.support.servers import SLOTS


def campaign() -> CampaignRecord:
    at = datetime.now(UTC) + timedelta(seconds=60)
    return CampaignRecord(
        id=command_id(), admin="a", reason="a test", filter={}, text="", items={}, counted=0, state="running",
        agreed_by=None, at=at, changed_at=at, slot=0, after=0, pending=None, arrived=0, refused=0,
    )  # fmt: skip


async def read(core: Core, record: CampaignRecord) -> list[list[int]]:
    """The players of every page; between two pages a slot moves."""
    room, pages = core.rooms.operators.recipients, list[list[int]]()
    while not room.is_at_end(record):
        page = await room.page(EVERYONE, record, 5)
        assert page is not None
        record = replace(record, slot=page.slot, after=page.after, postponed=page.postponed)
        pages.append([*page.players])
        if page.players:
            last = page.players[-1]
            await move_slot(core, slot_of(last), "two" if owner(core, last) == "one" else "one")
    return pages


async def test_every_player_is_on_one_page_also_behind_the_last_slot_and_when_slots_move(core: Core) -> None:
    players = sorted([player.id for player in await enlist_many(core, 12)])
    in_order = await read(core, campaign())
    postponed = [*chain(*((slot, 0) for slot in range(SLOTS)))]
    later = await read(core, replace(campaign(), slot=SLOTS, postponed=postponed))
    for pages in (in_order, later):
        assert sorted(chain(*pages)) == players
        assert max(map(len, pages)) == 5


async def test_a_database_whose_letters_wait_isnt_read_until_they_have_ended(core: Core) -> None:
    (here,), (away,) = await enlist_many(core, 1, "one"), await enlist_many(core, 1, "two")
    room, players = core.rooms.operators.recipients, set[int]()
    record = replace(campaign(), pending=[away.id])
    while record.slot < SLOTS:
        page = await room.page(EVERYONE, record, 5)
        assert page is not None
        record = replace(record, slot=page.slot, after=page.after, postponed=page.postponed)
        players |= {*page.players}
    assert players == {here.id}
    assert room.waiting(record) == [("two", SLOTS // 2, 1)]
    assert await room.page(EVERYONE, record, 5) is None
    page = await room.page(EVERYONE, replace(record, pending=None), 5)
    assert page is not None
    assert page.players == [away.id]
    assert room.waiting(replace(record, pending=None, state="revoked")) == []
