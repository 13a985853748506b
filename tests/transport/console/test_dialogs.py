"""Every dialog of the console, opened by the keyboard: whole on a phone, and nothing of it offends a screen reader."""

import re
from collections.abc import AsyncIterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.support.browser import is_no_wider_than_its_window
from tests.support.client import ADMIN_KEY, Api
from tests.transport.console.conftest import PATIENCE_MS, on_the_loop, sign_in, violations

NAME = "용사 Wolfeschlegelsteinha"
AT = "2026-01-01T00:00:00Z"
LOOKS: tuple[tuple[Literal["light", "dark"], int], ...] = (("light", 1280), ("dark", 390))
CAMPAIGN = {
    "id": "1", "admin": "second", "reason": "a test", "text": "미안합니다 " * 40, "items": {"potion": 1},
    "filter": {}, "players": 2, "arrived": 0, "refused": 0, "state": "waiting", "agreed_by": None, "at": AT,
}  # fmt: skip
ORDER = {
    "edition": 1, "rulebook": 2, "at": AT, "state": "ordered", "admin": "second", "reason": "a test",
    "ordered_at": AT, "problem": None,
}  # fmt: skip
BOOKS = [{"number": each, "first_used_at": AT, "game_hash": "a" * 64, "code_hash": "b" * 64} for each in (2, 1)]
RULES = {"rulebook": 2, "edition": 1, "nodes": [], "orders": [ORDER | {"state": "in_force"}], "rulebooks": BOOKS}
MOVE = {
    "id": 1, "group": "players", "slots": "0-2", "count": 3, "source": "one", "target": "two", "step": "copy",
    "moved": 1, "kept": 0, "problem": None, "cancelled": False, "ended_at": None, "pause_ms": None, "mover": "",
}  # fmt: skip
MEMBER = {"group": "players", "database": "one", "slots": 16, "draining": True}
DRAINED = {"nodes": None, "members": [MEMBER], "bounds": []}
COMPARED = {"changes": [{"value": "foes.slime.exp", "old": 5, "new": 6}], "same_code": True}


class Opening(NamedTuple):
    """Where a dialog is, what opens it, and what the page is told in place of the server's answers."""

    path: str
    opens: str
    shows: str
    answers: Mapping[str, Any] = MappingProxyType({})


OPENINGS = [
    Opening("players", "Spread", "players, as of"),
    Opening("players?class=mage", "Save query", "Save this query"),
    Opening("players?class=mage", "Delete query", "Delete the saved query"),
    *(
        Opening("player/{id}", f"{title}…", shows)
        for title, shows in (
            ("Correct", f"Correct {NAME}"), ("Send mail", "Send mail to"), ("Note", "Note something"),
            ("Ban", f"Ban {NAME}"), ("Rename", f"Rename {NAME}"), ("End sessions", "End all sessions"),
            ("Delete", f"Delete {NAME}"), ("Erase", f"Erase {NAME}"),
        )
    ),
    Opening("player/{banned}", "Lift the ban…", "Lift the ban of"),
    Opening("player/{id}?tab=access", "End the session", "End a session of"),
    Opening("player/{id}?tab=access", "Take away", "Take the device"),
    Opening("player/{id}?tab=ledger", "Undo hunt", "Undo hunt"),
    Opening("player/{id}?tab=ledger", "Back to here", f"Roll {NAME} back"),
    Opening("player/{id}?tab=ledger&actions=hunt", "", "hunt, version 2"),
    Opening("player/{id}?tab=past&at=2026-01-01T00:00:00Z", "Roll back to this moment", f"Roll {NAME} back", {
        "**/state?*": {"player": {"name": NAME, "class": "mage", "level": 1, "hp": 1, "max_hp": 9, "exp": 0,
                                  "version": 1}, "present_version": 2, "since": AT, "replayed": 1, "differing": []},
    }),
    Opening("player/5", "Erase…", "Erase the player"),
    Opening("audit?action=ban", "", "ban of"),
    Opening("notices", "Send a notice", "To one player"),
    Opening("notices", "", "Notice to everyone"),
    Opening("keys", "Make a key", "How long it holds"),
    Opening("keys", "Rotate ann", "Rotate the key of ann"),
    Opening("keys", "Revoke ann", "Revoke the keys of ann"),
    Opening("rules", "Publish rules", "game.toml"),
    Opening("rules", "Revert", "Go back", {"**/v1/rules": RULES}),
    Opening("rules", "Cancel", "won't be in force", {"**/v1/rules": RULES | {"orders": [ORDER]}}),
    Opening("rules", "Compare rulebook 1", "foes.slime.exp", {"**/v1/rules": RULES, "**/changes/*": COMPARED}),
    Opening("campaigns", "Write to many players", "Last seen until"),
    Opening("campaigns", "Agree", "Agree to a letter", {"**/v1/campaigns?*": {"campaigns": [CAMPAIGN]}}),
    Opening("campaigns", "Revoke", "Revoke a letter", {"**/v1/campaigns?*": {"campaigns": [CAMPAIGN]}}),
    Opening("fleet", "Move slots…", "Such as 0-15"),
    Opening("fleet", "Rebalance…", "Rebalance"),
    Opening("fleet", "Drain one…", "All its slots move"),
    Opening("fleet", "Drain", "It gets nothing new"),
    Opening("fleet?tab=slots", "Cancel…", "Slots that haven't moved", {"**/v1/moves": {"moves": [MOVE]}}),
    Opening("fleet?tab=boards", "Rewards of dragons_weekly", "if it ended now"),
    Opening("fleet?tab=boards", "Rebuild exp…", "Rebuild exp"),
    Opening("fleet", "Take the drain of one back…", "Take the drain of one back", {"**/v1/fleet": DRAINED}),
]  # fmt: skip


