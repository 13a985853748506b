"""Whatever players, rules and operators write is text in the console: it runs nothing, and turns or widens nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import Page, expect

from gameserver.config.settings import Settings
from gameserver.storage.live.presence import Presence
from gameserver.waiting import cancel_and_wait
from tests.support.browser import is_no_wider_than_its_window
from tests.support.client import ADMIN_KEY, Api, Signed, command_id
from tests.support.deployment import connected
from tests.support.nodes import InProcessNode, start_node
from tests.transport.console.conftest import on_the_loop, violations

RUNS = '<img src=x onerror="window.hurt = 1"><script>window.hurt = 1</script> javascript:window.hurt=1'
TURNS = "\u202eexe.gnp\u2067"
HOSTILE = f"{RUNS} {TURNS} {'W' * 60} 😀 용사"
RULES = f"""
from gameserver.rules.arguments import Arguments
from gameserver.rules.player import Moment, Outcome, Player, changed

class Nothing(Arguments):
    "No arguments."

def strange(player: Player, _args: Nothing, moment: Moment) -> Outcome:
    text = {HOSTILE!r}
    events = ({{"type": text, text: text, "list": [text, {{text: text}}], "value": {{"before": text, "after": None}}}},)
    return Outcome(changed(player, exp=player.exp + 1, data={{text[:60]: text[:200]}}), events)
