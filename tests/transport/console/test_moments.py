"""Moments in the console's fields: they keep their seconds, and what nobody edits is asked as it was."""

import re

from playwright.async_api import Page, expect

from tests.support.client import Api

SINCE = "2026-01-02T03:04:05.678Z"
UNTIL = "2036-01-02T03:04:00Z"
LEDGER = "tab=ledger&since=2026-01-02T03%3A04%3A05.678Z&until=2036-01-02T03%3A04%3A00Z"


async def test_the_ledger_asks_about_the_moments_of_its_address(signed_in: Page, api: Api) -> None:
    page, who = signed_in, await api.sign_up("mage")
    await page.goto(f"/console/player/{who.id}?tab=ledger&since={SINCE}&until={UNTIL}")
    since = page.get_by_label("Since")
    await expect(since).to_have_value(re.compile(":04:05$"))
    await page.get_by_role("button", name="Show").click()
    await expect(page).to_have_url(f"/console/player/{who.id}?{LEDGER}")
    await page.get_by_label("Actions").fill("hunt")
    await page.get_by_role("button", name="Show").click()
    await expect(page).to_have_url(f"/console/player/{who.id}?{LEDGER.replace('&', '&actions=hunt&', 1)}")
    await since.fill("2026-01-02T03:04:06")
    await page.get_by_role("button", name="Show").click()
    await expect(page).to_have_url(re.compile("since=2026-01-0.T..%3A04%3A06.000Z"))
    await expect(since).to_have_value(re.compile(":04:06$"))


async def test_the_past_is_asked_about_the_moment_of_the_address(signed_in: Page, api: Api) -> None:
    page, who = signed_in, await api.sign_up("mage")
    at, look = page.get_by_label("The player as it was at"), page.get_by_role("button", name="Look")
    await page.goto(f"/console/player/{who.id}?tab=past&at={UNTIL.replace(':00Z', ':05.678Z')}")
    await expect(at).to_have_value(re.compile(":04:05$"))
    await look.click()
    await expect(page).to_have_url(re.compile("at=2036-01-02T03%3A04%3A05.678Z$"))
    await at.fill("2036-01-02T03:04:07")
    await look.click()
    await expect(page).to_have_url(re.compile("%3A04%3A07.000Z$"))
    await expect(look).to_be_focused()
    await page.go_back()
    await expect(at).to_have_value(re.compile(":04:05$"))


async def test_every_field_shows_the_seconds_of_its_address(signed_in: Page) -> None:
    page = signed_in
    for view, names in (
        ("players", ("created_since", "created_until", "seen_since", "seen_until")),
        ("audit", ("since", "until")),
    ):
        await page.goto(f"/console/{view}?" + "&".join(f"{name}={SINCE}" for name in names))
        for name in names:
            field = page.locator(f"#{name}")
            await expect(field).to_have_value(re.compile(":04:05$"))
            assert await field.evaluate("element => element.validity.valid")
