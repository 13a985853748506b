"""Operators write to many players: everyone who fits gets the letter once, whatever dies, moves or is sent again."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from gameserver.commands import campaigns as commands
from gameserver.config.settings import Settings
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.ids import slot_of
from gameserver.storage.operators import campaigns as records
from gameserver.storage.operators.campaigns import CampaignRecords
from gameserver.storage.sessions import sightings
from gameserver.storage.sessions.sightings import Sightings
from gameserver.upkeep import campaigns as sending
from tests.storage.sharding import moving
from tests.support.client import ADMIN_KEY, Answer, Api, Signed, command_id
from tests.support.deployment import assert_ledger_explains
from tests.support.nodes import InProcessNode, node_process, start_node
from tests.support.wait import wait_until
from tests.transport.doors import fields_of
from tests.transport.http.test_every_write import both_sides
from tests.transport.http.test_player_changes import inbox, items

pytestmark = pytest.mark.usefixtures("node")

SECOND_KEY = "another-admin-key-that-nobody-guesses"
TEXT = "<b>We are sorry</b>, 미안합니다."


def with_operators(settings: Settings, **chosen: int) -> Settings:
    keys = {**settings.admin.keys, "second": SecretStr(SECOND_KEY)}
    return settings.model_copy(
        update={
            "operators": settings.operators.model_copy(update=chosen),
            "admin": settings.admin.model_copy(update={"keys": keys}),
        }
    )


@pytest.fixture
async def node(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[InProcessNode]:
    """A node with the settings of operators that a test asks for."""
    monkeypatch.setattr(records, "BEGIN_SECONDS", 0.1)
    monkeypatch.setattr(sending, "LOOK_SECONDS", 0.1)
    async with AsyncExitStack() as stack:
        yield await start_node(stack, with_operators(settings, **getattr(request, "param", {})))


async def start(api: Api, expected: int, key: str | None = None, preview: str = "", **fields: Any) -> Answer:
    body = {"reason": "a test", "text": TEXT, "items": {"potion": 2}, "filter": {}, "expected_count": expected}
    path = "/admin/v1/campaigns" + preview
    return await api.ask("POST", path, token=ADMIN_KEY, body={**body, **fields}, key=key)


async def started(api: Api, expected: int, **fields: Any) -> str:
    answer = await start(api, expected, **fields)
    assert answer.status == 200, answer.body
    return str(answer.body["campaign"]["id"])


async def shown(api: Api, campaign: str) -> dict[str, Any]:
    body: dict[str, Any] = (await api.admin(f"campaigns/{campaign}")).body
    return body


async def change(api: Api, campaign: str, what: str, token: str = ADMIN_KEY, **fields: Any) -> Answer:
    body = {"reason": "a test", **fields}
    return await api.ask("POST", f"/admin/v1/campaigns/{campaign}/{what}", token=token, body=body)


async def at_rest(api: Api, campaign: str, state: str) -> dict[str, Any]:
    async def is_over() -> bool:
        found = await shown(api, campaign)
        return bool(found["state"] == state and found["under_way"] == 0)

    await wait_until(is_over, seconds=60, what=f"the campaign is {state}")
    return await shown(api, campaign)


async def counts(api: Api, players: Sequence[Signed]) -> list[tuple[int, int]]:
    """For each player how many of the letters it has, and how many potions."""
    return [(len(await inbox(api, who)), (await items(api, who)).get("potion", 0)) for who in players]


async def test_everyone_who_fits_gets_the_letter_once(api: Api, node: InProcessNode) -> None:
    mages = [await api.sign_up("mage") for _ in range(4)]
    others = [await api.sign_up("warrior"), await api.sign_up("mage")]
    ban = await api.ask("POST", f"/admin/v1/players/{others[1].id}/ban", token=ADMIN_KEY, body={"reason": "a test"})
    assert ban.status == 200, ban.body
    chosen, key = {"class": "mage", "max_level": 5}, command_id()
    foreseen = await start(api, 0, preview="?preview=true", filter=chosen, expected_count=None)
    assert foreseen.body == {
        "preview": True, "players": 4, "needs_second_operator": False, "campaign": None
    }  # fmt: skip
    for expected, leeway in ((5, 0), (6, 1), (0, 3)):
        changed = await start(api, expected, key=key, filter=chosen, count_may_differ_by=leeway)
        assert (changed.status, changed.code, changed.body["count"]) == (409, "segment_changed", 4)
    assert (await api.admin("campaigns")).body == {"campaigns": [], "next_cursor": None}

    campaign = await started(api, 5, key=key, filter=chosen, count_may_differ_by=1)
    assert campaign == key
    await at_rest(api, campaign, "done")
    late = await api.sign_up("mage")
    again = await start(api, 5, key=key, filter=chosen)
    assert (again.status, again.body["players"]) == (200, 4), again.body
    assert [again.body["campaign"][name] for name in ("state", "arrived", "refused")] == ["done", 4, 0]
    assert (await start(api, 5, key=key, filter={"class": "warrior"})).code == "command_mismatch"
    assert await counts(api, mages) == [(1, 2)] * 4
    assert await counts(api, [others[0], late]) == [(0, 0)] * 2
    assert (await inbox(api, mages[0]))[0]["args"]["text"] == TEXT
    assert (await change(api, campaign, "revocation")).code == "campaign_over"
    entries = (await api.admin("audit", target=campaign)).body["entries"]
    assert [(entry["action"], entry["ended"]) for entry in entries] == [
        ("campaign_revoked", "campaign_over"), ("campaign", "done")
    ]  # fmt: skip
    for who in mages:
        await assert_ledger_explains(node.core, int(who.id))


async def test_who_was_seen_since_a_moment_gets_a_letter_and_nobody_else(api: Api, node: InProcessNode) -> None:
    here, away = await api.sign_up("mage"), await api.sign_up("mage")
    seen = Sightings(lambda: datetime(2035, 5, 5, 5, 5, tzinfo=UTC).timestamp())
    seen.note(int(here.id))
    for database in node.core.slots.databases("players"):
        await sightings.write(node.core.slots, seen, database)
    chosen = {"seen_since": "2035-05-05T05:00:00Z", "seen_until": "2035-05-05T06:00:00Z"}
    campaign = await started(api, 1, filter=chosen)
    assert (await at_rest(api, campaign, "done"))["arrived"] == 1
    assert (await shown(api, campaign))["filter"] == {
        "seen_since": "2035-05-05T05:00:00+00:00", "seen_until": "2035-05-05T06:00:00+00:00", "banned": False,
    }  # fmt: skip
    assert (len(await inbox(api, here)), len(await inbox(api, away))) == (1, 0)


async def test_a_filter_of_a_later_version_waits_for_a_node_that_knows_it(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What isn't known can't be heeded: the letter would reach everyone."""
    assert not commands.is_known({"banned": False, "born_under": "Aries"})
    assert commands.is_known(dict.fromkeys(commands.FIELDS))
    with monkeypatch.context() as patched:
        patched.setattr(sending, "is_known", lambda stored: "class" not in stored)
        who, campaign = await _waiting(api)
    await at_rest(api, campaign, "done")
    assert len(await inbox(api, who)) == 2


