"""Whom a campaign writes to: everyone once, also from slots that are read later; and how long it waits."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest

from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.ids import slot_of
from gameserver.storage.operators import recipients
from gameserver.storage.operators.campaigns import CampaignRecord
from gameserver.storage.operators.questions import EVERYONE
from tests.support.client import command_id
from tests.support.deployment import connected, enlist_many, move_slot, owner
from tests.support.servers import SLOTS


def campaign() -> CampaignRecord:
    at = datetime.now(UTC) + timedelta(seconds=60)
    return CampaignRecord(
        id=command_id(), admin="a", reason="a test", filter={}, text="", items={}, counted=0, state="running",
        agreed_by=None, at=at, changed_at=at, slot=0, after=0, pending=None, arrived=0, refused=0,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may find a database silent."""
    monkeypatch.setattr(recipients, "SILENT_SECONDS", 0.0)


async def turn(core: Core, record: CampaignRecord) -> tuple[CampaignRecord, list[int]]:
    """The campaign behind its next page, and the page's players; the campaign itself if nobody can be asked."""
    with suppress(DatabaseUnavailable):
        if (page := await core.rooms.operators.recipients.page(EVERYONE, record, 5)) is not None:
            return replace(record, slot=page.slot, after=page.after, postponed=page.postponed), [*page.players]
    return record, []


async def read(core: Core, record: CampaignRecord) -> list[list[int]]:
    """The players of every page; behind each, a slot moves."""
    pages = list[list[int]]()
    while not core.rooms.operators.recipients.is_at_end(record):
        record, players = await turn(core, record)
        pages.append(players)
        if players:
            last = players[-1]
            await move_slot(core, slot_of(last), "two" if owner(core, last) == "one" else "one")
    return pages


async def test_every_player_is_on_one_page_also_behind_the_last_slot_and_when_slots_move(core: Core) -> None:
    expected = sorted([player.id for player in await enlist_many(core, 12)])
    in_order = await read(core, campaign())
    postponed = [*chain(*((slot, 0) for slot in range(SLOTS)))]
    later = await read(core, replace(campaign(), slot=SLOTS, postponed=postponed))
    for pages in (in_order, later):
        assert sorted(chain(*pages)) == expected
        assert max(map(len, pages)) <= 5


async def test_a_database_whose_letters_wait_isnt_read_until_they_have_ended(core: Core) -> None:
    (here,), (away,) = await enlist_many(core, 1, "one"), await enlist_many(core, 1, "two")
    room, record, found = core.rooms.operators.recipients, replace(campaign(), pending=[away.id]), list[int]()
    while record.slot < SLOTS or "one" in [each.database for each in room.waiting(record)]:
        record, players = await turn(core, record)
        found += players
    assert found == [here.id]
    assert room.waiting(record) == [("two", SLOTS // 2, 1)]
    assert await turn(core, record) == (record, [])
    assert room.waiting(replace(record, pending=None, state="revoked")) == []
    record = replace(record, pending=None)
    while not room.is_at_end(record):
        record, players = await turn(core, record)
        found += players
    assert found == [here.id, away.id]


@pytest.mark.parametrize(("state", "moves_on"), [("waiting", False), ("running", True)])
async def test_letters_that_arrive_while_a_campaign_waits_give_no_more_time_to_agree(
    core: Core, settings: Settings, state: str, *, moves_on: bool
) -> None:
    """Its last page of before may be under way still, as to a database that was away."""
    records, new = core.commands.campaigns.records, replace(campaign(), state=state)
    await records.insert(new)
    async with connected(settings.database_url("one")) as connection:
        await connection.execute("update campaigns set pending = '{7, 8}', changed_at = changed_at - interval '6 days'")
    before = await records.find(new.id)
    assert await records.settle(new.id, [7, 8], [8], 1, 0)
    after = await records.find(new.id)
    assert before is not None
    assert after is not None
    assert (after.arrived, after.pending, after.changed_at > before.changed_at) == (1, [8], moves_on)
