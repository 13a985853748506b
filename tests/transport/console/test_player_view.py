"""An operator works on a player's page in a real browser: by keyboard alone, and safe from what players write."""

from typing import Any

from playwright.async_api import Locator, Page, expect

from gameserver.commands import admins
from gameserver.rules.roles import Role
from gameserver.storage.operators.admin_keys import NewKey
from tests.support.client import ADMIN_KEY, Api, Signed
from tests.support.deployment import connected
from tests.support.nodes import InProcessNode
from tests.support.wait import wait_until
from tests.transport.console.conftest import sign_in, violations

XSS = '<img src=x onerror="window.hurt = 1"><script>window.hurt = 1</script>'


async def change(api: Api, who: Signed, what: str, **fields: Any) -> None:
    answer = await api.ask("POST", f"/admin/v1/players/{who.id}/{what}", token=ADMIN_KEY, body=fields)
    assert answer.status in (200, 201), answer.body


async def exp_of(api: Api, who: Signed) -> int:
    return int((await api.admin(f"players/{who.id}")).body["player"]["exp"])


async def show(page: Page, who: Signed, tab: str = "overview") -> None:
    await page.goto(f"/console/player/{who.id}?tab={tab}")
    await expect(page.get_by_role("heading", name=who.name, level=1)).to_be_visible()


async def tab_to(page: Page, wanted: Locator) -> None:
    """Moves the focus by the Tab key alone until it is there."""
    await expect(wanted).to_be_visible()
    for _ in range(300):
        if await wanted.evaluate("element => element === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"the Tab key doesn't lead to {wanted}")


async def carry_out(page: Page, reason: str) -> None:
    """In the dialog of a change: a reason, Enter for the preview, Enter for the change."""
    await tab_to(page, page.get_by_label("Reason"))
    await page.keyboard.type(reason)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("region", name="What will change")).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_a_players_page_is_read_anew_when_it_is_asked_for(api: Api, signed_in: Page) -> None:
    page, who = signed_in, await api.sign_up("mage")
    await show(page, who)
    await change(api, who, "corrections", exp=1234, reason="a test")
    await page.get_by_role("button", name="Refresh").click()
    await expect(page.locator("header.player")).to_contain_text("1,234")


async def test_a_player_is_corrected_and_the_correction_undone_by_keyboard_alone(api: Api, signed_in: Page) -> None:
    page = signed_in
    who, better = await api.sign_up("warrior", name="용사 하나"), await api.sign_up("warrior")
    await change(api, better, "corrections", exp=100, reason="a test")

    async def is_second() -> bool:
        places = (await api.admin(f"players/{who.id}")).body["places"]
        return {place["board"]: place["entry"]["rank"] for place in places}.get("exp") == 2

    await wait_until(is_second, what="the player is second")
    await show(page, who)
    await tab_to(page, page.get_by_role("button", name="Correct…"))
    await page.keyboard.press("Enter")
    await tab_to(page, page.get_by_label("EXP"))
    await page.keyboard.type("5000")
    await tab_to(page, page.get_by_label("Reason"))
    await page.keyboard.type("a lost reward")
    await page.keyboard.press("Enter")
    preview = page.get_by_role("region", name="What will change")
    await expect(preview.get_by_role("row", name="exp 0 5,000", exact=True)).to_be_visible()
    await expect(preview.get_by_role("row", name="rank on exp 2 1", exact=True)).to_be_visible()
    assert await exp_of(api, who) == 0, "a preview changes nothing"
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").filter(has_text="The player is corrected.")).to_be_visible()
    await expect(page.locator("header.player")).to_contain_text("5,000")
    assert await exp_of(api, who) == 5000

    await tab_to(page, page.get_by_role("link", name="Ledger"))
    await page.keyboard.press("Enter")
    undo = page.get_by_role("button", name="Undo operator:correct, version 2")
    await tab_to(page, undo)
    await page.keyboard.press("Enter")
    await carry_out(page, "it had it already")
    await expect(page.get_by_role("row").filter(has_text="operator:correct")).to_contain_text("undone")
    await expect(undo).to_have_count(0)
    assert await exp_of(api, who) == 0
    entries = (await api.admin("audit", target=who.id)).body["entries"]
    assert [(entry["action"], entry["reason"]) for entry in entries] == [
        ("undo", "it had it already"), ("correct", "a lost reward")
    ]  # fmt: skip


