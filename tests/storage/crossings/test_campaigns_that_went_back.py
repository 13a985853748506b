"""Letters of campaigns and operators to players who went back: sent again, once each, or listed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gameserver.app import Core, postman_of
from gameserver.commands import player_changes
from gameserver.commands.corrections import ChangedBy
from gameserver.commands.player_changes import Gift
from gameserver.config.settings import Settings
from gameserver.storage.crossings.campaigns import hold_campaigns
from gameserver.storage.ids import slot_of
from gameserver.storage.items.grants import Grants
from gameserver.storage.operators import campaigns as records
from gameserver.storage.operators.campaigns import CampaignRecord
from gameserver.upkeep import campaigns as sending
from gameserver.upkeep.campaigns import Sending
from tests.storage.crossings.test_crossings import reconciled, undone
from tests.storage.items.deployment import held, part, with_studio
from tests.support.client import command_id
from tests.support.deployment import carrying, connected, drained, enlist, working
from tests.support.servers import Servers


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "BEGIN_SECONDS", 0.0)


async def store(core: Core) -> str:
    now = datetime.now(UTC)
    record = CampaignRecord(
        id=command_id(), admin="a", reason="a test", filter={"banned": False}, text="Sorry", items={"potion": 2},
        counted=4, state="running", agreed_by=None, at=now, changed_at=now, slot=0, after=0, pending=None,
        arrived=0, refused=0,
    )  # fmt: skip
    await core.rooms.operators.campaigns.insert(record)
    return record.id


async def send(core: Core, campaign: str) -> CampaignRecord:
    """As the nodes do, until it is done."""
    until = datetime.now(UTC) + timedelta(seconds=20)
    while datetime.now(UTC) < until:
        await sending.attend(Sending(core.commands.campaigns, postman_of(core), 1000))
        found = await core.rooms.operators.campaigns.find(campaign)
        assert found is not None
        if found.state == records.DONE:
            return found
    raise AssertionError(found)


async def potions(core: Core, players: Sequence[int]) -> list[int]:
    async with carrying(core, Grants(core.rooms.players.inventory)):
        await drained(core)
    return [(await held(core, player)).get("potion", 0) for player in players]


@pytest.mark.parametrize("items_elsewhere", [False, True])
async def test_a_campaign_writes_again_to_players_who_went_back_and_nobody_gets_it_twice(
    servers: Servers, settings: Settings, tmp_path: Path, items_elsewhere: bool
) -> None:
    if items_elsewhere:
        await part(settings)
    settings = with_studio(settings, tmp_path)
    async with working(settings) as core:
        players = [(await enlist(core, database=name)).id for name in ("one", "two", "one", "two")]
        early = await store(core)
        await send(core, early)
        assert await potions(core, players) == [2] * 4
    since = datetime.now(UTC) + timedelta(seconds=10)
    async with connected(settings.database_url("one")) as connection:
        await connection.execute("update campaigns set changed_at = changed_at - interval '1 minute'")
    async with undone(servers, settings, "two"), working(settings) as core:
        late = await store(core)
        await send(core, late)
        assert await potions(core, players) == [4] * 4
    found = await reconciled(settings, "two", since)
    assert [row["campaign"] for row in found["campaigns_again"].listed] == [late]
    assert (found["campaigns_ended"].count, found["items_kept"].count) == (0, 0)
    async with working(settings) as core:
        ended = await send(core, late)
        assert await potions(core, players) == [4] * 4
        assert (ended.postponed, ended.refused) == ([], 0)
    await reconciled(settings, "two", since)
    async with working(settings) as core:
        await send(core, late)
        assert await potions(core, players) == [4] * 4


async def test_a_campaign_that_waits_for_a_second_operator_will_write_again(
    servers: Servers, settings: Settings, tmp_path: Path
) -> None:
    settings = with_studio(settings, tmp_path)
    async with working(settings) as core:
        player = await enlist(core, database="two")
        held = await store(core)
        await send(core, held)
    async with connected(settings.database_url("one")) as connection:
        await connection.execute("update campaigns set state = 'waiting'")
    found = await reconciled(settings, "two", datetime.now(UTC) - timedelta(minutes=1))
    assert [row["campaign"] for row in found["campaigns_again"].listed] == [held]
    async with working(settings) as core:
        record = await core.rooms.operators.campaigns.find(held)
        assert record is not None
        assert (record.state, slot_of(player.id) in record.postponed[::2]) == ("waiting", True)


@pytest.mark.parametrize("restored", [True, False])
async def test_a_campaign_waits_for_an_operator_and_is_listed_once_the_control_database_was_restored(
    servers: Servers, settings: Settings, tmp_path: Path, restored: bool
) -> None:
    """It may have been revoked since; a failover isn't a restore, and nobody is needed then."""
    settings = with_studio(settings, tmp_path)
    async with working(settings) as core:
        player = (await enlist(core, database="two")).id
        campaign = await store(core)
    async with connected(settings.database_url("one")) as connection:
        await connection.execute("update control_lineage set timeline = timeline + 7")
        if restored:
            await hold_campaigns(connection)
    async with working(settings) as core:
        if restored:
            await sending.attend(Sending(core.commands.campaigns, postman_of(core), 1000))
        else:
            await send(core, campaign)
        assert await potions(core, [player]) == [0 if restored else 2]
    found = await reconciled(settings, "one", datetime.now(UTC) - timedelta(minutes=1))
    assert [row["campaign"] for row in found["campaigns_held"].listed] == [campaign] * restored


async def test_a_campaign_that_was_revoked_or_is_older_than_the_ledger_is_listed(
    servers: Servers, settings: Settings, tmp_path: Path
) -> None:
    settings = with_studio(settings, tmp_path)
    async with working(settings) as core:
        await enlist(core, database="two")
        revoked, old = await store(core), await store(core)
        for campaign in (revoked, old):
            await send(core, campaign)
    ancient = f"01700000{old[8:]}"
    async with connected(settings.database_url("one")) as connection:
        await connection.execute("update campaigns set state = 'revoked' where id = $1", revoked)
        await connection.execute("update campaigns set id = $2 where id = $1", old, ancient)
    found = await reconciled(settings, "two", datetime.now(UTC) - timedelta(minutes=1))
    assert {row["campaign"] for row in found["campaigns_ended"].listed} == {revoked, ancient}
    assert found["campaigns_again"].count == 0


async def test_letters_of_operators_to_single_players_who_went_back_are_listed(
    servers: Servers, settings: Settings, tmp_path: Path
) -> None:
    settings = with_studio(settings, tmp_path)
    gift = Gift("Sorry", (("potion", 3),))
    async with working(settings) as core:
        here, there = [(await enlist(core, database=name)).id for name in ("one", "two")]
        await player_changes.send(core.commands.player_changes, there, gift, ChangedBy("a", "a test", command_id()))
    since = datetime.now(UTC)
    async with undone(servers, settings, "two"), working(settings) as core:
        for player in (here, there):
            by = ChangedBy("a", "a test", command_id())
            await player_changes.send(core.commands.player_changes, player, gift, by)
    found = await reconciled(settings, "two", since)
    (lost,) = found["operator_letters_lost"].listed
    assert (lost["player"], lost["items"]) == (str(there), '{"potion": 3}')