"""


@on_the_loop()
async def node(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[InProcessNode]:
    """A node whose game, deployment and rules have such texts, too."""
    (tmp_path / "hostile_rules.py").write_text(RULES)
    monkeypatch.syspath_prepend(tmp_path)
    game = settings.game.read_text("utf-8").replace("[actions]\n", '[actions]\nstrange = "hostile_rules:strange"\n')
    game = game.replace('title = "물약"', f'title = "<img src=x>{TURNS}"')
    (tmp_path / "game.toml").write_text(game)
    console = settings.console.model_copy(update={"name": f"<img src=x>{TURNS}"})
    async with AsyncExitStack() as stack:
        yield await start_node(stack, settings.model_copy(update={"game": tmp_path / "game.toml", "console": console}))


async def write_everywhere(api: Api) -> Signed:
    """What a player, a rule and an operator may write, wherever they may."""
    who = await api.sign_up("mage", label=HOSTILE[:64])
    acted = await api.ask("POST", "/v1/players/me/actions", token=who.token, body={"action": "strange"})
    assert acted.status == 200, acted.body
    reason = HOSTILE[:200]
    filter_ = {"class": "mage"}
    for path, body in (
        (f"players/{who.id}/notes", {"text": HOSTILE}),
        (f"players/{who.id}/mail", {"text": HOSTILE, "items": {"potion": 1}, "reason": reason}),
        ("notices", {"text": HOSTILE, "reason": reason}),
        ("keys", {"name": "W" * 64, "role": "viewer", "reason": reason}),
        ("queries/" + quote("W" * 60 + "용사"), {"query": filter_, "reason": reason}),
        ("campaigns", {"text": HOSTILE, "items": {}, "filter": filter_, "expected_count": 1, "reason": reason}),
        (f"players/{who.id}/ban", {"said": reason, "reason": reason}),
    ):
        answer = await api.ask("POST", f"/admin/v1/{path}", token=ADMIN_KEY, body=body, key=command_id())
        assert answer.status in (200, 201), (path, answer.body)
    return who


async def is_only_text(page: Page) -> None:
    """Nothing has run or was made an element, nothing turns what stands beside it, nothing sticks out."""
    await expect(page.get_by_text("Loading")).to_have_count(0)
    assert await page.locator("#app :is(img, script, a[href^='javascript' i])").count() == 0
    assert await page.evaluate("window.hurt") is None
    assert not set("\u202e\u2067") & set(await page.locator("#app").inner_text())
    await is_no_wider_than_its_window(page)


async def test_what_anybody_writes_is_text_in_every_view(api: Api, signed_in: Page, tmp_path: Path) -> None:
    page, who = signed_in, await write_everywhere(api)
    places = {
        "players": "W" * 60,
        f"player/{who.id}": "[U+202E]",
        f"player/{who.id}?tab=ledger": "strange",
        f"player/{who.id}?tab=mail": "[U+202E]exe.gnp[U+2067]",
        f"player/{who.id}?tab=access": "<img src=x",
        f"player/{who.id}?tab=moderation": "[U+202E]exe.gnp[U+2067]",
        "campaigns": "[U+202E]exe.gnp[U+2067]",
        "notices": "<img src=x",
        "keys": "W" * 64,
        "audit": "<img src=x",
        "rules": "In force is rulebook",
        "fleet?tab=boards": "Check exp",
    }
    for width in (1280, 390):
        await page.set_viewport_size({"width": width, "height": 844})
        for path, text in places.items():
            await page.goto(f"/console/{path}")
            await expect(page.locator("#app").get_by_text(text).first).to_be_attached()
            await is_only_text(page)
            await page.screenshot(path=tmp_path / f"{width}-{path.replace('/', '-')}.png", full_page=True)
    await expect(page.locator("header .deployment b")).to_have_text("<img src=x>[U+202E]exe.gnp[U+2067]")
    for path, opened in ((f"player/{who.id}?tab=ledger&actions=strange", "strange"), ("audit?action=ban", "ban of")):
        await page.goto(f"/console/{path}")
        await page.locator("tr[data-at='0']").press("Enter")
        await expect(page.get_by_role("dialog")).to_contain_text(opened)
        await expect(page.get_by_role("dialog")).to_contain_text("[U+202E]exe.gnp[U+2067]")
        await is_only_text(page)
        assert not await violations(page)


async def test_a_rulebook_with_hostile_texts_is_compared_as_text(
    api: Api, signed_in: Page, node: InProcessNode
) -> None:
    page, text = signed_in, node.core.settings.game.read_text("utf-8")
    await api.sign_up()
    await page.goto("/console/rules")
    await page.get_by_role("button", name="Publish rules").click()
    dialog = page.get_by_role("dialog")
    changed = text.replace('title = "약초"', f'title = "{RUNS[:12]}{TURNS}{"W" * 16}"')
    await dialog.get_by_label("Its text").fill(changed)
    await dialog.get_by_role("button", name="Preview").click()
    row = dialog.get_by_role("row").filter(has_text="items.herb.title")
    await expect(row).to_contain_text(RUNS[:12] + "[U+202E]exe.gnp[U+2067]")
    assert await dialog.get_by_label("Its text").input_value() == changed, "what was written stays as it was"
    await is_only_text(page)
    broken = text.replace("[actions]\n", f'[actions]\n"{RUNS[:12]}{TURNS}" = "nowhere:x"\n')
    await dialog.get_by_label("Its text").fill(broken)
    await dialog.get_by_role("button", name="Preview").click()
    await expect(dialog.get_by_role("alert")).to_be_visible()
    await is_only_text(page)


async def test_a_node_and_a_database_with_hostile_names_are_text_in_the_fleet(
    signed_in: Page, node: InProcessNode
) -> None:
    """Settings refuse such names; nodes of an earlier version may announce them, and its `databases add` took them."""
    page, name = signed_in, f"{RUNS[:28]}{TURNS} '\"{{}}"
    hostile = Presence(node.core.redis.commands, name + "W" * 260, f"{name}:8080", "2026-01-01T00:00:00Z")
    async with connected(node.core.databases["one"].url) as control:
        await control.execute("insert into members values ('players', $1, false)", name)
    announcing = asyncio.create_task(hostile.beat(list, lambda: 1))
    try:
        for width in (1280, 390):
            await page.set_viewport_size({"width": width, "height": 844})
            await page.goto("/console/fleet")
            for place, shown in (
                ("tr", "[U+202E]exe.gnp[U+2067] '\"{}WWW"),
                ("tr", "[U+202E]exe.gnp[U+2067] '\"{}:8080"),
            ):
                await expect(page.locator(place).filter(has_text=shown).first).to_be_attached()
            await is_only_text(page)
        assert not await violations(page)
        await page.goto("/console/fleet?tab=slots")
        await page.get_by_role("button", name="Move slots…").click()
        await expect(page.get_by_role("dialog")).to_contain_text("[U+202E]exe.gnp[U+2067] '\"{}")
        await is_only_text(page)
    finally:
        await cancel_and_wait([announcing])