@on_the_loop(scope="module")
async def players(shared_address: str) -> dict[str, str]:
    """The id of one that has something of everything, and of one that is banned."""
    async with Api(shared_address) as api:
        who, banned = await api.sign_up("mage", NAME, label="A phone of a long label " * 2), await api.sign_up("mage")
        assert (await api.act(who)).status == 200
        for path, body in (
            (f"players/{banned.id}/ban", {"said": "그만"}),
            (f"players/{who.id}/mail", {"text": "점검 " * 200, "items": {}}),
            ("queries/mages", {"query": {"class": "mage"}}),
            ("notices", {"text": "점검 " * 200}),
            ("keys", {"name": "ann", "role": "viewer"}),
        ):
            answer = await api.ask("POST", f"/admin/v1/{path}", token=ADMIN_KEY, body=body | {"reason": "a test"})
            assert answer.status in (200, 201), answer.body
        return {"id": who.id, "banned": banned.id}


@on_the_loop(scope="module")
async def operator(browser: Browser, shared_address: str) -> AsyncIterator[Page]:
    """The one page of these tests, signed in; errors of its scripts fail the last of them."""
    context = await browser.new_context(base_url=shared_address, locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto("/console/")
    await sign_in(page, ADMIN_KEY)
    yield page
    await context.close()
    assert not complaints


async def answer_with(json: object, route: Route) -> None:
    await route.fulfill(json=json)


@pytest.mark.family(10)
@pytest.mark.parametrize("opening", OPENINGS, ids=lambda opening: f"{opening.path} {opening.opens}")
async def test_a_dialog_opens_by_keyboard_fits_offends_nobody_and_gives_the_focus_back(
    operator: Page, players: dict[str, str], opening: Opening
) -> None:
    page = operator
    for pattern, json in opening.answers.items():
        await page.route(pattern, partial(answer_with, json))
    try:
        await page.goto("/console/" + opening.path.format_map(players))
        opener = (
            page.get_by_role("button", name=opening.opens).first if opening.opens else page.locator("tr[data-at='0']")
        )
        await opener.press("Enter")
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text(opening.shows)
        assert await dialog.evaluate("dialog => dialog.contains(document.activeElement)")
        assert await dialog.evaluate("() => document.activeElement.ariaLabel") != "Close", "Enter would close it"
        await fits_and_offends_nobody(page)
        await page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
        await expect(opener).to_be_focused()
    finally:
        await page.unroute_all()


async def test_a_dialog_that_an_address_opens_fits_offends_nobody_and_goes_by_escape(
    operator: Page,
) -> None:
    page = operator
    await page.goto("/console/campaigns/new?class=mage")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Last seen until")
    assert await dialog.evaluate("dialog => dialog.contains(document.activeElement)")
    await fits_and_offends_nobody(page)
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(page).to_have_url(re.compile(r"/console/campaigns$"))


async def fits_and_offends_nobody(page: Page) -> None:
    for scheme, width in LOOKS:
        await page.emulate_media(color_scheme=scheme)
        await page.set_viewport_size({"width": width, "height": 844})
        assert not await violations(page), (scheme, width)
        await is_no_wider_than_its_window(page)
        assert await page.get_by_role("dialog").evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth"), width


@pytest.mark.parametrize("exp", ["", "5000"], ids=["refused", "previewed"])
async def test_a_button_that_works_for_a_moment_keeps_the_focus(
    operator: Page, players: dict[str, str], exp: str
) -> None:
    page = operator
    await page.goto(f"/console/player/{players['id']}")
    await page.get_by_role("button", name="Correct…").press("Enter")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("EXP").fill(exp)
    await dialog.get_by_role("button", name="Preview").press("Enter")
    await expect(dialog.locator(".preview, .fault")).to_be_visible()
    await expect(dialog.get_by_role("button", name="Preview")).to_be_focused()


async def test_a_preview_of_long_words_is_read_on_a_phone(operator: Page, players: dict[str, str]) -> None:
    page = operator
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto(f"/console/player/{players['id']}")
    await page.get_by_role("button", name="Rename…").press("Enter")
    await page.get_by_label("New name").fill("Wolfeschlegelsteinhausen")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("region", name="What will change").get_by_role("table")).to_contain_text("hausen")
    assert not await violations(page)


