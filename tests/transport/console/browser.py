"""A real, headless Chromium in which an operator is signed in to the console of a node."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import ConsoleMessage, Locator, Page, async_playwright, expect

from tests.support.client import ADMIN_KEY, Api

SECONDS = 60
"""How long anything that the page is to show may take, on a loaded machine."""
NAMES = ("chromium", "chromium-browser", "google-chrome")


def executable() -> str:
    """The system's Chromium; without one the test is skipped."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        pytest.skip("needs a Chromium (package chromium)")
    return found


@asynccontextmanager
async def console(api: Api, key: str = ADMIN_KEY) -> AsyncIterator[Page]:
    """A page at the console's start, signed in by keyboard; fails at its end if a script had a fault or was refused."""
    faults: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # A request that is refused is an answer that the page shows.
        if message.type == "error" and "Failed to load resource" not in message.text:
            faults.append(message.text)

    expect.set_options(timeout=SECONDS * 1000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=["--no-sandbox"])
        page = await browser.new_page(base_url=api.url, viewport={"width": 1280, "height": 900}, locale="en-GB")
        page.set_default_timeout(SECONDS * 1000)
        page.on("console", note)
        page.on("pageerror", lambda error: faults.append(str(error)))
        await page.goto("/console")
        await page.get_by_label("Admin key").press_sequentially(key)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        yield page
        await browser.close()
    assert not faults, faults


async def tab_to(page: Page, wanted: Locator) -> None:
    """Moves the focus by the Tab key alone until it is there, at most three times around the page."""
    await expect(wanted).to_be_visible()
    for _ in range(300):
        if await wanted.evaluate("element => element === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"the Tab key doesn't lead to {wanted}")
