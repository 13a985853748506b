"""Answers that come late: what is typed stays, and nothing of one player, moment or filter is under another one."""

import asyncio
import re

import pytest
from playwright.async_api import Locator, Page, Route, expect

from gameserver.commands import admins
from gameserver.rules.roles import Role
from gameserver.storage.operators.admin_keys import NewKey
from tests.support.client import Api, Signed
from tests.support.nodes import InProcessNode
from tests.transport.console.conftest import sign_in, violations
from tests.transport.console.test_player_view import show, tab_to

LED = "url => { history.pushState(null, '', url); dispatchEvent(new PopStateEvent('popstate')); }"
"""Another address within the page, as a link or Forward leads to it."""


async def held(page: Page, addresses: str) -> asyncio.Event:
    """Answers to these addresses come when it is set."""
    go_on = asyncio.Event()

    async def wait(route: Route) -> None:
        await go_on.wait()
        await route.continue_()

    await page.route(addresses, wait)
    return go_on


def rows(page: Page) -> Locator:
    return page.locator("tr[data-at]")


def said(page: Page, text: str) -> Locator:
    return page.get_by_role("status").filter(has_text=text)


@pytest.mark.family(2)
@pytest.mark.parametrize(
    ("view", "field", "typed", "late"),
    [
        ("players", "#min_level", "12", "classes"),
        ("players", "#max_level", "7", "classes"),
        ("audit", "#admin", "ann", "audit?*"),
        ("audit", "#action", "ban", "audit?*"),
        ("audit", "#target", "7", "audit?*"),
        ("audit", "#text", "도배", "audit?*"),
        ("audit", "#command_id", "0193", "audit?*"),
    ],
)
async def test_what_is_typed_into_a_filter_stays_when_an_answer_comes(
    signed_in: Page, api: Api, view: str, field: str, typed: str, late: str
) -> None:
    page = signed_in
    await api.sign_up("mage", "Ann Lee")
    answers = await held(page, f"**/v1/{late}")
    await page.goto(f"/console/{view}")
    await page.locator(field).press_sequentially(typed)
    answers.set()
    if late == "classes":
        await expect(page.get_by_label("Class").get_by_role("option", name="mage")).to_be_attached()
    else:
        await expect(rows(page).first).to_be_visible()
    await expect(page.locator(field)).to_have_value(typed)
    await expect(page).to_have_url(f"/console/{view}")
    await page.keyboard.press("Tab")
    await expect(page).to_have_url(re.compile(rf"/console/{view}\?{field[1:]}="))
    await expect(page.locator(field)).to_have_value(typed)


async def test_nothing_of_one_player_is_on_anothers_page(signed_in: Page, api: Api) -> None:
    page = signed_in
    ann, bea = await api.sign_up("mage", "Ann Lee"), await api.sign_up("mage", "Bea Kim")
    await show(page, ann, "access")
    await expect(page.get_by_role("button", name="Take away")).to_have_count(1)
    answers = await held(page, f"**/players/{bea.id}/devices")
    await page.evaluate(LED, f"/console/player/{bea.id}?tab=access")
    await expect(page.get_by_role("heading", name="Bea Kim", level=1)).to_be_visible()
    await expect(page.get_by_text("Loading the devices…")).to_be_visible()
    await expect(page.get_by_role("button", name="Take away")).to_have_count(0)
    await expect(page.get_by_text("It signs in by no device.")).to_have_count(0)
    answers.set()
    await expect(page.get_by_role("button", name="Take away")).to_have_count(1)


async def test_back_and_forward_close_the_dialog_that_is_open_and_open_none(signed_in: Page, api: Api) -> None:
    page = signed_in
    ann, bea = await api.sign_up("mage", "Ann Lee"), await api.sign_up("mage", "Bea Kim")
    await api.act(bea)
    await show(page, ann)
    await page.evaluate(LED, f"/console/player/{bea.id}?tab=ledger")
    await page.get_by_role("button", name="Undo hunt, version 2").click()
    await expect(page.get_by_role("dialog", name="Undo hunt, version 2")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_role("heading", name="Ann Lee", level=1)).to_be_visible()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.go_forward()
    await expect(page.get_by_role("heading", name="Bea Kim", level=1)).to_be_visible()
    await expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.family(2)
