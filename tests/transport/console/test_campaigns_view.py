"""Letters to many players in the console, in Chromium."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from gameserver.config.settings import Settings
from gameserver.transport import wire
from tests.support.client import ADMIN_KEY, Api
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
    await dialog.get_by_label("Class").fill("mage")
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


async def answer_with(campaign: dict[str, object], route: Route) -> None:
    await route.fulfill(json={"campaigns": [campaign]})
