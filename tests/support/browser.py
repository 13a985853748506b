"""A real browser for tests: the system's Chromium, driven by playwright."""

import contextlib
import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.support.wait import wait_until

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first one has no window to draw, which spares a third of the processor time."""
ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")


def require_chromium() -> str:
    """The program. Skips the test where there is none, unless CI must have one."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium isn't installed, which CI must have")
        pytest.skip("chromium isn't installed")
    return found


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser that ends with the block."""
    program = require_chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


async def is_no_wider_than_its_window(page: Page) -> None:
    """Charts follow the window's width a moment later. AssertionError if the page scrolls sideways."""

    async def fits() -> object:
        return await page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    await wait_until(fits, 5, "no page scrolls sideways")