async def _waiting(api: Api) -> tuple[Signed, str]:
    """A player, and a campaign to it that waits while another one is done."""
    who = await api.sign_up("mage")
    campaign = await started(api, 1, filter={"class": "mage"})
    other = await started(api, 1)
    await at_rest(api, other, "done")
    assert (await shown(api, campaign))["state"] == "running"
    return who, campaign


async def metric(api: Api, name: str) -> float:
    text = "\n" + (await api.ask("GET", "/metrics")).body.decode()
    return float(text.partition(f"\n{name} ")[2].partition("\n")[0] or 0)


@pytest.mark.parametrize("node", [{"letters_per_second": 1}], indirect=True)
async def test_a_campaign_is_seen_in_the_metrics(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "MEASURE_SECONDS", 0.1)
    monkeypatch.setattr(sending, "TERM_SECONDS", 0.1)
    for _ in range(4):
        await api.sign_up()
    before = await metric(api, 'gameserver_campaign_letters_total{end="arrived"}')
    campaign = await started(api, 4)

    async def is_seen() -> bool:
        running = await metric(api, 'gameserver_campaigns{state="running"}')
        left = await metric(api, "gameserver_campaign_letters_left")
        age = await metric(api, "gameserver_campaign_progress_age_seconds")
        return running == 1 and left in (1, 2, 3) and 0 < age < 10

    await wait_until(is_seen, what="one campaign runs, and some letters are left")
    await at_rest(api, campaign, "done")
    assert await metric(api, 'gameserver_campaign_letters_total{end="arrived"}') - before == 4

    async def is_over() -> bool:
        running = await metric(api, 'gameserver_campaigns{state="running"}')
        return (running, await metric(api, "gameserver_campaign_letters_left")) == (0, 0)

    await wait_until(is_over, what="no campaign runs")


