"""Operators at the console, in Chromium."""

import csv
import io
import re

from playwright.async_api import Page, expect

from gameserver.commands import admins
from gameserver.rules.roles import Role
from gameserver.storage.operators.admin_keys import NewKey
from tests.support.client import ADMIN_KEY, Api
from tests.support.nodes import InProcessNode
from tests.transport.console.conftest import sign_in, take_over, violations

SCRIPT = "<img src=x onerror=alert(1)>"


async def test_an_operator_signs_in_searches_and_exports_what_the_databases_hold(signed_in: Page, api: Api) -> None:
    page = signed_in
    for number in range(130):
        await api.sign_up(["mage", "priest"][number % 2], f"Kim {number:03}")
    await api.sign_up("warrior", "홍 길동")
    await page.goto("/console/players?by=created_at&order=asc")
    table = page.get_by_role("region", name="Players")
    await expect(table.get_by_role("link", name="Kim 000")).to_be_visible()
    assert await table.locator("tbody tr[data-at]").count() < 60, "only what is seen is drawn"
    await table.locator("tr[data-at='0']").focus()
    await page.keyboard.press("End")  # of the first page, which asks for the second
    await expect(table.get_by_role("table")).to_have_attribute("aria-rowcount", "132")
    await page.keyboard.press("End")
    await expect(table.get_by_text("홍 길동")).to_be_visible()
    await expect(table.get_by_text("홍 길동")).to_have_attribute("lang", "ko")
    await page.get_by_label("Class").select_option("mage")
    await expect(page).to_have_url("/console/players?by=created_at&order=asc&class=mage")
    async with page.expect_download() as started:
        await page.get_by_role("link", name="CSV").click()
    downloaded = await (await started.value).path()
    rows = list(csv.DictReader(io.StringIO(downloaded.read_text("utf-8-sig"))))
    assert sorted(row["name"] for row in rows) == [f"Kim {number:03}" for number in range(0, 130, 2)]
    await page.get_by_label("Class").select_option("")
    await page.get_by_label("Name begins with").fill("홍")
    await expect(table.locator("tr[data-at]")).to_have_count(1)
    await page.reload()
    await expect(page.get_by_label("Name begins with")).to_have_value("홍")
    await expect(table.locator("tr[data-at]")).to_have_count(1)


async def test_who_may_less_sees_less_and_a_session_that_ends_leads_to_the_sign_in(
    page: Page, node: InProcessNode, api: Api
) -> None:
    await api.sign_up("mage", "Ann Lee")
    context = node.core.commands.admins
    _, secret = await admins.make(context, "tests", NewKey("reader", Role.VIEWER), "a test")
    await page.get_by_label("Admin key").fill("x" * 40)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("admin key")
    await sign_in(page, secret)
    links = page.get_by_role("navigation").get_by_role("link")
    assert await links.all_inner_texts() == ["Players", "Fleet", "Rules"]
    await expect(page.get_by_label("Name begins with")).to_have_count(0)
    await page.goto("/console/audit")
    await expect(page.get_by_role("heading")).to_have_text("There is no such page")
    await admins.revoke(context, "tests", "reader", "a test")
    await page.get_by_role("link", name="Players").click()
    await expect(page.get_by_label("Admin key")).to_be_visible()