@pytest.mark.parametrize(
    ("path", "opens"),
    [
        ("players", "Filters"),
        ("campaigns", "Write to many players"),
        ("player/{id}?tab=ledger", ""),
        ("player/{id}?tab=past", ""),
    ],
)
async def test_fields_have_labels_of_their_own_and_a_phone_has_room_for_moments(
    operator: Page, players: dict[str, str], path: str, opens: str
) -> None:
    page = operator
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto("/console/" + path.format_map(players))
    if opens:
        await page.get_by_role("button", name=opens).press("Enter")
    moments = page.locator("[type='datetime-local']:visible")
    await expect(moments.first).to_be_visible()
    labels = await page.locator("label:visible").all_inner_texts()
    assert sorted(set(labels)) == sorted(labels)
    widths = await moments.evaluate_all("fields => fields.map((field) => field.offsetWidth)")
    assert min(widths) > 300, "a row has one moment"


@pytest.mark.parametrize(
    ("path", "opens", "makes", "gone"),
    [
        ("player/{id}", "Lift the ban…", "Lift", True),
        ("player/{id}?tab=access", "Take away", "Take away", True),
        ("player/{id}", "Note…", "Add", False),
        ("campaigns", "Revoke", "Revoke", True),
    ],
)
async def test_the_focus_stays_near_what_a_change_has_taken_away(
    operator: Page, shared_address: str, path: str, opens: str, makes: str, gone: bool
) -> None:
    page, campaign = operator, dict(CAMPAIGN)

    async def revoke(route: Route) -> None:
        campaign["state"] = "revoked"
        await route.fulfill(json={"arrived": 0, "under_way": 1})

    async def listed(route: Route) -> None:
        await route.fulfill(json={"campaigns": [campaign]})

    async with Api(shared_address) as api:
        who = await api.sign_up("mage")
        ban = {"said": "Stop.", "reason": "a test"}
        assert (await api.ask("POST", f"/admin/v1/players/{who.id}/ban", token=ADMIN_KEY, body=ban)).status == 200
    await page.route("**/revocation", revoke)
    await page.route("**/v1/campaigns?*", listed)
    try:
        await page.goto("/console/" + path.format(id=who.id))
        opener = page.get_by_role("main").get_by_role("button", name=opens)
        await opener.press("Enter")
        dialog = page.get_by_role("dialog")
        await dialog.locator("#reason, textarea").fill("a test")
        await page.keyboard.press("Enter")
        if makes == "Add":
            await dialog.get_by_role("button", name=makes).press("Enter")
        elif makes in ("Lift", "Take away"):
            if makes == "Take away":
                await expect(dialog.get_by_text("nothing signs the player in any more")).to_be_visible()
            await dialog.get_by_role("button", name=makes, exact=True).press("Enter")
        await expect(dialog).to_have_count(0)
        await expect(opener).to_have_count(0 if gone else 1)
        await expect(page.get_by_role("main") if gone else opener).to_be_focused()
    finally:
        await page.unroute_all()
