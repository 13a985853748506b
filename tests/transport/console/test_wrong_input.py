"""What is typed or in an address and can't be: the console names it, sends nothing in its place, and goes on."""

import json

import pytest
from playwright.async_api import Locator, Page, Route, expect

from tests.support.client import Api
from tests.transport.console.conftest import violations

TOO_LATE = "20266-02-01T12:00"
"""What fields for moments take if nothing bounds them."""


async def put(field: Locator, value: str) -> None:
    """Writes into a field what its own bounds would keep from being typed."""
    await field.evaluate(
        """(element, value) => {
            element.value = value;
            for (const type of ['input', 'change']) element.dispatchEvent(new Event(type, {bubbles: true}));
        }""",
        value,
    )


async def navigates(page: Page) -> None:
    """The page still goes where its links lead."""
    for view in ("Fleet", "Audit", "Players"):
        await page.get_by_role("navigation", name="Views").get_by_role("link", name=view).click()
        await expect(page.get_by_role("heading", name=view, level=1)).to_be_visible()


@pytest.mark.family(3)
@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("players?created_since=abc", "created_since"),
        ("players?seen_until=%2B020266-02-01T12:00:00.000Z", "seen_until"),
        ("players?min_level=x", "min_level"),
        ("audit?since=zzz", "since"),
        ("player/{id}?tab=ledger&since=x", "since"),
        ("player/{id}?tab=ledger&until=2026-13-99T25:00:00Z", "until"),
        ("player/{id}?tab=past&at=abc", "at"),
    ],
)
async def test_a_wrong_filter_in_an_address_is_named_and_the_page_goes_on(
    api: Api, signed_in: Page, address: str, named: str
) -> None:
    who = await api.sign_up("mage")
    await signed_in.goto(f"/console/{address.format(id=who.id)}")
    await expect(signed_in.locator(".fault li b")).to_have_text(named)
    kind = "whole number" if "level" in named else "moment"
    await expect(signed_in.locator(".field .problem")).to_contain_text(f"isn't a {kind}")
    assert not await violations(signed_in)
    await navigates(signed_in)


async def test_a_view_that_fails_says_so_and_the_others_go_on(signed_in: Page) -> None:
    page, views = signed_in, signed_in.get_by_role("navigation", name="Views")

    async def answer(route: Route) -> None:
        await route.fulfill(status=200, content_type="application/json", body=json.dumps({"campaigns": [5, None]}))

    await page.route("**/admin/v1/campaigns*", answer)
    await views.get_by_role("link", name="Campaigns").click()
    await expect(page.get_by_role("heading", name="This page can't be shown")).to_be_visible()
    assert not await violations(page)
    await page.unroute("**/admin/v1/campaigns*")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_text("No letter has been sent to many players yet.")).to_be_visible()
    await page.route("**/admin/v1/campaigns*", answer)
    await expect(page.get_by_role("heading", name="This page can't be shown")).to_be_visible()
    await navigates(page)
    await page.unroute("**/admin/v1/campaigns*")
    await views.get_by_role("link", name="Campaigns").click()
    await expect(page.get_by_text("No letter has been sent to many players yet.")).to_be_visible()


async def test_a_script_that_fails_beside_a_view_is_told(signed_in: Page) -> None:
    await signed_in.evaluate("dispatchEvent(new ErrorEvent('error', {error: new Error('the copier is out of paper')}))")
    told = signed_in.get_by_role("alert").filter(has_text="the copier is out of paper")
    await expect(told).to_be_visible()
    assert not await violations(signed_in)
    await told.get_by_role("button", name="Close").click()
    await expect(told).to_have_count(0)


@pytest.mark.family(1)
@pytest.mark.parametrize("way", ["Cancel", "Close", "Escape"])
async def test_a_year_of_five_digits_is_an_error_of_its_field_and_the_dialog_closes(
    api: Api, signed_in: Page, way: str
) -> None:
    page, who = signed_in, await api.sign_up("mage")
    await page.goto(f"/console/player/{who.id}")
    await page.get_by_role("button", name="Ban…").click()
    dialog, until = page.get_by_role("dialog"), page.get_by_label("Until")
    await put(until, TOO_LATE)
    await expect(dialog.locator(".problem")).to_contain_text(TOO_LATE)
    await expect(until).to_have_attribute("aria-invalid", "true")
    await dialog.get_by_role("button", name="Preview").click()
    await expect(until).to_be_focused()
    assert not await violations(page)
    await until.fill("2036-02-01T12:00")
    await expect(dialog.locator(".problem")).to_have_count(0)
    await dialog.get_by_role("button", name="Preview").click()
    await expect(page.get_by_role("region", name="What will change")).to_be_visible()
    await put(until, TOO_LATE)
    await (page.keyboard.press("Escape") if way == "Escape" else dialog.get_by_role("button", name=way).click())
    await expect(dialog).to_have_count(0)


async def test_a_year_has_four_digits_where_moments_are_typed(api: Api, signed_in: Page) -> None:
    page, who = signed_in, await api.sign_up("mage")
    seen = 0
    for address, opener in (
        ("players", None),
        ("audit", None),
        ("campaigns", "Write to many players"),
        (f"player/{who.id}?tab=ledger", None),
        (f"player/{who.id}?tab=past", "Ban…"),
    ):
        await page.goto(f"/console/{address}")
        if opener:
            await page.get_by_role("button", name=opener).click()
        await expect(page.locator("input[type=datetime-local]").first).to_be_attached()
        fields = await page.locator("input[type=datetime-local]").all()
        seen += len(fields)
        for field in fields:
            await expect(field).to_have_attribute("max", "9999-12-31T23:59")
            await put(field, TOO_LATE)
            await expect(page.locator(".problem").first).to_be_visible()
    assert seen == 14
    await page.get_by_label("Until").focus()
    for keys in ("01", "02", "20266"):
        await page.keyboard.type(keys)
    assert "20266" not in await page.get_by_label("Until").input_value()