async def test_what_players_and_operators_write_is_shown_and_never_run(api: Api, signed_in: Page) -> None:
    page = signed_in
    who = await api.sign_up("mage", label=XSS[:64])
    await change(api, who, "notes", text=XSS)
    await change(api, who, "mail", text=XSS, reason=XSS)
    await change(api, who, "ban", said=XSS, reason=XSS)
    await change(api, who, "corrections", exp=1, reason=XSS)
    await api.ask("POST", "/v1/sessions", body={"device": who.device, "label": XSS[:64]})
    for tab, shown in (("overview", "warrior"), ("ledger", XSS[:30]), ("mail", XSS), ("moderation", XSS)):
        await show(page, who, tab)
        if tab != "overview":
            await expect(page.get_by_text(shown).first).to_be_visible()
        assert await page.locator("main img, main script").count() == 0
    await show(page, who, "access")
    await expect(page.get_by_role("heading", name="Sessions")).to_be_visible()
    assert await page.evaluate("window.hurt") is None


PAST = """
insert into season_standings (board, start, position, rank, player_id, score, reached_at, name, class, level, reward)
select 'weekly', n * 86400, 1, 1, $1, n, now(), 'x', 'mage', 1, '{"exp": 5, "text": "Well done"}'
from generate_series(1, 60) n
"""


async def test_a_player_is_found_among_its_neighbours_and_friends_and_in_past_seasons(
    api: Api, node: InProcessNode, signed_in: Page
) -> None:
    page = signed_in
    who, friend = await api.sign_up("mage"), await api.sign_up("priest", name="한글 친구")
    await api.ask("PUT", f"/v1/players/me/friends/{friend.id}", token=who.token)
    await change(api, who, "corrections", hp=1, exp=5, reason="a test")
    await api.act(friend, "heal_other", player=who.id)
    async with connected(node.core.databases[node.core.settings.control.database].url) as connection:
        await connection.execute(PAST, int(who.id))

    async def is_complete() -> bool:
        body = (await api.admin(f"players/{who.id}")).body
        return bool(body["mail"] and len(body["places"]) == 2)

    await wait_until(is_complete, what="the letter and the places have arrived")
    await show(page, who)
    await expect(page.locator("header.player")).to_contain_text("Last seen")
    await api.socket(who.token)

    async def is_connected() -> bool:
        return bool((await api.admin(f"players/{who.id}")).body["nodes"])

    await wait_until(is_connected, what="the player is connected")
    await page.reload()
    await expect(page.locator("header.player")).to_contain_text("Online")

    await page.get_by_role("region", name="Places on boards").get_by_role("link", name="exp").click()
    around = page.get_by_role("region", name="Around it on exp")
    await expect(around.get_by_role("row")).to_have_count(3)
    await expect(around.locator("[aria-current]")).to_contain_text(who.name)
    past = page.get_by_role("region", name="Past seasons")
    await expect(past.get_by_role("row")).to_have_count(51)
    await expect(past).to_contain_text("5 EXP, Well done")
    await page.get_by_role("button", name="Show more").click()
    await expect(past.get_by_role("row")).to_have_count(61)
    await expect(page.get_by_role("button", name="Show more")).to_have_count(0)
    assert not await violations(page)

    await page.get_by_role("link", name="Mail and friends").click()
    for caption in ("Letters", "Friends"):
        link = page.get_by_role("region", name=caption, exact=True).get_by_role("link", name=friend.name)
        await expect(link).to_have_attribute("href", f"/console/player/{friend.id}")
    assert not await violations(page)
    await page.get_by_role("region", name="Friends", exact=True).get_by_role("link", name=friend.name).click()
    await expect(page.get_by_role("heading", name=friend.name, level=1)).to_be_visible()


