"""Questions that the server can't answer just now, and lists that get shorter: no view leaves its operator stuck."""

import pytest
from playwright.async_api import Page, Route, expect

from tests.support.client import Api
from tests.transport.console.conftest import violations
from tests.transport.console.test_player_view import tab_to


@pytest.mark.family(3)
@pytest.mark.parametrize(
    ("address", "question", "shown"),
    [
        ("keys", "**/admin/v1/keys", "the settings"),
        ("fleet?tab=boards", "**/v1/boards", "Check exp"),
        ("fleet?tab=boards", "**/admin/v1/seasons?*", "Rewards of dragons_weekly"),
        ("players", "**/admin/v1/queries", "Save query"),
        ("audit", "**/admin/v1/audit?*", "console_sign_in"),
        ("player/{id}", "**/admin/v1/players/*", "Places on boards"),
        ("player/{id}?tab=access", "**/devices", "Take away"),
        ("player/{id}?tab=past&at=2036-01-02T03:04:05.000Z", "**/state?*", "Roll back to this moment"),
    ],
)
async def test_a_question_that_was_refused_is_asked_again_by_a_button(
    signed_in: Page, api: Api, address: str, question: str, shown: str
) -> None:
    page, who = signed_in, await api.sign_up("mage", "Ann Lee")

    async def refuse(route: Route) -> None:
        told = {"code": "database_unavailable", "detail": "A database is away.", "retry_after": 0}
        await route.fulfill(status=503, json=told)

    await page.route(question, refuse)
    await page.goto(f"/console/{address.format(id=who.id)}")
    fault = page.get_by_role("alert").filter(has_text="A database is away.")
    await expect(fault).to_be_visible()
    assert not await violations(page)
    await page.unroute(question)
    await fault.get_by_role("button", name="Try again").click()
    await expect(fault).to_have_count(0)
    await expect(page.get_by_text(shown).first).to_be_visible()


async def test_a_list_that_got_shorter_is_reached_by_the_tab_key(signed_in: Page, api: Api) -> None:
    page = signed_in
    for name, class_name in (("Ann Lee", "mage"), ("Bea Kim", "warrior"), ("Cho Han", "warrior")):
        await api.sign_up(class_name, name)
    await page.goto("/console/players")
    rows = page.locator("tr[data-at]")
    await tab_to(page, rows.first)
    await page.keyboard.press("End")
    await expect(rows.nth(2)).to_be_focused()
    await page.get_by_label("Class").select_option("mage")
    await expect(rows).to_have_count(1)
    await page.get_by_label("Class").focus()
    await tab_to(page, rows.first)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Ann Lee", level=1)).to_be_visible()