async def test_a_letter_to_many_players_with_a_year_of_five_digits_isnt_counted(api: Api, signed_in: Page) -> None:
    page = signed_in
    await api.sign_up("mage")
    await page.goto("/console/campaigns")
    await page.get_by_role("button", name="Write to many players").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Text").fill("Hello.")
    await put(dialog.get_by_label("Created since"), TOO_LATE)
    await dialog.get_by_role("button", name="Preview").click()
    await expect(dialog.get_by_label("Created since")).to_be_focused()
    await expect(dialog.locator(".problem")).to_contain_text(TOO_LATE)
    await put(dialog.get_by_label("Created since"), "")
    await dialog.get_by_role("button", name="Preview").click()
    await expect(dialog.get_by_text("1 player fits now")).to_be_visible()


@pytest.mark.family(3)
@pytest.mark.parametrize(
    ("field", "typed", "problem"),
    [
        ("Items", "potion 3, potion 4", "potion is named twice."),
        ("Items", "potion", "“potion” has no number"),
        ("Items", "herb 2, potion 1.5", "potion: “1.5” isn't a whole number."),
        ("Items", "herb 1,5", "“5” has no number"),
        ("Items", "herb 2 potion", "herb: “2 potion” isn't a whole number."),
        ("EXP", "1,5", "“1,5” isn't a whole number."),
        ("EXP", "1,0000", "“1,0000” isn't a whole number."),
        ("EXP", "99999999999999999", "isn't a whole number."),
        ("HP", "ten", "“ten” isn't a whole number."),
        ("What the rules remember", "wins", "“wins” isn't written as in wins = 3."),
        ("What the rules remember", "wins = hero", "wins: “hero” is neither"),
        ("What the rules remember", "wins = 1.5", "wins: “1.5” is neither"),
        ("What the rules remember", "wins = null", "wins: “null” is neither"),
        ("What the rules remember", "wins = 1\nwins = 2", "wins is named twice."),
    ],
)
async def test_what_isnt_a_number_or_an_item_is_an_error_of_its_field(
    api: Api, signed_in: Page, field: str, typed: str, problem: str
) -> None:
    page, who = signed_in, await api.sign_up("mage")
    previews: list[str] = []
    page.on("request", lambda request: previews.append(request.url) if "preview" in request.url else None)
    await page.goto(f"/console/player/{who.id}")
    await page.get_by_role("button", name="Correct…").click()
    await page.get_by_role("textbox", name=field).fill(typed)
    await page.get_by_role("button", name="Preview").click()
    await expect(page.locator(".problem")).to_contain_text(problem)
    await expect(page.get_by_role("textbox", name=field)).to_be_focused()
    assert not previews, "nothing is sent"
    assert not await violations(page)


async def test_figures_are_typed_as_the_console_shows_them_and_items_with_any_sign(api: Api, signed_in: Page) -> None:
    page, who = signed_in, await api.sign_up("mage")
    await page.goto(f"/console/player/{who.id}")
    await page.get_by_role("button", name="Correct…").click()
    await page.get_by_label("EXP").fill("1,500")
    await page.get_by_role("textbox", name="Items").fill("potion=3, herb: 2")
    await page.get_by_label("Reason").fill("a test")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Correct", exact=True).click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    found = (await api.admin(f"players/{who.id}")).body
    assert found["player"]["exp"] == 1500
    assert {stack["item"]: stack["count"] for stack in found["items"]} == {"potion": 3, "herb": 2}


async def test_that_nothing_would_change_is_said_without_a_field(api: Api, signed_in: Page) -> None:
    page, who = signed_in, await api.sign_up("mage")
    await page.goto(f"/console/player/{who.id}")
    await page.get_by_role("button", name="Correct…").click()
    await page.get_by_role("button", name="Preview").click()
    await expect(page.locator(".fault")).to_contain_text("Nothing would change: name a value, or items.")


async def test_a_level_that_cant_be_read_is_no_filter_that_is_left_out(signed_in: Page) -> None:
    page = signed_in
    await page.goto("/console/players")
    level = page.get_by_label("Level from")
    await level.press_sequentially("1e")
    await level.press("Enter")
    await expect(page.locator(".field .problem")).to_have_text("“1e” isn't a whole number.")
    await expect(level).to_have_value("1e")
    await expect(page.locator(".fault li b")).to_have_text("min_level")
    assert not await violations(page)
    await level.fill("1,200")
    await level.press("Enter")
    await expect(page).to_have_url("/console/players?min_level=1200")
    await expect(page.get_by_text("No player fits.")).to_be_visible()


@pytest.mark.parametrize("missing", ["views/campaigns.js", "vendor/uplot-1.6.32.js"])
async def test_a_script_that_didnt_load_is_loaded_when_it_is_tried_again(
    signed_in: Page, api: Api, missing: str
) -> None:
    page, pattern = signed_in, f"**/console/{missing}"
    await api.sign_up("mage")

    async def lose(route: Route) -> None:
        await route.abort()

    await page.route(pattern, lose)
    if missing.startswith("views"):
        await page.get_by_role("link", name="Campaigns").click()
        loaded = page.get_by_role("heading", name="Campaigns", level=1)
    else:
        await page.get_by_role("button", name="Spread").click()
        loaded = page.locator("canvas")
    await expect(page.get_by_role("alert")).to_contain_text("didn't load")
    assert not await violations(page)
    await page.unroute(pattern)
    await page.get_by_role("button", name="Try again").click()
    await expect(loaded).to_be_visible()