async def test_bad_campaigns_are_refused_with_their_fields(api: Api) -> None:
    for fields, wrong in (
        ({"filter": {"class": "nobody"}}, []),
        ({"items": {"nothing": 1}}, ["items.nothing"]),
        ({"filter": {"name": "Ada"}}, ["filter.name"]),
        ({"filter": {"min_level": 50, "max_level": 1}}, ["max_level"]),
        ({"expected_count": "4"}, ["expected_count"]),
        ({"expected_count": None}, ["expected_count"]),
        ({"text": ""}, ["text"]),
        ({"text": " \n "}, ["text"]),
    ):
        answer = await start(api, 0, **fields)
        assert (answer.status, fields_of(answer.body) if wrong else []) == (422, wrong), answer.body
    for what in ("agreement", "revocation"):
        more: dict[str, Any] = {"expected_count": 1} if what == "agreement" else {}
        for campaign in (command_id(), "x"):
            assert (await change(api, campaign, what, **more)).code == "campaign_not_found"
    assert (await api.admin("campaigns")).body == {"campaigns": [], "next_cursor": None}


@pytest.mark.parametrize("node", [{"second_operator_above": 1}], indirect=True)
async def test_above_the_limit_a_second_operator_has_to_agree(api: Api) -> None:
    players = [await api.sign_up() for _ in range(2)]
    assert (await start(api, 0, preview="?preview=true")).body["needs_second_operator"] is True
    campaign = await started(api, 2)
    assert (await change(api, campaign, "agreement", expected_count=2)).code == "same_operator"
    assert (await change(api, campaign, "agreement", SECOND_KEY, expected_count=3)).code == "segment_changed"
    body: dict[str, Any] = {"name": "ann", "role": "operator", "reason": "a test"}
    seen = (await api.ask("POST", "/admin/v1/keys", token=ADMIN_KEY, body=body)).body["key"]
    assert (await change(api, campaign, "agreement", seen, expected_count=2)).code == "same_operator"
    body = {"grace": 0, "reason": "a test"}
    own = (await api.ask("POST", "/admin/v1/keys/ann/rotate", token=seen, body=body)).body["key"]
    refused = await change(api, campaign, "agreement", own, expected_count=2)
    assert refused.code == "same_operator", "whoever made a key can also rotate it with it"
    await asyncio.sleep(0.6)  # longer than what is due waits for its turn
    assert ((await shown(api, campaign))["state"], await counts(api, players)) == ("waiting", [(0, 0)] * 2)
    for _ in range(2):
        agreed = await change(api, campaign, "agreement", SECOND_KEY, expected_count=2)
        assert (agreed.status, agreed.body["agreed_by"]) == (200, "second"), agreed.body
    done = await at_rest(api, campaign, "done")
    assert (done["arrived"], await counts(api, players)) == (2, [(1, 2)] * 2)

    revoked = await started(api, 2)
    assert (await change(api, revoked, "revocation")).body["state"] == "revoked"
    assert (await change(api, revoked, "agreement", SECOND_KEY, expected_count=2)).code == "campaign_over"
    for target, action, state in ((campaign, "campaign_agreed", "running"), (revoked, "campaign_revoked", "revoked")):
        (entry,) = [
            each
            for each in (await api.admin("audit", target=target, action=action)).body["entries"]
            if each["ended"] == "done"
        ]
        both_sides(entry)
        assert (entry["before"]["state"], entry["after"]["state"]) == ("waiting", state)


@pytest.mark.parametrize("node", [{"letters_per_second": 2}], indirect=True)
async def test_a_campaign_that_is_revoked_says_how_many_got_it(api: Api) -> None:
    players = [await api.sign_up() for _ in range(9)]
    campaign = await started(api, 9)

    async def has_begun() -> bool:
        return int((await shown(api, campaign))["arrived"]) > 0

    await wait_until(has_begun, seconds=30, what="the first letters have arrived")
    for _ in range(2):
        assert (await change(api, campaign, "revocation")).body["state"] == "revoked"
    over = await at_rest(api, campaign, "revoked")
    assert 0 < over["arrived"] < 9
    await asyncio.sleep(1.5)  # time for another page, if there were one
    assert sorted(await counts(api, players)) == [(0, 0)] * (9 - over["arrived"]) + [(1, 2)] * over["arrived"]
    assert (await shown(api, campaign))["arrived"] == over["arrived"]


