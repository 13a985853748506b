"""The console in a real browser.

`signed_in` is a page of an operator on a node of the test; a script of the page that fails makes the test fail.

A browser takes more of a processor to start than a test needs of it: all tests of a worker share one. Its driver lives
on one loop, so these tests, their nodes and their other fixtures do.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from gameserver.config.settings import Settings
from tests.support.browser import chromium
from tests.support.client import ADMIN_KEY, Api
from tests.support.nodes import InProcessNode, start_node
from tests.support.servers import Servers

PATIENCE_MS = 20_000
AXE = Path(__file__).with_name("axe-4.14.1.min.js")
LOOP = "session"
ON_THE_LOOP = pytest.mark.asyncio(loop_scope=LOOP)
on_the_loop = partial(pytest_asyncio.fixture, loop_scope=LOOP)
expect.set_options(timeout=PATIENCE_MS)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Called for the tests of this folder only, as the next one: the loop of a test is a parameter of its own."""
    metafunc.definition.add_marker(ON_THE_LOOP, append=False)


def pytest_itemcollected(item: pytest.Item) -> None:
    if pytest_asyncio.is_async_test(item):
        item.add_marker(ON_THE_LOOP, append=False)


@on_the_loop(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


@on_the_loop()
async def settings(servers: Servers) -> AsyncIterator[Settings]:
    database = await servers.fresh()
    yield servers.settings(database)
    servers.drop(database)


@on_the_loop()
async def node(settings: Settings) -> AsyncIterator[InProcessNode]:
    async with AsyncExitStack() as stack:
        yield await start_node(stack, settings)


@on_the_loop()
async def api(node: InProcessNode) -> AsyncIterator[Api]:
    async with Api(node.url) as client:
        yield client


@on_the_loop()
async def tab(browser: Browser, node: InProcessNode) -> AsyncIterator[Page]:
    """An empty one; errors of scripts of the console and what its policy refuses fail the test."""
    context = await browser.new_context(base_url=node.url, locale="en-GB", viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    opened = await context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda line: complaints.append(line.text) if "Content Security Policy" in line.text else None)
    yield opened
    await context.close()
    assert not complaints


@on_the_loop()
async def page(tab: Page) -> Page:
    """The console, nobody signed in."""
    await tab.goto("/console/")
    return tab


@on_the_loop()
async def signed_in(tab: Page) -> Page:
    """The console of an operator, whose browser has the cookie already."""
    await take_over(tab, ADMIN_KEY)
    await tab.goto("/console/")
    await expect(tab.get_by_role("button", name="Sign out")).to_be_visible()
    return tab


async def take_over(page: Page, key: str) -> None:
    """Another session for the page's browser, of which its tabs hear nothing."""
    headers = {"Authorization": f"Bearer {key}"}
    answer = await page.context.request.post("/admin/v1/session", headers=headers, data={})
    assert answer.status == 201


async def sign_in(page: Page, key: str) -> None:
    await page.get_by_label("Admin key").fill(key)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()


async def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 AA, as `rule: element`."""
    if await page.evaluate("typeof axe") == "undefined":
        await page.evaluate(AXE.read_text("utf-8"))
    found: list[str] = await page.evaluate(
        """async () => {
            const runOnly = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
            const {violations} = await axe.run(document, {runOnly, resultTypes: ['violations']});
            return violations.flatMap(({id, nodes}) => nodes.map(({html}) => `${id}: ${html.slice(0, 200)}`));
        }"""
    )
    return found
