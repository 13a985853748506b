"""The console in a real browser.

`signed_in` is a page of an operator on a node of the test; a script of the page that fails makes the test fail.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.browser import chromium
from tests.support.client import ADMIN_KEY
from tests.support.nodes import InProcessNode

PATIENCE_MS = 20_000
AXE = Path(__file__).with_name("axe-4.14.1.min.js")
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


@pytest.fixture
async def page(browser: Browser, node: InProcessNode) -> AsyncIterator[Page]:
    """The console, nobody signed in; errors of its scripts and what its policy refuses fail the test."""
    context = await browser.new_context(base_url=node.url, locale="en-GB", viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    opened = await context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda line: complaints.append(line.text) if "Content Security Policy" in line.text else None)
    await opened.goto("/console/")
    yield opened
    await context.close()
    assert not complaints


@pytest.fixture
async def signed_in(page: Page) -> Page:
    """The console after an operator has signed in."""
    await sign_in(page, ADMIN_KEY)
    return page


async def sign_in(page: Page, key: str) -> None:
    await page.get_by_label("Admin key").fill(key)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()


async def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 AA, as `rule: element`."""
    await page.evaluate(AXE.read_text("utf-8"))
    found = await page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    return [f"{each['id']}: {node['html'][:200]}" for each in found["violations"] for node in each["nodes"]]
