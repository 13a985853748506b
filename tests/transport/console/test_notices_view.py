"""Notices and the audit log in the console: sent to all, read by a player, searched and exported."""

import csv
import io

import pytest
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


async def test_that_the_text_of_a_notice_to_one_player_isnt_kept_is_said(signed_in: Page, api: Api) -> None:
    page, who = signed_in, await api.sign_up("mage")
    body = {"text": "Hello, Ann.", "player": who.id, "reason": "a test"}
    assert (await api.ask("POST", "/admin/v1/notices", token=ADMIN_KEY, body=body)).status == 201
    await page.goto("/console/notices")
    row, said = page.locator("tr[data-at='0']"), "Its text isn't kept, since it may name the player."
    await expect(row).to_contain_text(said)
    await row.press("Enter")
    await expect(page.get_by_role("dialog")).to_contain_text(said)
    assert not await violations(page)


@pytest.mark.parametrize("of", ["player", "campaign", "slots"])
async def test_an_entry_of_the_audit_log_leads_to_what_it_is_about(signed_in: Page, of: str) -> None:
    target, action, link = {
        "player": ("253321173234902795", "ban", "/console/player/253321173234902795"),
        "campaign": ("0193d5a0-0000-7000-8000-000000000000", "campaign_revoked",
                     "/console/campaigns/0193d5a0-0000-7000-8000-000000000000"),
        "slots": ("253", "slots_cancel", None),
    }[of]  # fmt: skip
    entry = {"id": 7, "at": "2026-01-01T00:00:00Z", "admin": "ann", "action": action, "target": target, "reason": "x",
             "details": {}, "before": None, "after": None, "ended": "done", "command_id": None}  # fmt: skip

    async def answer(route: Route) -> None:
        await route.fulfill(json={"entries": [entry], "next_cursor": None})

    page = signed_in
    await page.route("**/admin/v1/audit?*", answer)
    await page.goto("/console/audit")
    row = page.locator("tr[data-at='0']")
    await expect(row).to_contain_text(target)
    await row.press("Enter")
    await expect(page.get_by_role("dialog").get_by_text(target).first).to_be_visible()
    for part in (row, page.get_by_role("dialog").locator("p")):
        found = part.locator("a")
        await (expect(found).to_have_attribute("href", link) if link else expect(found).to_have_count(0))
