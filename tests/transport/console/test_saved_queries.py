"""Saved queries in the console, in Chromium."""

from playwright.async_api import Page, expect

from tests.support.client import Api
from tests.transport.console.conftest import violations

NAME = "봄 mages"


async def test_a_query_is_saved_chosen_again_and_deleted(signed_in: Page, api: Api) -> None:
    page = signed_in
    await api.sign_up("mage", "Merlin")
    await api.sign_up("warrior", "Conan")
    await page.goto("/console/players?class=mage&by=level")
    await page.get_by_role("button", name="Save query").click()
    await page.get_by_label("Name", exact=True).fill(NAME)
    await page.get_by_label("Reason").fill("the spring event")
    assert not await violations(page)
    await page.get_by_role("dialog").get_by_role("button", name="Save").click()
    await expect(page.get_by_label("Saved query")).to_have_value(NAME)
    (saved,) = (await api.admin("queries")).body["queries"]
    assert (saved["name"], saved["query"]) == (NAME, {"class": "mage", "by": "level"})
    await page.get_by_label("Saved query").select_option("")
    rows = page.locator("tr[data-at]")
    await expect(rows).to_have_count(2)
    await page.get_by_label("Saved query").select_option(NAME)
    await expect(rows).to_have_count(1)
    await expect(page.get_by_label("Class")).to_have_value("mage")
    await page.get_by_role("button", name="Delete query").click()
    await page.get_by_label("Reason").fill("over")
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("button", name="Delete query")).to_have_count(0)
    assert (await api.admin("queries")).body["queries"] == []
