"""Operators erase players that aren't there any more, and erase again what a receipt still finds."""

import pytest
from playwright.async_api import Page, expect
from sqlalchemy import text

from gameserver.commands import admins
from gameserver.rules.roles import Role
from gameserver.storage.accounts import erasure, erasure_search
from gameserver.storage.operators.admin_keys import NewKey
from tests.support.client import ADMIN_KEY, Api, Signed
from tests.support.nodes import InProcessNode
from tests.transport.console.conftest import sign_in, violations
from tests.transport.http.test_erasure import CANCELLED


async def erase(page: Page, who: Signed, shown: str) -> None:
    await page.get_by_role("button", name="Erase…").click()
    await page.get_by_label("Reason").fill("article 17")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("region", name="What will change")).to_contain_text(shown)
    await page.get_by_label("to confirm").fill(who.id)
    await page.get_by_role("button", name="Erase", exact=True).click()
    await expect(page.get_by_role("heading", name="Receipt of an erasure")).to_be_visible()


async def test_a_player_that_has_deleted_itself_is_erased_until_its_receipt_is_complete(
    api: Api, node: InProcessNode, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = await api.sign_up("mage", name="Zyxwvut Qponm")
    assert (await api.ask("DELETE", "/v1/players/me", token=who.token)).status == 204
    _, support = await admins.make(node.core.commands.admins, "tests", NewKey("ann", Role.SUPPORT), "a test")
    await sign_in(page, support)
    await page.goto(f"/console/player/{who.id}")
    await expect(page.get_by_role("alert")).to_be_visible()
    await expect(page.get_by_role("button", name="Erase…")).to_have_count(0)
    await page.get_by_role("button", name="Sign out").click()
    await sign_in(page, ADMIN_KEY)
    await page.goto(f"/console/player/{who.id}")
    with monkeypatch.context() as faulty:
        faulty.setitem(erasure.SQL, "left", text("select 1 where cast(:slot as bigint) < cast(:id as bigint)"))
        await erase(page, who, "names")
        await expect(page.get_by_text("A search still finds something")).to_be_visible()
    assert not await violations(page)
    with monkeypatch.context() as faulty:
        faulty.setitem(erasure_search.SQL, "letters_kept", text(CANCELLED))
        await erase(page, who, "Nothing will change.")
        await expect(page.get_by_text("Letters or claims of it may be left")).to_be_visible()
        await expect(page.get_by_text("one: kept")).to_be_visible()
    await erase(page, who, "Nothing will change.")
    await expect(page.get_by_text("a search finds nothing of it any more")).to_be_visible()
    await expect(page.get_by_role("button", name="Erase…")).to_have_count(0)
    await page.get_by_role("link", name="audit log").click()
    await expect(page.get_by_role("row").filter(has_text="article 17")).to_have_count(3)
