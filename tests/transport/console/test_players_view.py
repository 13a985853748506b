"""The list of players in the console: what is searched is what the address says, whatever comes in between."""

from playwright.async_api import Page, expect

from tests.support.client import Api

CHOSEN_WHILE_TYPING = """async () => {
    const put = (id, type, value) => {
        const element = document.getElementById(id);
        element.value = value;
        element.dispatchEvent(new Event(type, { bubbles: true }));
    };
    put('text', 'input', 'Ann');
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    put('class', 'change', 'mage');
}"""
"""A name is typed, and a filter chosen two frames later: before anybody has stopped to type."""


async def test_back_leads_to_the_search_that_was_there(signed_in: Page, api: Api) -> None:
    page, ann = signed_in, await api.sign_up("mage", "Ann Lee")
    await api.sign_up("mage", "Bea Lee")
    rows = page.get_by_role("region", name="Players").locator("tr[data-at]")
    await page.clock.install()
    await page.goto("/console/players")
    await page.get_by_label("Name begins with").fill("Ann")
    await expect(page).to_have_url("/console/players?name_begins=Ann")
    await page.get_by_role("navigation", name="Views").get_by_role("link", name="Players").click()
    await expect(rows).to_have_count(2)
    await page.get_by_label("Find by").select_option("Id")
    await page.get_by_label("Id", exact=True).fill(ann.id)
    await expect(page).to_have_url(f"/console/players?id={ann.id}")
    await page.go_back()
    await expect(page.get_by_label("Name begins with")).to_have_value("Ann")
    await expect(rows).to_have_count(1)
    await page.clock.run_for(10_000)
    await expect(page).to_have_url("/console/players?name_begins=Ann")
    await expect(page.get_by_role("alert")).to_have_count(0)
    await page.go_forward()
    await expect(page.get_by_label("Id", exact=True)).to_have_value(ann.id)


async def test_a_filter_that_is_chosen_while_a_name_is_typed_is_kept_and_so_is_the_name(
    signed_in: Page, api: Api
) -> None:
    page = signed_in
    for name, class_name in (("Ann Lee", "mage"), ("Ann Kim", "warrior"), ("Bea Lee", "mage")):
        await api.sign_up(class_name, name)
    await page.goto("/console/players")
    await expect(page.get_by_label("Class").get_by_role("option", name="mage")).to_be_attached()
    await page.evaluate(CHOSEN_WHILE_TYPING)
    rows = page.get_by_role("region", name="Players").locator("tr[data-at]")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("Ann Lee")
    await expect(page).to_have_url("/console/players?name_begins=Ann&class=mage")
    await expect(page.get_by_label("Name begins with")).to_have_value("Ann")
