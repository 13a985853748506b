"""Saved queries in the console, in Chromium."""

from playwright.async_api import Page, expect

from tests.support.client import ADMIN_KEY, Api
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
    await expect(page.get_by_role("main")).to_be_focused()
    assert (await api.admin("queries")).body["queries"] == []


async def saved(api: Api, name: str, query: dict[str, str]) -> None:
    body = {"reason": "a colleague's", "query": query}
    assert (await api.ask("POST", f"/admin/v1/queries/{name}", token=ADMIN_KEY, body=body)).status == 200


async def test_of_two_queries_with_the_same_filters_the_chosen_one_is_deleted(signed_in: Page, api: Api) -> None:
    page = signed_in
    for name in ("first", "second"):
        await saved(api, name, {"class": "mage"})
    await page.goto("/console/players?class=mage")
    chosen = page.get_by_label("Saved query")
    await expect(chosen).to_have_value("first")
    await chosen.select_option("second")
    await expect(chosen).to_have_value("second")
    await page.get_by_role("button", name="Delete query").click()
    await page.get_by_label("Reason").fill("over")
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("Deleted.")).to_be_visible()
    assert [each["name"] for each in (await api.admin("queries")).body["queries"]] == ["first"]


async def test_a_colleagues_query_is_replaced_only_by_who_says_so(signed_in: Page, api: Api) -> None:
    page = signed_in
    await page.goto("/console/players?class=priest")
    await saved(api, "autumn", {"class": "fighter"})
    await page.get_by_role("button", name="Save query").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name", exact=True).fill("autumn")
    replace = dialog.get_by_label("Replace the query of this name, which tester has saved")
    await expect(replace).to_be_visible()
    await replace.check()
    await dialog.get_by_label("Name", exact=True).fill("spring")
    await dialog.get_by_label("Reason").fill("mine")
    await expect(replace).to_have_count(0)
    await saved(api, "spring", {"class": "mage"})  # since the dialog was opened
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("replace it")
    await expect(replace).not_to_be_checked()
    assert not await violations(page)
    await dialog.get_by_role("button", name="Save").click()
    await expect(replace).to_be_focused()
    assert await queries(api) == {"autumn": {"class": "fighter"}, "spring": {"class": "mage"}}
    await replace.check()
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Saved as spring.")).to_be_visible()
    assert await queries(api) == {"autumn": {"class": "fighter"}, "spring": {"class": "priest"}}


async def queries(api: Api) -> dict[str, object]:
    return {each["name"]: each["query"] for each in (await api.admin("queries")).body["queries"]}
