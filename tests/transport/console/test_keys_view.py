"""Operators' keys in the console, in Chromium: made, shown once, rotated, revoked, by the keyboard alone."""

import re
from pathlib import Path
from typing import Literal

from playwright.async_api import Page, expect

from gameserver.commands import admins
from gameserver.rules.roles import Role
from gameserver.storage.operators.admin_keys import NewKey
from tests.support.browser import is_no_wider_than_its_window
from tests.support.nodes import InProcessNode
from tests.transport.console.conftest import sign_in, violations

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


async def test_a_key_is_made_shown_once_rotated_and_revoked_by_keyboard(
    page: Page, node: InProcessNode, tmp_path: Path
) -> None:
    _, own = await admins.make(node.core.commands.admins, "tests", NewKey("boss", Role.OPERATOR), "a test")
    await sign_in(page, own)
    await page.get_by_role("link", name="Keys").press("Enter")
    await page.get_by_role("button", name="Make a key").press("Enter")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").press_sequentially("ann-2.x@example")
    await dialog.get_by_label("Role").press("s")
    await dialog.get_by_label("Reason").press_sequentially("new <b>colleague</b>")
    assert not await violations(page)
    await page.keyboard.press("Enter")
    secret = await dialog.get_by_label("Key", exact=True).input_value()
    assert secret.startswith("hlk_")
    assert not await violations(page)
    await expect(dialog.get_by_role("button", name="Copy")).to_be_focused()
    await page.context.grant_permissions(["clipboard-write"])  # as a browser with a window does for who presses a key
    await page.keyboard.press("Enter")
    await expect(dialog.get_by_role("status")).to_have_text("Copied.")
    for back in ("history.back()", "history.back()", "history.go(-2)", "history.back()"):
        await page.evaluate(
            f"new Promise((done) => {{ addEventListener('popstate', done, {{ once: true }}); {back}; }})"
        )
        await expect(dialog.get_by_label("Key", exact=True)).to_have_value(secret)
        await expect(page).to_have_url(re.compile("/console/keys$"))
    stores = "JSON.stringify([location.href, history.state, {...localStorage}, {...sessionStorage}])"
    assert secret not in await page.evaluate(stores)
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_role("heading", name="Keys")).to_be_visible()
    assert page.url.endswith("/console/keys")
    row = page.get_by_role("row", name="ann-2.x@example")
    await expect(row).to_contain_text("support")
    assert secret not in await page.content()
    await row.get_by_role("button", name="Rotate").press("Enter")
    await dialog.get_by_label("Seconds").fill("0")
    await dialog.get_by_label("Reason").fill("yearly")
    await expect(dialog).not_to_contain_text("your own")
    await page.keyboard.press("Enter")
    second = await dialog.get_by_label("Key", exact=True).input_value()
    assert second.startswith("hlk_")
    assert second != secret
    await page.keyboard.press("Escape")
    await expect(dialog).not_to_be_visible()
    await page.get_by_label("have ended (1)").wait_for()
    await expect(row.get_by_role("button", name="Rotate")).to_be_focused()
    await page.get_by_role("button", name="Revoke ann-2.x@example").press("Enter")
    await dialog.get_by_label("Reason").fill("has left")
    await expect(dialog.get_by_role("button", name="Revoke")).to_be_disabled()
    await dialog.get_by_label("to confirm").fill("ann-2.x@example")
    await page.keyboard.press("Enter")
    await expect(row).to_have_count(0)
    await expect(page.get_by_role("region", name="Operators' keys")).to_be_focused()
    await page.get_by_label("have ended (2)").press("Space")
    await expect(row).to_have_count(2)
    await page.get_by_role("button", name="Revoke boss").press("Enter")
    await expect(dialog).to_contain_text("This is your own key")
    assert not await violations(page)
    await page.keyboard.press("Escape")
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        for width in (1280, 390):
            await page.set_viewport_size({"width": width, "height": 844})
            assert not await violations(page)
            await is_no_wider_than_its_window(page)
            await page.screenshot(path=tmp_path / f"keys-{scheme}-{width}.png")


async def test_support_sees_nothing_of_keys(page: Page, node: InProcessNode) -> None:
    _, secret = await admins.make(node.core.commands.admins, "tests", NewKey("reader", Role.SUPPORT), "a test")
    await page.goto("/console/keys")
    await sign_in(page, secret)
    await expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    await expect(page.get_by_role("link", name="Keys")).to_have_count(0)