async def test_the_keyboard_is_enough_and_nothing_offends_a_screen_reader(page: Page, api: Api) -> None:
    await api.sign_up("mage", "Ann Lee")
    await api.sign_up("mage", "Bea Lee")
    assert not await violations(page)
    await page.get_by_label("Admin key").focus()
    await page.keyboard.type(ADMIN_KEY)
    await page.keyboard.press("Enter")
    row = page.locator("tr[data-at='0']")
    await expect(row).to_be_visible()
    await page.emulate_media(color_scheme="light")
    assert not await violations(page)
    await page.emulate_media(color_scheme="dark")
    assert not await violations(page)
    for _ in range(60):
        if await page.evaluate("document.activeElement.matches('tr[data-at]')"):
            break
        await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowDown")
    assert await page.evaluate("document.activeElement.dataset.at") == "1"
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console/player/*")
    await page.go_back()
    await page.get_by_role("button", name="Spread").focus()
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("2 players")
    assert not await violations(page)
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    assert await page.evaluate("document.activeElement.textContent") == "Spread"


async def test_what_operators_wrote_is_text(signed_in: Page, node: InProcessNode) -> None:
    page = signed_in
    await admins.make(node.core.commands.admins, "tests", NewKey("other", Role.VIEWER), SCRIPT)
    dialogs: list[str] = []
    page.on("dialog", lambda shown: dialogs.append(shown.message))
    await page.goto("/console/audit")
    await expect(page.get_by_role("cell", name=SCRIPT)).to_be_visible()
    await page.get_by_role("cell", name=SCRIPT).click()
    await expect(page.get_by_role("dialog")).to_contain_text(SCRIPT)
    assert await page.locator("img").count() == 0
    assert not dialogs


async def test_an_entry_of_the_audit_log_has_an_address(signed_in: Page, api: Api) -> None:
    page, who = signed_in, await api.sign_up("mage")
    for said in ("the first note", "the second note"):
        body = {"text": said}
        assert (await api.ask("POST", f"/admin/v1/players/{who.id}/notes", token=ADMIN_KEY, body=body)).status == 201
    first = (await api.admin("audit", action="note")).body["entries"][1]["id"]
    await page.goto("/console/audit?action=note")
    await page.locator("tr[data-at]").nth(1).get_by_role("cell", name="a note").click()
    await expect(page).to_have_url(re.compile(rf"/console/audit/{first}\?action=note$"))
    await page.reload()
    await expect(page.get_by_role("dialog", name=f"note of {who.id}")).to_be_visible()
    await page.get_by_role("button", name="Close").click()
    await expect(page).to_have_url(re.compile(r"/console/audit\?action=note$"))
    await page.go_back()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.go_forward()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    for nothing in ("99999999999999999", "x", "0"):
        await page.goto(f"/console/audit/{nothing}")
        await expect(page.get_by_role("alert")).to_contain_text("There is no such entry.")


async def test_an_entry_marks_as_changed_only_what_both_sides_say(signed_in: Page, api: Api) -> None:
    page, who = signed_in, await api.sign_up("mage")
    path = f"/admin/v1/players/{who.id}/ban"
    for more in ({"until": "2100-01-02T03:04:05.000Z"}, {}):
        banned = await api.ask("POST", path, token=ADMIN_KEY, body={"reason": "a test", **more})
        assert banned.status == 200, banned.body
    await page.goto("/console/audit?action=ban")
    await page.locator("tr[data-at]").first.locator("td").first.click()  # the target is a link
    sides = page.get_by_role("region", name="Before and after")
    await expect(sides.locator("tr:has(b) th")).to_have_text(["version", "ban", "until"])
    await expect(sides.locator("tr", has_text="until").locator("td")).to_have_text(["2100-01-02T03:04:05.000Z", "null"])
    await expect(sides.locator("tr", has_text="replayed").locator("td")).to_have_text(["", "false"])


async def test_why_a_file_cant_be_had_is_told_in_the_page(signed_in: Page, node: InProcessNode, api: Api) -> None:
    page, who = signed_in, await api.sign_up("mage", "Ann Lee")
    await page.goto("/console/players")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/export" in request.url else None)
    async with node.core.rooms.operators.exports._turn:
        await page.get_by_role("link", name="CSV").click()
        fault = page.get_by_role("alert").filter(has_text="This node has an export under way")
        await expect(fault).to_be_visible()
        assert not await violations(page)
    assert [url for url in asked if "check=true" not in url] == [], "what another node allows would begin for nobody"
    async with page.expect_download() as started:
        await page.get_by_role("link", name="JSON lines").click()
    assert (await started.value).suggested_filename == "players.ndjson"
    await expect(fault).to_have_count(0)
    await page.goto(f"/console/player/{who.id}")
    async with page.expect_download() as started:
        await page.get_by_role("link", name="Export").click()
    assert (await started.value).suggested_filename == "player.ndjson"
    for view, link in (("audit", "CSV"), (f"player/{who.id}", "Export")):
        await page.goto(f"/console/{view}")
        await expect(page.get_by_role("link", name=link)).to_be_visible()
        await page.context.clear_cookies()
        await page.get_by_role("link", name=link).click()
        await expect(page.get_by_label("Admin key")).to_be_visible()
        await take_over(page, ADMIN_KEY)
