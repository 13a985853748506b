"""Under which command id the console sends what, and what it compares before."""

import asyncio

import pytest
from playwright.async_api import Page, Request, Route, expect

from tests.support.client import ADMIN_KEY, Api, Signed

CORRECTIONS = "**/corrections"
"""Corrections themselves: previews have a query."""


async def correct(api: Api, who: Signed, **fields: object) -> None:
    answer = await api.ask(
        "POST", f"/admin/v1/players/{who.id}/corrections", token=ADMIN_KEY, body={"reason": "elsewhere", **fields}
    )
    assert answer.status == 200, answer.body


async def preview(page: Page, who: Signed, field: str, value: str) -> None:
    await page.goto(f"/console/player/{who.id}")
    await page.get_by_role("button", name="Correct…").click()
    await page.get_by_role("textbox", name=field).fill(value)
    await page.get_by_label("Reason").fill("a test")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Correct", exact=True)).to_be_enabled()


async def send(page: Page) -> None:
    await page.get_by_role("button", name="Correct", exact=True).click()


async def held(api: Api, who: Signed) -> dict[str, int]:
    return {stack["item"]: stack["count"] for stack in (await api.admin(f"players/{who.id}")).body["items"]}


def ids_sent(page: Page) -> list[str]:
    """The command ids of corrections, as they are sent from now on."""
    ids: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST" and request.url.endswith("/corrections"):
            ids.append(request.headers["idempotency-key"])

    page.on("request", note)
    return ids


async def test_what_is_sent_after_a_refusal_is_another_command(api: Api, signed_in: Page) -> None:
    page, who = signed_in, await api.sign_up("mage")
    ids = ids_sent(page)
    await correct(api, who, items={"herb": 10})
    await preview(page, who, "Items", "herb -5")

    async def take_away_first(route: Route) -> None:
        """The herbs are gone when the correction comes, which has been compared with its preview before."""
        if len(ids) == 1:
            await correct(api, who, items={"herb": -10})
        await route.continue_()

    await page.route(CORRECTIONS, take_away_first)
    await send(page)
    await expect(page.get_by_role("alert")).to_contain_text("This takes 5 herb")
    await correct(api, who, items={"herb": 10})
    await page.get_by_role("button", name="Preview again").click()
    await send(page)
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert await held(api, who) == {"herb": 5}
    assert len(set(ids)) == 2


@pytest.mark.parametrize("lost", ["answer", "503", "429"])
async def test_what_is_sent_again_after_a_lost_answer_is_the_same_command(api: Api, signed_in: Page, lost: str) -> None:
    page, who = signed_in, await api.sign_up("mage")
    ids = ids_sent(page)
    await preview(page, who, "Items", "herb 5")

    async def lose(route: Route) -> None:
        if len(ids) > 1:
            await route.continue_()
        elif lost != "answer":
            await route.fulfill(status=int(lost), json={"detail": "Too busy."})
        else:
            await route.fetch()
            await route.abort()

    await page.route(CORRECTIONS, lose)
    await send(page)
    await expect(page.get_by_role("alert")).to_contain_text("can't be reached" if lost == "answer" else "Too busy")
    if lost == "answer":
        assert await held(api, who) == {"herb": 5}, "it has happened"
        await page.get_by_role("button", name="Preview again").click()
        await expect(page.get_by_role("alert")).to_have_count(0)
    await send(page)
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert await held(api, who) == {"herb": 5}, "it happens once"
    assert len(set(ids)) == 1


async def test_a_note_that_was_refused_is_another_command_when_it_is_sent_again(api: Api, signed_in: Page) -> None:
    page, who, ids = signed_in, await api.sign_up("mage"), list[str]()

    async def answer(route: Route) -> None:
        ids.append(route.request.headers["idempotency-key"])
        status = {1: 503, 2: 409}.get(len(ids))
        await (
            route.continue_() if status is None else route.fulfill(status=status, json={"detail": f"No {len(ids)}."})
        )

    await page.route("**/notes", answer)
    await page.goto(f"/console/player/{who.id}?tab=moderation")
    await page.get_by_role("button", name="Note…").click()
    await page.get_by_label("Note", exact=True).fill("A regular.")
    for number in (1, 2):
        await page.get_by_role("button", name="Add").click()
        await expect(page.get_by_role("alert")).to_contain_text(f"No {number}.")
    await page.get_by_role("button", name="Add").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert (ids[0] == ids[1], ids[1] == ids[2]) == (True, False)


async def test_a_correction_whose_preview_is_out_of_date_is_previewed_again(api: Api, signed_in: Page) -> None:
    page, who = signed_in, await api.sign_up("mage")
    await preview(page, who, "EXP", "500")
    await correct(api, who, exp=90_000)
    await send(page)
    await expect(page.get_by_role("alert")).to_contain_text("look at it again")
    shown = page.get_by_role("region", name="What will change")
    await expect(shown.get_by_role("row", name="exp 90,000 500", exact=True)).to_be_visible()
    assert (await api.admin(f"players/{who.id}")).body["player"]["exp"] == 90_000
    await send(page)
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert (await api.admin(f"players/{who.id}")).body["player"]["exp"] == 500


@pytest.mark.parametrize("matters", [True, False], ids=["what the preview says", "something else"])
async def test_what_changes_after_the_last_look_is_never_written_over(api: Api, signed_in: Page, matters: bool) -> None:
    page, who = signed_in, await api.sign_up("mage")
    ids = ids_sent(page)
    await preview(page, who, "EXP", "500")

    async def change_first(route: Route) -> None:
        if len(ids) == 1:
            await (correct(api, who, exp=90_000) if matters else correct(api, who, hp=1))
        await route.continue_()

    await page.route(CORRECTIONS, change_first)
    await send(page)
    if matters:
        await expect(page.get_by_role("alert")).to_contain_text("look at it again")
        assert (await api.admin(f"players/{who.id}")).body["player"]["exp"] == 90_000
        assert len(ids) == 1
    else:
        await expect(page.get_by_role("dialog")).to_have_count(0)
        player = (await api.admin(f"players/{who.id}")).body["player"]
        assert (player["exp"], player["hp"], len(set(ids))) == (500, 1, 2)


async def test_a_preview_of_what_was_typed_before_isnt_shown_for_what_is_there_now(api: Api, signed_in: Page) -> None:
    page, who, go_on = signed_in, await api.sign_up("mage"), asyncio.Event()

    async def answer(route: Route) -> None:
        await go_on.wait()
        await route.continue_()

    await page.route("**/corrections?preview=true", answer)
    await page.goto(f"/console/player/{who.id}")
    await page.get_by_role("button", name="Correct…").click()
    await page.get_by_role("textbox", name="EXP").fill("500")
    await page.get_by_role("button", name="Preview").click()
    await page.get_by_role("textbox", name="EXP").fill("700")
    go_on.set()
    await expect(page.get_by_role("button", name="Preview")).to_be_enabled()
    await expect(page.get_by_role("region", name="What will change")).to_have_count(0)
    await page.get_by_role("button", name="Preview").click()
    await expect(page.get_by_role("row", name="exp 0 700", exact=True)).to_be_visible()


async def test_who_is_signed_out_elsewhere_is_told_that_the_session_has_ended(signed_in: Page) -> None:
    await expect(signed_in.get_by_text("No player fits.")).to_be_visible()
    await signed_in.context.clear_cookies()
    await signed_in.get_by_role("link", name="Audit").click()
    await expect(signed_in.get_by_role("status")).to_have_text("The session has ended: sign in again.")
