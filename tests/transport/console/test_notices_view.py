"""Notices and the audit log in the console: sent to all, read by a player, searched and exported."""

import csv
import io

from playwright.async_api import Page, Route, expect

from tests.support.browser import is_no_wider_than_its_window
from tests.support.client import ADMIN_KEY, Api
from tests.transport.console.conftest import violations

TEXT = "점검이 곧 시작됩니다 <img src=x onerror=alert(1)>"


async def test_a_notice_is_sent_to_all_after_its_word_is_typed(signed_in: Page, api: Api) -> None:
    page = signed_in
    player = await api.sign_up("mage")
    socket = await api.socket(player.token)
    await page.goto("/console/notices")
    await expect(page.get_by_text("No notice was sent yet.")).to_be_visible()
    await page.get_by_role("button", name="Send a notice").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Text").fill(TEXT)
    await dialog.get_by_label("Reason").fill("=maintenance")
    button = dialog.get_by_role("button", name="Send", exact=True)
    await expect(button).to_be_disabled()
    assert not await violations(page)
    await dialog.get_by_label("to confirm").fill("everyone")
    await button.click()
    await expect(dialog).to_have_count(0)
    row = page.get_by_role("row", name="maintenance")
    await expect(row).to_contain_text("everyone")
    await expect(row.get_by_text(TEXT)).to_have_attribute("lang", "ko")
    assert await page.locator("img").count() == 0
    await row.press("Enter")
    await expect(dialog.get_by_text(TEXT)).to_have_attribute("lang", "ko")
    assert not await violations(page)
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(row).to_be_focused()
    while (pushed := await socket.connection.receive_json(timeout=30)).get("push") != "notice":
        pass
    assert pushed["data"]["text"] == TEXT


async def test_the_audit_log_is_searched_and_exported_as_it_is_shown(signed_in: Page, api: Api) -> None:
    page = signed_in
    for text, reason in (("Hello.", "=1+1"), ("Good bye.", "the end")):
        answer = await api.ask("POST", "/admin/v1/notices", token=ADMIN_KEY, body={"text": text, "reason": reason})
        assert answer.status == 201, answer.body
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto("/console/audit?action=notice")
    rows = page.locator("tr[data-at]")
    await expect(rows).to_have_count(2)
    assert not await violations(page)
    await is_no_wider_than_its_window(page)
    await page.get_by_role("button", name="Filters (1)").click()
    assert not await violations(page)
    await page.get_by_label("Reason contains").fill("=1")
    await page.keyboard.press("Enter")
    await expect(rows).to_have_count(1)
    async with page.expect_download() as started:
        await page.get_by_role("link", name="CSV").click()
    downloaded = await (await started.value).path()
    exported = list(csv.DictReader(io.StringIO(downloaded.read_text("utf-8-sig"))))
    (held,) = (await api.admin("audit", action="notice", text="%3D1")).body["entries"]
    assert [(row["id"], row["reason"]) for row in exported] == [(held["id"], "'=1+1")]
    (entry,) = (await api.admin("audit", action="console_sign_in")).body["entries"]
    assert entry["ended"] == "done"


async def test_a_notice_whose_answer_got_lost_may_be_sent_again_and_is_sent_once(signed_in: Page, api: Api) -> None:
    page, player = signed_in, await api.sign_up("mage")
    sent = 0

    async def lose(route: Route) -> None:
        nonlocal sent
        sent += 1
        await route.fetch()
        await (route.abort() if sent == 1 else route.fallback())

    await page.route("**/admin/v1/notices", lose)
    await page.goto("/console/notices")
    await page.get_by_role("button", name="Send a notice").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Text").fill("Soon.")
    await dialog.get_by_label("To one player").fill(player.id)
    await dialog.get_by_label("Reason").fill("a test")
    await dialog.get_by_role("button", name="Send", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("sending it again is safe")
    await dialog.get_by_role("button", name="Send", exact=True).click()
    await expect(dialog).to_have_count(0)
    assert sent == 2
    assert len((await api.admin("audit", action="notice")).body["entries"]) == 1
