"""The game's rules in the console, in Chromium."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from gameserver.config.settings import Settings
from gameserver.storage.operators import rule_orders
from gameserver.times import rfc3339
from tests.support.client import ADMIN_KEY, Api
from tests.support.wait import wait_until
from tests.transport.console.conftest import violations


async def test_rules_are_previewed_published_cancelled_and_reverted(
    signed_in: Page, api: Api, settings: Settings, tmp_path: Path
) -> None:
    page, text = signed_in, settings.game.read_text("utf-8")
    assert (await api.sign_up()).id
    await page.get_by_role("link", name="Rules").click()
    await expect(page.get_by_text("No rulebook was published yet")).to_be_visible()
    assert not await violations(page)

    async def publish(seconds: str) -> None:
        await page.get_by_role("button", name="Publish rules").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Its text").fill(text.replace("exp = 5\n", "exp = 6\n"))
        await dialog.get_by_label("In how many seconds").fill(seconds)
        await dialog.get_by_label("Reason").fill("easier <b>foes</b>")
        await dialog.get_by_role("button", name="Preview").click()
        await expect(dialog.get_by_role("row", name="foes.slime.exp 5 6")).to_be_visible()
        assert not await violations(page)
        await dialog.get_by_label("Type 1 value to confirm").fill("1 value")
        await dialog.get_by_role("button", name="Publish", exact=True).click()

    # A rulebook that can't be published says why, and can't be confirmed.
    await page.get_by_role("button", name="Publish rules").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Its text").fill(text.replace("[actions]\n", '[actions]\ndance = "elsewhere:dance"\n'))
    await dialog.get_by_role("button", name="Preview").click()
    await expect(dialog.get_by_text("the nodes haven't loaded elsewhere")).to_be_visible()
    await dialog.get_by_role("button", name="Close").click()
    # One that is cancelled before its moment.
    await publish("600")
    pending = page.get_by_role("region", name="What is ordered")
    await expect(pending.get_by_text("ready", exact=True)).to_be_visible()
    await page.screenshot(path=tmp_path / "pending.png")
    assert not await violations(page)
    await pending.get_by_role("button", name="Cancel").click()
    await dialog.get_by_label("Type 2 to confirm").fill("2")
    await dialog.get_by_label("Reason").fill("a typo")
    await dialog.get_by_role("button", name="Take it back").click()
    await expect(page.get_by_role("cell", name="cancelled", exact=True)).to_be_visible()
    # One that comes into force, and is compared and reverted.
    await publish("5")
    await expect(page.get_by_role("cell", name="in force", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Compare rulebook 1 with the one in force").click()
    await expect(dialog.get_by_role("row", name="foes.slime.exp 5 6")).to_be_visible()
    await expect(page).to_have_url(re.compile(r"/console/rules/1/\d+$"))
    await page.reload()
    await expect(dialog.get_by_role("row", name="foes.slime.exp 5 6")).to_be_visible()
    await dialog.get_by_role("button", name="Close").click()
    await expect(page).to_have_url("/console/rules")
    await page.get_by_role("button", name="Revert").click()
    await dialog.get_by_label("In how many seconds").fill("5")
    await dialog.get_by_label("Reason").fill("too easy")
    await dialog.get_by_role("button", name="Preview").click()
    await dialog.get_by_label("Type 1 value to confirm").fill("1 value")
    await dialog.get_by_role("button", name="Revert", exact=True).click()
    await expect(page.get_by_text("In force is rulebook 1;")).to_be_visible()
    assert not await violations(page)
    await page.screenshot(path=tmp_path / "rules.png", full_page=True)


async def order(api: Api, path: str, **fields: object) -> None:
    """What a colleague orders meanwhile."""
    body = {"reason": "a colleague's", **fields}
    answer = await api.ask("POST", f"/admin/v1/rules{path}", token=ADMIN_KEY, body=body)
    assert answer.status == 200, answer.body


async def test_an_order_of_a_colleague_isnt_cancelled_in_place_of_the_one_that_was_seen(
    signed_in: Page, api: Api, settings: Settings
) -> None:
    page, text = signed_in, settings.game.read_text("utf-8")
    seen, other = (text.replace("exp = 5\n", f"exp = {exp}\n") for exp in (6, 7))
    await order(api, "", game=seen, in_seconds=600)
    await page.goto("/console/rules")
    await page.get_by_role("region", name="What is ordered").get_by_role("button", name="Cancel").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("to confirm").fill("2")
    await dialog.get_by_label("Reason").fill("a typo")
    await order(api, "/cancel")
    await order(api, "", game=other, in_seconds=600)
    await dialog.get_by_role("button", name="Take it back").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Meanwhile edition 2 is ordered, not 1")
    assert (await api.admin("rules")).body["orders"][0]["state"] == "ordered"


async def test_rules_are_previewed_anew_where_others_came_into_force_since_the_preview(
    signed_in: Page, api: Api, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_orders, "SHORTEST_LEAD_SECONDS", 0.3)
    monkeypatch.setattr(rule_orders, "DECISION_LEAD_SECONDS", 0.1)
    page, text = signed_in, settings.game.read_text("utf-8")

    async def come_into_force(edition: int, path: str, **fields: object) -> None:
        await order(api, path, at=rfc3339(datetime.now(UTC) + timedelta(seconds=3)), **fields)

        async def is_in_force() -> bool:
            return bool((await api.admin("rules")).body["edition"] == edition)

        await wait_until(is_in_force, what="the colleague's rules are in force")

    await come_into_force(1, "", game=text.replace("exp = 5\n", "exp = 6\n"))
    await page.goto("/console/rules")
    await page.get_by_role("button", name="Revert").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Reason").fill("too easy")
    await dialog.get_by_role("button", name="Preview").click()
    await expect(dialog.get_by_role("row", name="foes.slime.exp 6 5")).to_be_visible()
    await dialog.get_by_label("to confirm").fill("1 value")
    await come_into_force(2, "/revert")
    await dialog.get_by_role("button", name="Revert", exact=True).click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Meanwhile it would do something else")
    await expect(dialog.get_by_role("row", name="foes.slime.exp 5 6")).to_be_visible()
    assert len((await api.admin("rules")).body["orders"]) == 2
