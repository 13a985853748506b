"""The game's rules in the console, in Chromium."""

from pathlib import Path

from playwright.async_api import Page, expect

from gameserver.config.settings import Settings
from tests.support.client import Api
from tests.transport.console.conftest import violations


async def test_rules_are_previewed_published_cancelled_and_reverted(
    signed_in: Page, api: Api, settings: Settings, tmp_path: Path
) -> None:
    page, text = signed_in, settings.game.read_text("utf-8")
    assert (await api.sign_up()).id
    await page.get_by_role("link", name="Rules").click()
    await expect(page.get_by_text("No rulebook was published yet")).to_be_visible()
    assert not await violations(page)

    async def publish(seconds: str) -> None:
        await page.get_by_role("button", name="Publish rules").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Its text").fill(text.replace("exp = 5\n", "exp = 6\n"))
        await dialog.get_by_label("In how many seconds").fill(seconds)
        await dialog.get_by_label("Reason").fill("easier <b>foes</b>")
        await dialog.get_by_role("button", name="Preview").click()
        await expect(dialog.get_by_role("row", name="foes.slime.exp 5 6")).to_be_visible()
        assert not await violations(page)
        await dialog.get_by_label("Type 1 values to confirm").fill("1 values")
        await dialog.get_by_role("button", name="Publish", exact=True).click()

    # A rulebook that can't be published says why, and can't be confirmed.
    await page.get_by_role("button", name="Publish rules").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Its text").fill(text.replace("[actions]\n", '[actions]\ndance = "elsewhere:dance"\n'))
    await dialog.get_by_role("button", name="Preview").click()
    await expect(dialog.get_by_text("the nodes haven't loaded elsewhere")).to_be_visible()
    await dialog.get_by_role("button", name="Close").click()
    # One that is cancelled before its moment.
    await publish("600")
    pending = page.get_by_role("region", name="What is ordered")
    await expect(pending.get_by_text("ready", exact=True)).to_be_visible()
    await page.screenshot(path=tmp_path / "pending.png")
    assert not await violations(page)
    await pending.get_by_role("button", name="Cancel").click()
    await dialog.get_by_label("Type 2 to confirm").fill("2")
    await dialog.get_by_label("Reason").fill("a typo")
    await dialog.get_by_role("button", name="Take it back").click()
    await expect(page.get_by_role("cell", name="cancelled", exact=True)).to_be_visible()
    # One that comes into force, and is compared and reverted.
    await publish("5")
    await expect(page.get_by_role("cell", name="in force", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Compare rulebook 1 with the one in force").click()
    await expect(dialog.get_by_role("row", name="foes.slime.exp 5 6")).to_be_visible()
    await dialog.get_by_role("button", name="Close").click()
    await page.get_by_role("button", name="Revert").click()
    await dialog.get_by_label("In how many seconds").fill("5")
    await dialog.get_by_label("Reason").fill("too easy")
    await dialog.get_by_role("button", name="Preview").click()
    await dialog.get_by_label("Type 1 values to confirm").fill("1 values")
    await dialog.get_by_role("button", name="Revert", exact=True).click()
    await expect(page.get_by_text("In force is rulebook 1;")).to_be_visible()
    assert not await violations(page)
    await page.screenshot(path=tmp_path / "rules.png", full_page=True)
