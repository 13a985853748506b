"""Letters to many players while a database of players doesn't answer: the others' players get theirs."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from datetime import UTC, datetime

import pytest
from asyncpg import CheckViolationError

from gameserver.app import Core
from gameserver.config.sections import WriteSettings
from gameserver.config.settings import Settings
from gameserver.stack.processes.ports import free_port
from gameserver.storage.operators import campaigns as records
from gameserver.storage.operators import parts, recipients
from gameserver.storage.operators.campaigns import CampaignPage, CampaignRecord, CampaignRecords
from gameserver.upkeep import campaigns as sending
from gameserver.upkeep.campaigns import Sending
from tests.support.client import Api, Signed, command_id
from tests.support.deployment import connected, owner
from tests.support.freezing import frozen
from tests.support.nodes import InProcessNode, start_node
from tests.support.servers import SLOTS, Servers
from tests.support.wait import wait_until
from tests.transport.http.test_campaigns import at_rest, change, counts, shown

PLAYERS = 24


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "BEGIN_SECONDS", 0.0)
    monkeypatch.setattr(sending, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(recipients, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr(parts, "OPEN_SECONDS", 0.5)


async def everyone(api: Api, core: Core) -> tuple[list[Signed], list[Signed]]:
    """Players, some on either database."""
    players = await asyncio.gather(*(api.sign_up() for _ in range(PLAYERS)))
    here, away = ([who for who in players if owner(core, int(who.id)) == name] for name in ("one", "two"))
    assert here
    assert away
    return here, away


async def stored(core: Core) -> str:
    """A campaign to everyone, whose players can't be counted while a database is silent."""
    now = datetime.now(UTC)
    record = CampaignRecord(
        id=command_id(), admin="a", reason="a test", filter={"banned": False}, text="Sorry", items={"potion": 2},
        counted=PLAYERS, state="running", agreed_by=None, at=now, changed_at=now, slot=0, after=0, pending=None,
        arrived=0, refused=0,
    )  # fmt: skip
    await core.rooms.operators.campaigns.insert(record)
    return record.id


async def finishes(api: Api, campaigns: Sequence[str]) -> None:
    for campaign in campaigns:
        done = await at_rest(api, campaign, "done")
        assert (done["arrived"], done["refused"], done["waiting"]) == (PLAYERS, 0, [])


async def test_a_silent_database_holds_up_only_its_own_players(api: Api, node: InProcessNode, servers: Servers) -> None:
    here, away = await everyone(api, node.core)
    waiting = [{"database": "two", "slots": SLOTS // 2, "letters": 0}]

    async def are_postponed() -> bool:
        found = [await shown(api, campaign) for campaign in campaigns]
        return all((each["arrived"], each["waiting"]) == (len(here), waiting) for each in found)

    with frozen(servers.postgres["two"]):
        campaigns = [await stored(node.core) for _ in range(3)]
        await wait_until(are_postponed, seconds=30, what="the others have their letters, and its slots are postponed")
        assert {(await shown(api, campaign))["state"] for campaign in campaigns} == {"running"}
        async with connected(node.core.settings.database_url("one")) as connection:
            # As a node of the version before postponed slots does it.
            with pytest.raises(CheckViolationError):
                await connection.execute("update campaigns set state = 'done' where pending is null")
        revoked = campaigns.pop()
        assert (await change(api, revoked, "revocation")).body["waiting"] == []
    await finishes(api, campaigns)
    over = await shown(api, revoked)
    assert (over["state"], over["arrived"], over["under_way"]) == ("revoked", len(here), 0)
    assert await counts(api, here) == [(3, 6)] * len(here)
    assert await counts(api, away) == [(2, 4)] * len(away)


@pytest.mark.soak  # its deadlines are short, so that it needs a machine that isn't busy
async def test_letters_that_a_freeze_cut_off_are_counted_once_by_whoever_goes_on(
    settings: Settings, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, settle, attend, nodes = CampaignRecords.begin, CampaignRecords.settle, sending.attend, dict[int, Sending]()
    quick = settings.model_copy(update={"writes": WriteSettings(deadline_seconds=2)})

    async def note(of_node: Sending) -> None:
        nodes[id(of_node)] = of_node

    async def begin_and_freeze(self: CampaignRecords, record: CampaignRecord, page: CampaignPage) -> bool:
        monkeypatch.setattr(CampaignRecords, "begin", begin)
        begun = await begin(self, record, page)
        freeze.enter_context(frozen(servers.postgres["two"]))
        return begun

    async def never(*_: object) -> None:
        ended.set()
        await asyncio.get_running_loop().create_future()

    async def is_under_way() -> bool:
        return ended.is_set() or await counts(api, here[:1]) == [(1, 2)]

    async def only_the_silent_wait() -> bool:
        await attend(second)
        found = await shown(api, campaign)
        waiting = [{"database": "two", "slots": 0, "letters": len(away)}]
        return (found["state"], found["arrived"], found["waiting"]) == ("running", len(here), waiting)

    ended = asyncio.Event()
    monkeypatch.setattr(recipients, "SILENT_SECONDS", 3.0)
    monkeypatch.setattr(sending, "attend", note)
    monkeypatch.setattr(CampaignRecords, "begin", begin_and_freeze)
    monkeypatch.setattr(CampaignRecords, "settle", never)
    monkeypatch.setattr(recipients, "WINDOW", SLOTS)
    monkeypatch.setattr(sending, "TERM_SECONDS", 600.0)  # letters that wait end a term: they aren't tried again at once
    async with AsyncExitStack() as stack:
        node = await start_node(stack, quick)
        elsewhere = settings.node.model_copy(update={"port": free_port()})
        await start_node(stack, quick.model_copy(update={"node": elsewhere}))
        api, freeze = await stack.enter_async_context(Api(node.url)), stack.enter_context(ExitStack())
        here, away = await everyone(api, node.core)
        await wait_until(lambda: len(nodes) == 2, what="both nodes look for campaigns")
        first, second = nodes.values()
        campaign = await stored(node.core)
        killed = asyncio.create_task(attend(first))
        await wait_until(is_under_way, seconds=30, what="letters of the page arrive")
        killed.cancel()
        await asyncio.wait([killed])
        cut = await shown(api, campaign)
        assert (cut["arrived"], cut["under_way"]) == (0, PLAYERS)
        monkeypatch.setattr(CampaignRecords, "settle", settle)
        await wait_until(only_the_silent_wait, seconds=30, what="only the silent one's letters wait")
        freeze.close()
        monkeypatch.setattr(sending, "attend", attend)
        await finishes(api, [campaign])
        assert await counts(api, [*here, *away]) == [(1, 2)] * PLAYERS
