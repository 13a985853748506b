"""What a player's page asks for besides the player: after a change, by keyboard, and where it can't be had."""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.support.client import Api, Signed
from tests.support.deployment import connected
from tests.support.nodes import InProcessNode
from tests.transport.console.conftest import violations
from tests.transport.console.test_player_view import PAST, carry_out, show, tab_to


async def test_a_letter_that_was_just_sent_is_among_the_letters(api: Api, signed_in: Page) -> None:
    page, who = signed_in, await api.sign_up("mage")
    await show(page, who, "mail")
    await expect(page.get_by_text("Its inbox is empty.")).to_be_visible()
    await page.get_by_role("button", name="Send mail…").click()
    await page.get_by_role("dialog").locator("textarea").fill("Hello there.")
    await carry_out(page, "a test")
    await expect(page.get_by_role("region", name="Letters")).to_contain_text("Hello there.")


async def test_lists_stay_in_their_order_when_an_empty_one_comes_late(api: Api, signed_in: Page) -> None:
    page, who = signed_in, await api.sign_up("mage")
    may_answer = asyncio.Event()

    async def late(route: Route) -> None:
        await may_answer.wait()
        await route.continue_()

    await page.route("**/inbox?*", late)
    await show(page, who, "mail")
    await expect(page.get_by_text("It has no friends.")).to_be_visible()
    may_answer.set()
    await expect(page.get_by_text("Its inbox is empty.")).to_be_visible()
    headings = page.get_by_role("region", name="Mail and friends").get_by_role("heading")
    assert await headings.all_inner_texts() == ["Letters", "Friends", "Whose letters it doesn't take"]


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("tab=boards&board=exp", "**/v1/boards/exp/around/**"),
        ("tab=boards", "**/places?*"),
        ("tab=past&at=2100-01-01T00:00:00Z", "**/state?*"),
    ],
    ids=["its neighbours", "past seasons", "a past state"],
)
async def test_what_a_tab_shows_is_asked_for_again_after_a_change(
    api: Api, signed_in: Page, query: str, asked: str
) -> None:
    page, who = signed_in, await api.sign_up("mage")
    async with page.expect_response(asked):
        await page.goto(f"/console/player/{who.id}?{query}")
    await page.get_by_role("button", name="Correct…").click()
    await page.get_by_role("textbox", name="EXP").fill("5000")
    async with page.expect_response(asked):
        await carry_out(page, "a test")


async def test_show_more_keeps_the_keyboard_where_it_is(api: Api, node: InProcessNode, signed_in: Page) -> None:
    page, who = signed_in, await api.sign_up("mage")
    async with connected(node.core.databases[node.core.settings.control.database].url) as connection:
        await connection.execute(PAST.replace("60) n", "120) n"), int(who.id))
    may_answer, fails = asyncio.Event(), True

    async def slowly(route: Route) -> None:
        await may_answer.wait()
        await (route.abort() if fails else route.continue_())

    await show(page, who, "boards")
    rows = page.get_by_role("region", name="Past seasons").get_by_role("row")
    more = page.get_by_role("button", name="Show more of Past seasons")
    await tab_to(page, more)
    await page.route("**/places?*cursor=*", slowly)
    await page.keyboard.press("Enter")
    await expect(more).to_be_disabled()
    may_answer.set()
    await expect(page.get_by_role("alert")).to_contain_text("can't be reached")
    await expect(more).to_be_focused()
    fails = False
    await page.keyboard.press("Enter")
    await expect(rows).to_have_count(101)
    await expect(page.get_by_role("alert")).to_have_count(0)
    await expect(more).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(rows).to_have_count(121)
    await expect(more).to_have_count(0)
    assert await page.evaluate("document.activeElement.previousElementSibling?.ariaLabel") == "Past seasons"
    assert not await violations(page)


async def change_page(page: Page, who: Signed, without: Collection[str] = (), **fields: Any) -> None:
    """From now on the player's page has other fields than this node's."""

    async def answer(route: Route) -> None:
        body = await (await route.fetch()).json() | fields
        await route.fulfill(json={name: value for name, value in body.items() if name not in without})

    await page.route(f"**/admin/v1/players/{who.id}", answer)


async def test_a_node_of_an_earlier_version_answers_without_names_and_lists(api: Api, signed_in: Page) -> None:
    page, who, friend, blocked = signed_in, *[await api.sign_up("mage") for _ in range(3)]
    await api.ask("PUT", f"/v1/players/me/friends/{friend.id}", token=who.token)
    await api.ask("PUT", f"/v1/players/me/blocks/{blocked.id}", token=who.token)
    await change_page(page, who, ("names", "nodes", "seen_at"))
    gone = {"code": "not_found", "detail": "There is no such path."}
    for path in ("inbox", "places"):
        await page.route(f"**/{path}?*", lambda route: route.fulfill(status=404, json=gone))
    await show(page, who, "mail")
    await expect(page.get_by_role("region", name="Friends").get_by_role("link", name=friend.id)).to_be_visible()
    await expect(page.get_by_role("link", name=blocked.id)).to_be_visible()
    await expect(page.get_by_role("alert")).to_contain_text("There is no such path.")
    await show(page, who, "boards")
    await expect(page.get_by_text("Places on boards")).to_be_visible()
    await expect(page.get_by_role("alert")).to_contain_text("There is no such path.")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"nodes": ["a", "b"]}, "Online, connected to a, b"),
        ({"nodes": None}, "whether it is connected isn't known"),
    ],
    ids=["connected", "not known"],
)
async def test_a_page_tells_in_words_where_a_player_is_connected(
    api: Api, signed_in: Page, fields: dict[str, Any], words: str
) -> None:
    who = await api.sign_up("mage")
    await change_page(signed_in, who, **fields)
    await show(signed_in, who)
    await expect(signed_in.locator("header.player")).to_contain_text(words)
    assert not await violations(signed_in)
