"""The list of players in the console: what is searched is what the address says, whatever comes in between."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from gameserver.times import rfc3339
from tests.support.browser import is_no_wider_than_its_window
from tests.support.client import Api
from tests.transport.console.conftest import violations

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


@pytest.mark.parametrize(
    ("opened_at", "opens", "address", "shows"),
    [
        ("players?class=mage", "Spread", "players?class=mage&spread=true", "How exp is spread"),
        (
            "fleet?tab=boards",
            "Rewards of dragons_weekly as of now…",
            "fleet?tab=boards&rewards=dragons_weekly",
            "dragons_weekly: if it ended now",
        ),
    ],
)
async def test_what_only_shows_something_has_an_address_that_leads_to_it(
    signed_in: Page, opened_at: str, opens: str, address: str, shows: str
) -> None:
    page, dialog = signed_in, signed_in.get_by_role("dialog", name=shows)
    await page.goto("/console/audit")
    await page.goto(f"/console/{opened_at}")
    await page.get_by_role("button", name=opens).click()
    await expect(dialog).to_be_visible()
    await expect(page).to_have_url(f"/console/{address}")
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(page).to_have_url(f"/console/{opened_at}")
    await page.goto(f"/console/{address}")
    await expect(dialog).to_be_visible()
    await page.go_back()
    await expect(page).to_have_url(f"/console/{opened_at}")
    await expect(dialog).to_have_count(0)


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


@pytest.mark.parametrize(
    ("by", "days", "first", "second"),
    [("created_at", 30, "1 Nov 2026", "1 Dec 2026"), ("seen_at", 0, "1 Nov 2026 00:00:00", "1 Nov 2026 01:00:00")],
)
async def test_how_moments_are_spread_is_drawn(
    signed_in: Page, by: str, days: int, first: str, second: str, tmp_path: Path
) -> None:
    page, begin = signed_in, datetime(2026, 11, 1, tzinfo=UTC)

    async def answer(route: Route) -> None:
        found = await (await route.fetch()).json()
        moments = [begin + number * timedelta(days=days, hours=0 if days else 1) for number in range(8)]
        bars = [{"first": rfc3339(at), "last": rfc3339(at), "players": 3 * n} for n, at in enumerate(moments)]
        await route.fulfill(json={**found, "histogram": bars})

    await page.route("**/rankings/spread?*", answer)
    await page.goto(f"/console/players?by={by}")
    await page.get_by_role("button", name="Spread").click()
    chart = page.get_by_role("dialog").locator(".chart")
    await expect(chart.locator("canvas")).to_be_visible()
    await chart.get_by_text("As a table").click()
    await expect(chart.get_by_role("row").nth(1)).to_have_text(f"{first}0")
    await expect(chart.get_by_role("row").nth(2)).to_have_text(f"{second}3")
    assert not await violations(page)
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.emulate_media(color_scheme="dark")
    await is_no_wider_than_its_window(page)
    await page.screenshot(path=tmp_path / f"{by}.png")


async def test_the_filter_of_classes_has_those_of_the_rules_and_counts_nobody(signed_in: Page) -> None:
    page, asked = signed_in, list[str]()
    page.on("request", lambda request: asked.append(request.url))
    await page.goto("/console/players?class=bard")  # which the rules have no more
    options = page.get_by_label("Class").get_by_role("option")
    await expect(options.filter(has_text="mage")).to_be_attached()
    assert sorted(await options.all_text_contents()) == ["all", "bard", "fighter", "mage", "priest", "warrior"]
    assert not [url for url in asked if "/stats" in url]