async def test_an_erasure_is_confirmed_by_the_players_id_and_shows_its_receipt(
    api: Api, node: InProcessNode, page: Page
) -> None:
    who = await api.sign_up("mage", name="Zyxwvut Qponm")
    _, support = await admins.make(node.core.commands.admins, "tests", NewKey("ann", Role.SUPPORT), "a test")
    await sign_in(page, support)
    await show(page, who)
    await expect(page.get_by_role("button", name="Ban…")).to_be_visible()
    await expect(page.get_by_role("button", name="Erase…")).to_have_count(0)
    await page.get_by_role("button", name="Sign out").click()
    await sign_in(page, ADMIN_KEY)
    await show(page, who)
    await page.get_by_role("button", name="Erase…").click()
    await page.get_by_label("Reason").fill("article 17")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("region", name="What will change")).to_contain_text(who.name)
    erase = page.get_by_role("button", name="Erase", exact=True)
    await expect(erase).to_be_disabled()
    await page.get_by_label("to confirm").fill(who.id)
    await erase.click()
    await expect(page.get_by_role("heading", name="Receipt of an erasure")).to_be_visible()
    await expect(page.get_by_text("a search finds nothing of it any more")).to_be_visible()
    assert (await api.admin(f"players/{who.id}")).code == "player_not_found"


async def test_a_phone_shows_the_tab_that_is_open(api: Api, signed_in: Page) -> None:
    page, who = signed_in, await api.sign_up("mage")
    await page.set_viewport_size({"width": 390, "height": 844})
    for tab, title in (("moderation", "Bans and notes"), ("overview", "Overview")):
        await show(page, who, tab)
        await expect(page.get_by_role("link", name=title)).to_be_in_viewport(ratio=0.9)
    await page.goto("/console/fleet?tab=boards")
    await expect(page.get_by_role("link", name="Boards and seasons")).to_be_in_viewport(ratio=0.9)


async def test_a_mistyped_address_is_answered_by_a_sentence(signed_in: Page) -> None:
    for id_ in ("%E0%A4", "5", "x"):
        await signed_in.goto(f"/console/player/{id_}")
        await expect(signed_in.get_by_role("alert").first).to_be_visible()


async def test_nothing_of_a_players_page_offends_a_screen_reader(api: Api, signed_in: Page) -> None:
    page, who = signed_in, await api.sign_up("mage", name="용사 둘")
    await change(api, who, "notes", text="A regular.")
    await change(api, who, "mail", text="Hello.", items={"potion": 1}, reason="a test")
    await change(api, who, "ban", said="Stop.", reason="a test")
    for scheme, tabs in (
        ("light", ("overview", "ledger", "past", "mail", "access", "moderation")),
        ("dark", ("ledger",)),
    ):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for tab in tabs:
            await show(page, who, tab)
            await expect(page.get_by_text("Loading")).to_have_count(0)
            assert not await violations(page), tab
    await page.get_by_role("button", name="Correct…").click()
    await page.get_by_label("EXP").fill("70")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("region", name="What will change")).to_contain_text("exp")
    assert not await violations(page)


async def test_what_rules_remember_is_corrected_and_a_version_is_seen_and_rolled_back_to(
    api: Api, signed_in: Page
) -> None:
    page, who = signed_in, await api.sign_up("mage")
    await change(api, who, "corrections", data={"seen": True, "wins": 3}, reason="a test")
    await show(page, who)
    await page.get_by_role("button", name="Correct…").click()
    remembered = page.get_by_role("textbox", name="What the rules remember")
    await remembered.fill('wins = 1500\nseen =\ntitle = "hero, or = not"')
    await page.get_by_label("Reason").fill("a test")
    await page.get_by_role("button", name="Preview").click()
    preview = page.get_by_role("region", name="What will change")
    for row in ("data: wins 3 1,500", "data: seen true –", "data: title – hero, or = not"):
        await expect(preview.get_by_role("row", name=row, exact=True)).to_be_visible()
    assert not await violations(page)
    await page.get_by_role("button", name="Correct", exact=True).click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert (await api.admin(f"players/{who.id}")).body["data"] == {"wins": 1500, "title": "hero, or = not"}

    await show(page, who, "ledger")
    await page.get_by_role("row").filter(has_text="operator:correct").nth(1).click()
    await page.get_by_role("link", name="The player then").click()
    await expect(page.get_by_role("heading", name="Version 2")).to_be_visible()
    await page.get_by_role("button", name="Roll back to this moment").click()
    await page.get_by_label("Reason").fill("a test")
    await page.get_by_role("button", name="Preview").click()
    await expect(page.get_by_text("becomes what it was with version 2")).to_be_visible()
    await page.get_by_role("button", name="Roll back", exact=True).click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert (await api.admin(f"players/{who.id}")).body["data"] == {"seen": True, "wins": 3}
