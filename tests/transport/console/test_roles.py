"""What each role sees in the console, and how a key with one-time passwords opens it."""

import secrets
import time

import pytest
from playwright.async_api import Page, Response, expect

from gameserver.commands import admins
from gameserver.rules import one_time
from gameserver.rules.roles import Role
from gameserver.storage.operators.admin_keys import NewKey
from tests.support.client import Api
from tests.support.nodes import InProcessNode
from tests.transport.console.conftest import sign_in

SUPPORTS = {"Save query", "CSV", "Correct…", "Ban…", "Send mail…", "Rename…", "Undo", "Back to here"}
OPERATORS = {
    "Delete…", "Erase…", "Publish rules", "Move slots…", "Rebalance…", "Drain one…", "Write to many players",
    "Send a notice", "Make a key",
}  # fmt: skip
VIEWS = {
    "players": "Ann Lee", "fleet": "primary", "fleet?tab=slots": "Slot map", "fleet?tab=boards": "Check exp",
    "campaigns": "No letter has been sent", "rules": "In force is rulebook", "notices": "No notice was sent yet.",
    "keys": "the settings", "audit": "console_sign_in",
}  # fmt: skip
"""Text of each view that is there once it has loaded."""
PARTS = {
    "overview": "Places on boards", "ledger": "hunt", "past": "The player as it was at",
    "boards": "Past seasons", "mail": "Letters",
    "access": "Python", "moderation": "Bans, past and present",
}  # fmt: skip


@pytest.mark.family(1)
@pytest.mark.parametrize(
    ("role", "views", "offered", "withheld"),
    [
        (Role.VIEWER, ["Players", "Fleet", "Rules"], set[str](), SUPPORTS | OPERATORS),
        (Role.SUPPORT, ["Players", "Fleet", "Campaigns", "Rules", "Audit"], SUPPORTS, OPERATORS),
        (
            Role.OPERATOR,
            ["Players", "Fleet", "Campaigns", "Rules", "Notices", "Keys", "Audit"],
            SUPPORTS | OPERATORS,
            set[str](),
        ),
    ],
)
async def test_a_role_sees_what_it_may_use_and_asks_nothing_else(
    page: Page, node: InProcessNode, api: Api, role: Role, views: list[str], offered: set[str], withheld: set[str]
) -> None:
    who = await api.sign_up("mage", "Ann Lee")
    await api.act(who)
    _, secret = await admins.make(node.core.commands.admins, "tests", NewKey("ann", role), "a test")
    await sign_in(page, secret)
    refused: list[str] = []

    def note(response: Response) -> None:
        if response.status >= 400:
            refused.append(f"{response.status} {response.url}")

    page.on("response", note)
    shown = page.get_by_role("navigation", name="Views").get_by_role("link")
    assert await shown.all_inner_texts() == views
    paths = {path: text for path, text in VIEWS.items() if path.split("?")[0].capitalize() in views}
    if role is not Role.VIEWER:
        paths |= {f"player/{who.id}?tab={part}": text for part, text in PARTS.items()}
    words = set[str]()
    for path, text in paths.items():
        await page.goto(f"/console/{path}")
        await expect(page.locator("main").get_by_text(text).first).to_be_visible()
        found = await page.locator("main :is(button, a.button)").all_inner_texts()
        words |= {text.split("\n")[0].strip() for text in found}
    assert not refused
    assert not offered - words
    assert not withheld & words


async def test_a_key_with_one_time_passwords_opens_the_console_with_each_of_them_once(
    page: Page, node: InProcessNode
) -> None:
    context, code = node.core.commands.admins, page.get_by_label("One-time password")
    fault, button = page.get_by_role("alert"), page.get_by_role("button", name="Sign in")

    async def enrolled() -> tuple[str, str]:
        app = one_time.written(secrets.token_bytes(20))
        _, secret = await admins.make(context, "tests", NewKey("ann", Role.OPERATOR, totp=app), "a test")
        return secret, app

    secret, app = await enrolled()
    await page.get_by_label("Admin key").fill(secret)
    await button.click()
    await expect(fault).to_contain_text("needs the one-time password of its app")
    for wrong in ("000000", "12", "abc def", "😀"):
        await code.fill(wrong)
        await button.click()
        await expect(fault).to_contain_text("use the next one of the app")
        await code.fill("")
    # As apps show it, with a space in the middle.
    step = int(time.time() // one_time.STEP_SECONDS)
    now = one_time.code_of(app, step)
    await code.fill(f"{now[:3]} {now[3:]}")
    await button.click()
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_label("Admin key").fill(secret)
    await code.fill(now)
    await button.click()
    await expect(fault).to_contain_text("use the next one of the app")
    # The phone is lost: the key is revoked, and another one made, whose app is another one.
    await admins.revoke(context, "tests", "ann", "lost phone")
    await page.get_by_label("Admin key").fill(secret)
    await code.fill(one_time.code_of(app, step + 1))
    await button.click()
    await expect(fault).to_contain_text("admin key")
    secret, app = await enrolled()
    await page.get_by_label("Admin key").fill(secret)
    await code.fill(one_time.code_of(app, int(time.time() // one_time.STEP_SECONDS)))
    await button.click()
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    await page.goto("/console/keys")
    await expect(page.get_by_role("row").filter(has_text="ann").get_by_text("one-time password")).to_be_visible()
