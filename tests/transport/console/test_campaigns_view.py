"""Letters to many players in the console, in Chromium."""

from pathlib import Path

from playwright.async_api import Page, expect

from tests.support.client import Api
from tests.transport.console.conftest import violations


async def test_a_letter_is_counted_confirmed_sent_and_followed(signed_in: Page, api: Api, tmp_path: Path) -> None:
    page = signed_in
    mages = [await api.sign_up("mage") for _ in range(3)]
    await api.sign_up("warrior")
    await page.get_by_role("link", name="Campaigns").click()
    await expect(page.get_by_text("No letter has been sent to many players yet.")).to_be_visible()
    await page.get_by_role("button", name="Write to many players").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Text").fill("<img src=x onerror=alert(1)> 미안합니다")
    await dialog.get_by_label("Items").fill("potion=2")
    await dialog.get_by_label("Class").fill("mage")
    await dialog.get_by_label("Reason").fill("the <b>outage</b>")
    await dialog.get_by_role("button", name="Preview").click()
    await expect(dialog.get_by_text("3 players fit now")).to_be_visible()
    assert not await violations(page)
    send = dialog.get_by_role("button", name="Send")
    await dialog.get_by_label("Type 3 to confirm").fill("4")
    await expect(send).to_be_disabled()
    await dialog.get_by_label("Type 3 to confirm").fill("3")
    await send.click()
    await expect(page.get_by_text("3 arrived, 0 refused, of 3 counted")).to_be_visible()
    await expect(page.get_by_text("<img src=x onerror=alert(1)> 미안합니다")).to_be_visible()
    await expect(page.locator("main img")).to_have_count(0)
    assert not await violations(page)
    await page.screenshot(path=tmp_path / "campaigns.png")
    got = (await api.ask("GET", "/v1/players/me/items", token=mages[0].token)).body["items"]
    assert [(stack["item"], stack["count"]) for stack in got] == [("potion", 2)]
