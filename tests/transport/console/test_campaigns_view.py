"""Letters to many players in the console, in Chromium."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from playwright.async_api import Page, Request, Route, expect

from gameserver.config.settings import Settings
from gameserver.transport import wire
from tests.support.client import ADMIN_KEY, Api, command_id
from tests.support.nodes import InProcessNode, start_node
from tests.transport.console.conftest import on_the_loop, sign_in, violations
from tests.transport.http.test_campaigns import SECOND_KEY, TEXT, started, with_operators


async def test_a_letter_is_counted_confirmed_sent_and_followed(signed_in: Page, api: Api, tmp_path: Path) -> None:
    page = signed_in
    mages = [await api.sign_up("mage") for _ in range(3)]
    await api.sign_up("warrior")
    await page.get_by_role("link", name="Campaigns").click()
    await expect(page.get_by_text("No letter has been sent to many players yet.")).to_be_visible()
    await page.get_by_role("button", name="Write to many players").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Text").fill("<img src=x onerror=alert(1)> 미안합니다")
    await dialog.get_by_label("Items").fill("potion=2")
    await dialog.get_by_label("Class").select_option("mage")
    await dialog.get_by_label("Reason").fill("the <b>outage</b>")
    await dialog.get_by_role("button", name="Preview").click()
    await expect(dialog.get_by_text("3 players fit now")).to_be_visible()
    assert not await violations(page)
    send = dialog.get_by_role("button", name="Send")
    await dialog.get_by_label("Type 3 to confirm").fill("4")
    await expect(send).to_be_disabled()
    await dialog.get_by_label("Type 3 to confirm").fill("3")
    await send.click()
    await expect(page.get_by_text("3 arrived, 0 refused, of 3 counted")).to_be_visible()
    await expect(page.get_by_text("<img src=x onerror=alert(1)> 미안합니다")).to_be_visible()
    await expect(page.locator("main img")).to_have_count(0)
    assert not await violations(page)
    await page.screenshot(path=tmp_path / "campaigns.png")
    got = (await api.ask("GET", "/v1/players/me/items", token=mages[0].token)).body["items"]
    assert [(stack["item"], stack["count"]) for stack in got] == [("potion", 2)]


@on_the_loop()
async def node(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[InProcessNode]:
    """A node with two operators; a test may ask for more of its settings."""
    async with AsyncExitStack() as stack:
        yield await start_node(stack, with_operators(settings, **getattr(request, "param", {})))


@pytest.mark.parametrize("node", [{"second_operator_above": 1}], indirect=True)
async def test_a_second_operator_agrees_and_another_letter_is_revoked(page: Page, api: Api) -> None:
    for _ in range(2):
        await api.sign_up("mage")
    agreed, revoked = await started(api, 2, filter={"class": "mage"}), await started(api, 2, reason="a mistake")
    # Who started them may not agree.
    await sign_in(page, ADMIN_KEY)
    await page.get_by_role("link", name="Campaigns").click()
    await expect(page.get_by_role("button", name="Revoke")).to_have_count(2)
    await expect(page.get_by_role("button", name="Agree")).to_have_count(0)
    await page.get_by_role("button", name="Sign out").click()
    await sign_in(page, SECOND_KEY)
    await page.get_by_role("link", name="Campaigns").click()
    # The newest is the first: it is revoked, the other one agreed to.
    await page.get_by_role("button", name="Revoke").first.click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Reason").fill("to the wrong players")
    assert not await violations(page)
    await dialog.get_by_role("button", name="Revoke", exact=True).click()
    await expect(page.get_by_text("Revoked: 0 had it, 0 letters are under way.")).to_be_visible()
    await expect(page.get_by_role("button", name="Agree")).to_have_count(1)
    await page.get_by_role("button", name="Agree").click()
    # What is agreed to is shown whole: to whom, with what, whose it is, and why.
    for shown in ("To 2 players: Players who are not banned, Class mage; with 2 potion", TEXT, "a test", "· tester,"):
        await expect(dialog.get_by_text(shown)).to_be_visible()
    await dialog.get_by_label("Reason").fill("as agreed")
    button = dialog.get_by_role("button", name="Agree", exact=True)
    await expect(button).to_be_disabled()
    await dialog.get_by_label("to confirm").fill("2")
    assert not await violations(page)
    await button.click()
    await expect(page.get_by_text("2 arrived, 0 refused, of 2 counted")).to_be_visible()
    states = {
        each["id"]: (each["state"], each["agreed_by"]) for each in (await api.admin("campaigns")).body["campaigns"]
    }
    assert states == {agreed: ("done", "second"), revoked: ("revoked", None)}


async def test_whoever_agrees_is_told_every_field_of_the_filter(page: Page, api: Api) -> None:
    fields = {
        "class": ("mage", "Class mage"),
        "min_level": (3, "Level from 3"),
        "max_level": (9, "Level to 9"),
        "created_since": ("2021-03-04T12:00:00Z", "Created since 4 Mar 2021"),
        "created_until": ("2022-03-04T12:00:00Z", "Created until 4 Mar 2022"),
        "seen_since": ("2023-03-04T12:00:00Z", "Last seen since 4 Mar 2023"),
        "seen_until": ("2024-03-04T12:00:00Z", "Last seen until 4 Mar 2024"),
        "banned": (True, "Banned players only"),
    }
    assert fields.keys() == {field.alias or name for name, field in wire.CampaignFilter.model_fields.items()}
    later = fields | {"guild": ("red", "guild red"), "banned": (False, "Players who are not banned")}
    alone = [({"banned": True}, ["Banned players only"]), ({}, ["All players"])]
    chosen = [({name: value for name, (value, _) in each.items()}, [said for _, said in each.values()])
              for each in (fields, later)]  # fmt: skip
    campaign = {
        "id": "1", "admin": "second", "reason": "a test", "text": TEXT, "items": {}, "players": 2, "arrived": 0,
        "refused": 0, "state": "waiting", "agreed_by": None, "at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    await sign_in(page, ADMIN_KEY)
    for filter_, told in (*chosen, *alone):
        await page.route("**/admin/v1/campaigns*", partial(answer_with, campaign | {"filter": filter_}))
        await page.goto("/console/campaigns")
        card = page.get_by_role("region", name="Campaign: a test")
        await card.get_by_role("button", name="Agree").click()
        dialog = page.get_by_role("dialog")
        for text in told:
            await expect(card.get_by_text(text)).to_be_attached()
            await expect(dialog.get_by_text(text)).to_be_visible()


@pytest.mark.parametrize(("needs_second", "shown"), [(True, 0), (False, 1)])
async def test_who_started_a_campaign_is_offered_to_agree_where_one_operator_is_enough(
    signed_in: Page, needs_second: bool, shown: int
) -> None:
    """As after a restore of the control database, since which it waits."""
    campaign = {
        "id": "1", "admin": "tester", "reason": "a test", "text": TEXT, "items": {}, "players": 2, "arrived": 0,
        "refused": 0, "state": "waiting", "agreed_by": None, "at": "2026-01-01T00:00:00Z", "filter": {},
        "needs_second_operator": needs_second,
    }  # fmt: skip
    await signed_in.route("**/admin/v1/campaigns*", partial(answer_with, campaign))
    await signed_in.goto("/console/campaigns")
    card = signed_in.get_by_role("region", name="Campaign: a test")
    await expect(card.get_by_role("button", name="Revoke")).to_be_visible()
    await expect(card.get_by_role("button", name="Agree")).to_have_count(shown)
    await expect(card.get_by_text("a second operator has to agree")).to_have_count(1 - shown)


async def answer_with(campaign: dict[str, object], route: Route) -> None:
    await route.fulfill(json={"campaigns": [campaign]})


def filter_of(request: Request) -> object:
    return json.loads(request.post_data or "{}")["filter"]


async def test_a_list_of_players_and_a_saved_query_become_the_filter_of_a_letter(signed_in: Page, api: Api) -> None:
    page = signed_in
    await api.sign_up("mage", "Merlin")
    await api.sign_up("warrior", "Conan")
    for name, query in (("warriors", {"class": "warrior", "min_level": "1"}), ("here", {"online": "true"})):
        body = {"reason": "a test", "query": query}
        assert (await api.ask("POST", f"/admin/v1/queries/{name}", token=ADMIN_KEY, body=body)).status == 200
    since = "2021-03-04T12:00:00.123Z"
    await page.goto(f"/console/players?class=mage&max_level=9&created_since={since}&by=level&banned=false")
    await page.get_by_role("button", name="Send mail to these").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Text").fill("Hello.")
    async with page.expect_request("**/campaigns?preview=true") as asked:
        await dialog.get_by_role("button", name="Preview").click()
    chosen = {"class": "mage", "max_level": 9, "created_since": since}
    assert filter_of(await asked.value) == chosen, "nobody else's, to the millisecond"
    await expect(dialog.get_by_text("1 player fits now; who is banned gets nothing.")).to_be_visible()
    assert not await violations(page)
    assert await dialog.get_by_role("option", name="here").is_disabled(), "a letter can't go by that"
    await dialog.get_by_label("Saved query").select_option("warriors")
    await expect(dialog.get_by_label("Text")).to_have_value("Hello.")
    await dialog.get_by_label("Banned").select_option("yes, only these")
    async with page.expect_request("**/campaigns?preview=true") as asked:
        await dialog.get_by_role("button", name="Preview").click()
    assert filter_of(await asked.value) == {"class": "warrior", "min_level": 1, "banned": True}
    await expect(dialog.get_by_text("0 players fit now; nobody gets it who is not banned.")).to_be_visible()
    await page.go_back()
    await expect(page).to_have_url(re.compile("/console/players"))
    await expect(dialog).to_have_count(0)


@pytest.mark.parametrize("narrower", ["name_begins=A", "id=5", "online=true", "guild=red"])
async def test_a_filter_that_a_letter_cant_have_isnt_left_out(signed_in: Page, narrower: str) -> None:
    page, name = signed_in, narrower.partition("=")[0]
    await page.goto(f"/console/players?class=mage&{narrower}")
    button = page.get_by_role("button", name="Send mail to these")
    await (expect(button).to_be_enabled() if name == "guild" else expect(button).to_be_disabled())
    await page.goto(f"/console/campaigns/new?{narrower}")
    await expect(page.get_by_role("alert")).to_contain_text(f"can't be filtered by {name}")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.goto("/console/campaigns/new?min_level=ten&banned=true")
    await page.get_by_label("Text").fill("Hello.")
    await page.get_by_role("button", name="Preview").click()
    await expect(page.locator(".problem")).to_contain_text("“ten” isn't a whole number.")


def test_a_letter_has_the_filters_of_a_list_but_for_who_is_online() -> None:
    """Who is connected is known to Redis alone, and is somebody else before a page is read."""
    of_lists, of_letters = wire.SegmentFilter.model_fields, wire.CampaignFilter.model_fields
    assert of_lists.keys() - of_letters.keys() == {"by", "order", "online"}
    assert of_letters.keys() <= of_lists.keys()


async def test_a_campaign_has_an_address(signed_in: Page, api: Api, node: InProcessNode, tmp_path: Path) -> None:
    page = signed_in
    await api.sign_up("mage")
    first, other = await started(api, 1), await started(api, 1, reason="another one")
    await page.goto("/console/campaigns")
    await page.get_by_role("link", name="a test").click()
    await expect(page).to_have_url(re.compile(f"/console/campaigns/{first}$"))
    await page.reload()
    await expect(page.get_by_text(first)).to_be_visible()
    await expect(page.get_by_text(other)).to_have_count(0)
    await expect(page.get_by_text("1 arrived, 0 refused, of 1 counted")).to_be_visible()
    assert not await violations(page)
    held = await node.core.commands.campaigns.records.find(first)
    assert held is not None
    waits = replace(held, id=command_id(), state="waiting", reason="the outage")
    await node.core.commands.campaigns.records.insert(waits)
    await page.goto(f"/console/campaigns/{waits.id}")
    await expect(page.get_by_text("An operator has to agree until")).to_be_visible()
    await page.get_by_role("button", name="Revoke").click()
    await page.get_by_label("Reason").fill("a mistake")
    await page.get_by_role("dialog").get_by_role("button", name="Revoke", exact=True).click()
    await expect(page.get_by_role("region", name="Campaign: the outage")).to_contain_text("revoked")
    await page.get_by_role("link", name="All campaigns").click()
    await expect(page.get_by_role("region")).to_have_count(3)
    await page.goto("/console/campaigns/nothing")
    await expect(page.get_by_role("alert")).to_contain_text("There is no such campaign.")


async def test_all_letters_can_be_reached_and_what_goes_on_is_first(
    signed_in: Page, api: Api, node: InProcessNode
) -> None:
    page, held = signed_in, node.core.commands.campaigns.records
    await api.sign_up("mage")
    made = await held.find(await started(api, 1))
    assert made is not None
    for number, state in enumerate(["waiting", *["revoked"] * 60]):
        await held.insert(replace(made, id=command_id(), state=state, reason=f"number {number}"))
    await page.goto("/console/campaigns")
    cards = page.get_by_role("region")
    await expect(cards.filter(has_text="number 0")).to_be_visible()
    more = page.get_by_role("button", name="Show more")
    await expect(page.get_by_text("number 1", exact=True)).to_have_count(0)
    await more.press("Enter")
    await expect(page.get_by_text("number 1", exact=True)).to_be_visible()
    await expect(more).to_have_count(0)
    await expect(cards).to_have_count(62)
    assert await cards.first.get_by_role("heading").text_content() in ("number 0", "a test")
    await page.get_by_role("button", name="Revoke").first.click()
    await page.get_by_label("Reason").fill("a mistake")
    await page.get_by_role("dialog").get_by_role("button", name="Revoke", exact=True).click()
    await expect(cards.filter(has_text="number 0")).to_contain_text("revoked")
