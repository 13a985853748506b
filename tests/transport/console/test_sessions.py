"""How sessions of the console end and change hands, and what becomes of what an operator was doing."""

import re
from contextlib import AsyncExitStack

import pytest
from playwright.async_api import Locator, Page, Route, expect

from gameserver.commands import admins
from gameserver.config.limits import PerMinute
from gameserver.config.settings import Settings
from gameserver.rules.roles import Role
from gameserver.stack.processes.ports import free_port
from gameserver.storage.operators.admin_keys import NewKey
from tests.support.client import ADMIN_KEY, Api
from tests.support.nodes import InProcessNode, start_node
from tests.transport.console.conftest import sign_in, take_over, violations
from tests.transport.console.test_command_ids import CORRECTIONS, held, ids_sent, preview, send

SESSION = "**/admin/v1/session"


async def key_of(node: InProcessNode, name: str, role: Role = Role.SUPPORT) -> str:
    _, secret = await admins.make(node.core.commands.admins, "tests", NewKey(name, role), "a test")
    return secret


def said(page: Page, text: str) -> Locator:
    return page.get_by_role("status").filter(has_text=text)


@pytest.mark.parametrize("fault", ["offline", "503"])
async def test_who_cant_be_signed_out_stays_and_is_told(signed_in: Page, fault: str) -> None:
    page, out = signed_in, signed_in.get_by_role("button", name="Sign out")

    async def lose(route: Route) -> None:
        if route.request.method != "DELETE":
            await route.continue_()
        else:
            await (route.abort() if fault == "offline" else route.fulfill(status=503, json={"detail": "Too busy."}))

    await page.route(SESSION, lose)
    await out.click()
    await expect(page.get_by_role("alert")).to_contain_text("The session could not be ended, and may go on")
    await expect(page.get_by_text("You are signed out.")).to_have_count(0)
    await expect(page.get_by_role("link", name="Audit")).to_be_visible()
    assert not await violations(page)
    await page.unroute(SESSION)
    await out.click()
    await expect(said(page, "You are signed out.")).to_be_visible()
    assert not await page.context.cookies()


async def test_who_signs_out_of_a_session_that_has_ended_is_signed_out(signed_in: Page) -> None:
    async def refuse(route: Route) -> None:
        if route.request.method == "DELETE":
            await route.fulfill(status=401, json={"code": "not_authenticated", "detail": "The session has ended."})
        else:
            await route.continue_()

    await signed_in.route(SESSION, refuse)
    await signed_in.get_by_role("button", name="Sign out").click()
    await expect(said(signed_in, "You are signed out.")).to_be_visible()


@pytest.mark.parametrize("then", ["as the other", "as before"])
async def test_a_change_is_never_made_in_the_name_of_who_has_signed_in_in_another_tab(
    signed_in: Page, node: InProcessNode, api: Api, then: str
) -> None:
    page, who = signed_in, await api.sign_up("mage")
    support = await key_of(node, "안나")  # whatever the name's letters
    await preview(page, who, "Items", "herb 5")
    await take_over(page, support)
    await send(page)
    await expect(said(page, "This browser has signed in as 안나")).to_be_visible()
    await expect(page.get_by_text(who.name).filter(visible=True)).to_have_count(0)
    assert not await violations(page)
    assert await held(api, who) == {}
    if then == "as the other":
        await page.get_by_role("button", name="Go on as who has signed in").click()
        await expect(page.get_by_text("안나 · support")).to_be_visible()
        await expect(page.get_by_role("dialog")).to_have_count(0)
        return
    await sign_in(page, ADMIN_KEY)
    await expect(page.get_by_text("tester · operator")).to_be_visible()
    await send(page)
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert await held(api, who) == {"herb": 5}
    entries = (await api.admin("audit", target=who.id)).body["entries"]
    assert [entry["admin"] for entry in entries] == ["tester"]


async def test_a_tab_shows_at_once_that_another_one_has_signed_in_as_someone_else(
    signed_in: Page, node: InProcessNode
) -> None:
    other = await signed_in.context.new_page()
    await other.goto("/console/fleet")
    await other.get_by_role("button", name="Sign out").click()
    await expect(said(signed_in, "The session has ended: sign in again.")).to_be_visible()
    await sign_in(other, await key_of(node, "ann"))
    await expect(other.get_by_text("ann · support")).to_be_visible()
    await expect(said(signed_in, "This browser has signed in as ann")).to_be_visible()
    await other.get_by_role("button", name="Sign out").click()
    await sign_in(other, ADMIN_KEY)
    await expect(signed_in.get_by_text("tester · operator")).to_be_visible()
    await expect(signed_in.get_by_text("No player fits.")).to_be_visible()