@pytest.mark.parametrize(
    ("view", "opener"),
    [
        ("players", "Spread"),
        ("players", "Save query"),
        ("fleet", "Move slots…"),
        ("campaigns", "Write to many players"),
        ("rules", "Publish rules"),
        ("notices", "Send a notice"),
        ("keys", "Make a key"),
    ],
)
async def test_back_within_a_view_closes_its_dialog(signed_in: Page, view: str, opener: str) -> None:
    page = signed_in
    await page.goto(f"/console/{view}")
    await expect(page.get_by_role("button", name=opener)).to_be_visible()
    await page.evaluate(LED, f"/console/{view}?order=asc")
    await page.get_by_role("button", name=opener).click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.go_back()
    await expect(page).to_have_url(f"/console/{view}")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_the_state_of_one_moment_is_never_under_another_one(signed_in: Page, api: Api) -> None:
    page, who = signed_in, await api.sign_up("mage", "Ann Lee")
    await api.act(who)
    first, second = "2036-01-02T03:04:05.000Z", "2037-01-02T03:04:05.000Z"
    await page.goto(f"/console/player/{who.id}?tab=past&at={first}")
    back = page.get_by_role("button", name="Roll back to this moment…")
    await expect(back).to_be_visible()
    answers = await held(page, "**/state?at=2037*")
    await page.evaluate(LED, f"/console/player/{who.id}?tab=past&at={second}")
    await expect(said(page, "Looking…")).to_be_visible()
    await expect(back).to_have_count(0)
    await expect(page.get_by_role("heading", level=2)).to_have_count(0)
    answers.set()
    await expect(back).to_be_visible()
    await expect(page.get_by_role("heading", level=2).first).to_contain_text("2037")


async def ranked(page: Page, who: Signed) -> None:
    await page.get_by_role("button", name=f"Rank of {who.name} among these").click()


async def test_a_place_is_that_of_the_last_one_asked_for_and_goes_with_its_filter(signed_in: Page, api: Api) -> None:
    page = signed_in
    ann, bea = await api.sign_up("mage", "Ann Lee"), await api.sign_up("mage", "Bea Kim")
    await page.goto("/console/players")
    answers = await held(page, f"**/players/{ann.id}/rank*")
    await ranked(page, ann)
    await expect(said(page, "Ann Lee: looking for its place…")).to_be_visible()
    await ranked(page, bea)
    await expect(said(page, "Bea Kim: place 2 of 2")).to_be_visible()
    answers.set()
    await page.wait_for_timeout(500)
    await expect(said(page, "Bea Kim: place 2 of 2")).to_be_visible()
    await page.get_by_label("Class").select_option("mage")
    await expect(rows(page)).to_have_count(2)
    await expect(said(page, "place")).to_have_count(0)


async def test_a_viewer_asks_for_a_place_by_keyboard(page: Page, node: InProcessNode, api: Api) -> None:
    _, secret = await admins.make(node.core.commands.admins, "tests", NewKey("reader", Role.VIEWER), "a test")
    await api.sign_up("mage", "Ann Lee")
    await api.sign_up("mage", "Bea Kim")
    await sign_in(page, secret)
    await page.goto("/console/players")
    await tab_to(page, rows(page).first)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(said(page, "Bea Kim: place 2 of 2")).to_be_visible()
    await expect(rows(page).get_by_role("link")).to_have_count(0)  # where no viewer may go
    assert not await violations(page)


async def test_who_closes_a_dialog_while_it_is_sent_is_told_how_it_ended_and_keeps_the_next_one(
    signed_in: Page, api: Api
) -> None:
    page, who = signed_in, await api.sign_up("mage", "Ann Lee")
    answers = await held(page, "**/notes")
    await show(page, who)
    await page.get_by_role("button", name="Note…").click()
    await page.get_by_label("Note", exact=True).fill("A regular.")
    await page.get_by_role("button", name="Add").click()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Correct…").click()
    await page.get_by_label("Reason").fill("typed meanwhile")
    answers.set()
    await expect(page.locator(".told").filter(has_text="The note is added.")).to_be_attached()
    await expect(page.get_by_role("dialog", name="Correct Ann Lee")).to_be_visible()
    await expect(page.get_by_label("Reason")).to_have_value("typed meanwhile")