@pytest.mark.parametrize("node", [{"letters_per_second": 5}], indirect=True)
async def test_a_page_that_was_sent_but_not_counted_is_counted_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    players, settle, failed = [await api.sign_up() for _ in range(5)], CampaignRecords.settle, list[str]()

    async def settle_late(self: CampaignRecords, campaign_id: str, *arguments: Any) -> bool:
        if not failed:
            failed.append(campaign_id)
            raise DatabaseUnavailable("The control database is away.")
        return await settle(self, campaign_id, *arguments)

    monkeypatch.setattr(CampaignRecords, "settle", settle_late)
    campaign = await started(api, 5)
    done = await at_rest(api, campaign, "done")
    assert (failed, done["arrived"], done["refused"]) == ([campaign], 5, 0)
    assert await counts(api, players) == [(1, 2)] * 5


@pytest.mark.parametrize("node", [{"letters_per_second": 12}], indirect=True)
async def test_slots_that_move_meanwhile_lose_and_double_no_letter(api: Api, node: InProcessNode) -> None:
    core, players = node.core, [await api.sign_up() for _ in range(24)]
    campaign = await started(api, 24)
    moves = 0
    while (await shown(api, campaign))["state"] == "running":
        slots = sorted({slot_of(int(who.id)) for who in players})
        await moving.move(core, slots, "two" if moves % 2 == 0 else "one")
        moves += 1
    done = await at_rest(api, campaign, "done")
    assert (done["arrived"], done["refused"]) == (24, 0)
    assert await counts(api, players) == [(1, 2)] * 24
    assert moves > 0
    await moving.assert_settled(core)


@asynccontextmanager
async def running(settings: Settings, folder: Path, name: str) -> AsyncIterator[Any]:
    process = node_process(settings, folder, name)
    await process.start()
    try:
        yield process
    finally:
        process.kill()


@pytest.mark.soak  # a node as a process takes its time to start
async def test_another_node_goes_on_when_the_one_that_sends_is_killed(settings: Settings, tmp_path: Path) -> None:
    chosen = with_operators(settings, letters_per_second=8)
    async with running(chosen, tmp_path, "one") as one, Api(one.address) as api:
        players = [await api.sign_up() for _ in range(30)]
        campaign = await started(api, 30)

        async def is_under_way() -> bool:
            return int((await shown(api, campaign))["arrived"]) > 0

        await wait_until(is_under_way, seconds=60, what="letters arrive")
        one.kill()
        async with AsyncExitStack() as stack:
            other = await start_node(stack, chosen)
            async with Api(other.url) as again:
                before = await shown(again, campaign)
                assert (before["state"], before["arrived"] < 30) == ("running", True)
                done = await at_rest(again, campaign, "done")
                assert (done["arrived"], done["refused"]) == (30, 0)
                assert await counts(again, players) == [(1, 2)] * 30


async def test_what_goes_on_is_listed_first_and_the_rest_page_by_page(api: Api, node: InProcessNode) -> None:
    held = node.core.commands.campaigns.records
    await api.sign_up("mage")
    made = await held.find(await started(api, 1))
    assert made is not None
    await wait_until(lambda: is_over(held, made.id), what="it has ended")
    states = ["waiting", "revoked", "done", "revoked", "done", "waiting", "done"]
    ids = [command_id() for _ in states]
    for number, state in zip(ids, states, strict=True):
        await held.insert(replace(made, id=number, state=state))
    newest = list(reversed([*zip([made.id, *ids], ["done", *states], strict=True)]))
    going = [number for number, state in newest if state == "waiting"]
    over = [number for number, state in newest if state != "waiting"]
    pages, cursor = [], ""
    while True:
        page = (await api.admin("campaigns", limit=2, **({"cursor": cursor} if cursor else {}))).body
        pages.append([campaign["id"] for campaign in page["campaigns"]])
        if (cursor := page["next_cursor"]) is None:
            break
    assert pages == [[*going, *over[:2]], over[2:4], over[4:6]]
    assert (await api.admin("campaigns", cursor="x")).code == "bad_input"


async def is_over(held: CampaignRecords, campaign: str) -> bool:
    record = await held.find(campaign)
    return record is not None and record.state == "done"