async def test_who_signs_in_again_finds_the_dialog_its_text_and_its_command(signed_in: Page, api: Api) -> None:
    page, who = signed_in, await api.sign_up("mage")
    ids = ids_sent(page)
    await preview(page, who, "Items", "herb 5")

    async def lose(route: Route) -> None:
        if len(ids) > 1:
            await route.continue_()
        else:
            await route.fetch()
            await route.abort()

    await page.route(CORRECTIONS, lose)
    await send(page)
    await expect(page.get_by_role("alert")).to_contain_text("It may have happened or not")
    await page.context.clear_cookies()
    await send(page)
    again = page.get_by_role("dialog", name="Sign in again")
    await expect(again.get_by_label("Admin key")).to_be_focused()
    for _ in range(2):
        await page.keyboard.press("Escape")
    await expect(again).to_be_visible()
    for hidden in (page.get_by_text(who.name), page.get_by_label("Reason"), page.locator("header.frame")):
        await expect(hidden.filter(visible=True)).to_have_count(0)
    assert not await violations(page)
    await sign_in(page, ADMIN_KEY)
    await expect(again).to_have_count(0)
    await expect(page.get_by_role("textbox", name="Items")).to_have_value("herb 5")
    await expect(page.get_by_label("Reason")).to_have_value("a test")
    await send(page)
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("status").filter(has_text="It was done before under this command id")).to_be_visible()
    assert await held(api, who) == {"herb": 5}, "it happens once"
    assert (len(ids), len(set(ids))) == (3, 1)


async def test_another_operator_finds_nothing_of_what_was_typed(signed_in: Page, node: InProcessNode, api: Api) -> None:
    page, who = signed_in, await api.sign_up("mage")
    await page.goto(f"/console/player/{who.id}")
    await page.get_by_role("button", name="Note…").click()
    await page.get_by_label("Note", exact=True).fill("A secret.")
    await page.context.clear_cookies()
    await page.get_by_role("button", name="Add").click()
    await sign_in(page, await key_of(node, "ann"))
    await expect(page.get_by_text("ann · support")).to_be_visible()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_role("button", name="Note…").click()
    await expect(page.get_by_label("Note", exact=True)).to_have_value("")


async def test_a_page_whose_session_has_ended_asks_nothing_until_its_operator_is_back(
    signed_in: Page, api: Api
) -> None:
    page = signed_in
    await page.clock.install()
    await page.goto("/console/campaigns")
    await expect(page.get_by_text("No letter has been sent to many players yet.")).to_be_visible()
    await page.context.clear_cookies()
    await expect(page.get_by_label("Admin key")).to_be_visible()  # a question that is asked every 2 s has told
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    await page.clock.run_for(60_000)
    assert not asked
    async with page.expect_response(lambda answer: "/campaigns" in answer.url and answer.ok):
        await sign_in(page, ADMIN_KEY)
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_a_new_key_stays_though_the_session_ends_with_the_old_one(page: Page, node: InProcessNode) -> None:
    await sign_in(page, await key_of(node, "boss", Role.OPERATOR))
    await page.get_by_role("link", name="Keys").click()
    await page.get_by_role("button", name="Rotate boss").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Seconds").fill("0")
    await dialog.get_by_label("Reason").fill("yearly")
    await dialog.get_by_role("button", name="Rotate").click()
    secret = await dialog.get_by_label("Key", exact=True).input_value()
    await dialog.get_by_role("button", name="I have it").click()
    await sign_in(page, secret)
    await expect(page.get_by_role("row", name="boss").first).to_be_visible()


async def test_who_has_sent_too_many_wrong_keys_is_told_when_to_try_again(page: Page, settings: Settings) -> None:
    limit = PerMinute(per_minute=1, burst=1)
    limits = settings.limits.model_copy(update={"exempt": [], "wrong_keys_per_address": limit})
    node = settings.node.model_copy(update={"name": "strict", "port": free_port()})
    async with AsyncExitStack() as stack:
        strict = await start_node(stack, settings.model_copy(update={"node": node, "limits": limits}))
        await page.goto(f"{strict.url}/console/")
        for text in ("This isn't an admin key.", re.compile(r"Try again in [1-9]\d* s\.")):
            await page.get_by_label("Admin key").fill("hlk_wrong")
            await page.get_by_role("button", name="Sign in").click()
            await expect(page.get_by_role("alert")).to_contain_text(text)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_whatever_keeps_the_page_from_knowing_who_is_there_it_can_be_signed_in_and_tried_again(
    signed_in: Page, status: int
) -> None:
    async def refuse(route: Route) -> None:
        await route.fulfill(status=status, json={"code": "x", "detail": "Not now."})

    await signed_in.route(SESSION, refuse)
    await signed_in.reload()
    await expect(signed_in.get_by_role("alert")).to_contain_text("Not now.")
    await expect(signed_in.get_by_label("Admin key")).to_be_visible()
    assert not await violations(signed_in)
    await signed_in.unroute(SESSION)
    await signed_in.get_by_role("button", name="Try again").click()
    await expect(signed_in.get_by_role("button", name="Sign out")).to_be_visible()
    await expect(signed_in.get_by_role("alert")).to_have_count(0)
