"""Moments in the console's fields: they keep their seconds, and what nobody edits is asked as it was."""

import re

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.support.browser import is_no_wider_than_its_window
from tests.support.client import ADMIN_KEY, Api
from tests.support.nodes import InProcessNode
from tests.transport.console.conftest import sign_in, violations

SINCE = "2026-01-02T03:04:05.678Z"
UNTIL = "2036-01-02T03:04:00Z"
AT = "2026-01-05T00:00:00.000Z"
CUT = """fields => fields.filter(field => {
    const wide = field.parentNode.appendChild(field.cloneNode());
    wide.style.cssText = 'position: absolute; width: max-content';
    const [needs, has] = [wide, field].map(each => each.getBoundingClientRect().width);
    wide.remove();
    return has < needs;
}).map(field => field.id)"""
"""The fields that are narrower than what they show."""
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


@pytest.mark.parametrize("width", [390, 720, 1280])
async def test_fields_of_moments_are_as_wide_as_what_they_show(signed_in: Page, api: Api, width: int) -> None:
    page, who = signed_in, await api.sign_up("mage")
    await page.set_viewport_size({"width": width, "height": 800})
    for path in ("players", "audit", f"player/{who.id}?tab=ledger", f"player/{who.id}?tab=past&at={UNTIL}"):
        await page.goto(f"/console/{path}")
        if path in ("players", "audit") and width < 700:
            await page.get_by_role("button", name="Filters").click()
        moments = page.locator("[type='datetime-local']:visible")
        await expect(moments.first).to_be_visible()
        assert await moments.evaluate_all(CUT) == [], path
        await is_no_wider_than_its_window(page)


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


async def test_a_past_state_has_the_items_and_scores_of_then_and_says_what_isnt_known(
    signed_in: Page, api: Api
) -> None:
    page, who = signed_in, await api.sign_up("mage", name="용사 셋")
    path = f"/admin/v1/players/{who.id}/corrections"
    given = await api.ask("POST", path, token=ADMIN_KEY, body={"items": {"potion": 42}, "reason": "a test"})
    assert given.status == 200, given.body
    await page.goto(f"/console/player/{who.id}?tab=past&at={UNTIL}")
    items = page.get_by_role("region", name="Items then")
    await expect(items.get_by_role("row").filter(has_text="potion")).to_contain_text("42")
    await expect(page.get_by_text("It had none on boards")).to_be_visible()

    async def unknown(route: Route) -> None:
        body = await (await route.fetch()).json()
        scores = [
            {"board": "dragons", "season": "all-time", "score": None},
            {"board": "weekly", "season": AT, "score": 7},
        ]
        stack = {"item": "potion", "title": "물약", "count": None}
        await route.fulfill(json=body | {"items": [stack], "scores": scores, "unknown": ["It was lost."]})

    await page.route("**/state?*", unknown)
    await page.reload()
    await expect(items.get_by_role("row").filter(has_text="potion")).to_contain_text("not known")
    scores = page.get_by_role("region", name="Scores then").get_by_role("row")
    await expect(scores).to_contain_text(["Board", "dragonsall timenot known", "weekly"])
    await expect(page.get_by_text("It was lost.")).to_be_visible()
    assert not await violations(page)


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


async def test_a_moment_in_a_filter_is_asked_about_when_it_is_left_and_not_at_each_digit(
    signed_in: Page, browser: Browser
) -> None:
    state = await signed_in.context.storage_state()
    far = await browser.new_context(base_url=signed_in.url, timezone_id="Asia/Seoul", storage_state=state)
    page, asked = await far.new_page(), list[str]()
    for view, name in (("players", "seen_since"), ("audit", "since")):
        await page.goto(f"/console/{view}?{name}={SINCE}")
        field = page.locator(f"#{name}")
        await expect(field).to_have_value("2026-01-02T12:04:05")
        page.on("request", lambda request: asked.append(request.url) if "since=" in request.url else None)
        await field.focus()
        for key in ("ArrowRight", "ArrowRight", "2", "0", "2", "5"):
            await page.keyboard.press(key)
            await page.wait_for_timeout(100)
        await expect(field).to_have_value("2025-01-02T12:04:05")
        await page.keyboard.press("Enter" if view == "audit" else "Tab")
        await expect(page).to_have_url(re.compile(f"{name}=2025-01-02T03%3A04%3A05.000Z"))
        assert not [url for url in asked if f"{name}=0" in url]
    await far.close()


async def test_the_zone_of_time_is_named_where_moments_are_shown_and_typed(
    browser: Browser, node: InProcessNode
) -> None:
    context = await browser.new_context(base_url=node.url, locale="en-GB", timezone_id="Europe/Berlin")
    page = await context.new_page()
    await page.goto("/console/")
    await sign_in(page, ADMIN_KEY)
    await expect(page.locator("header.frame")).to_contain_text("Europe/Berlin")
    field, hint = page.get_by_label("Created since"), page.locator("#created_since-hint")
    for typed, clock in (("2026-07-01T12:00", "CEST"), ("2026-01-01T12:00", "CET"), ("2026-10-25T02:30", "CEST")):
        await field.fill(typed)
        await expect(hint).to_have_text(clock)
    await page.goto("/console/players?created_since=2026-10-25T01:30:00.000Z")  # the same hour, when it comes again
    await expect(field).to_have_value("2026-10-25T02:30")
    await expect(hint).to_have_text("CET")
    await context.close()
