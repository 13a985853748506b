"""A filter that fits rarely: the console reads on over pages that have nothing, and shows what is behind them."""

import asyncio
import re

from playwright.async_api import Page, Request, Route, expect

from gameserver.app import Core
from gameserver.storage.ids import new_command_id
from tests.support.client import Api
from tests.support.deployment import connected, owner
from tests.support.nodes import InProcessNode
from tests.transport.console.conftest import violations

ROWS = 2_500
FILL = """
insert into ledger (slot, player_id, command_id, action, args, seed, outcome, version, at)
select l.slot, l.player_id, (left($2, 19) || '8000-' || lpad(to_hex(n), 12, '0'))::uuid,
       case when n in (3, 1900) then 'rest' else 'hunt' end, '{}', 5, l.outcome, n + 1, now()
from ledger l, generate_series(1, $3::int) n where l.player_id = $1 and l.version = 1
"""


async def fill(core: Core, player_id: int) -> None:
    """ROWS commands, of which two are `rest`."""
    newest = new_command_id(int(core.rooms.clock.now().timestamp() * 1000))
    async with connected(core.databases[owner(core, player_id)].url) as connection:
        await connection.execute(FILL, player_id, newest, ROWS)
        await connection.execute("update players set version = $2 where id = $1", player_id, ROWS + 1)


async def test_a_filter_that_fits_rarely_reads_on_over_empty_pages(
    api: Api, signed_in: Page, node: InProcessNode
) -> None:
    page, who = signed_in, await api.sign_up("mage", name="드문 것")
    await fill(node.core, int(who.id))
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/ledger?" in request.url:
            asked.append(request.url)

    page.on("request", note)
    await page.goto(f"/console/player/{who.id}?tab=ledger&actions=rest")
    rows = page.locator("tr[data-at]")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("1,901")
    await expect(rows.last).to_contain_text("4")
    await expect(page.get_by_role("status").filter(has_text="Loading")).to_have_count(0)
    assert len(asked) > ROWS // 1000
    assert not await violations(page)
    asked.clear()
    await page.goto(f"/console/player/{who.id}?tab=ledger&actions=duel")
    await expect(page.get_by_text("The ledger has nothing that fits.")).to_be_visible()
    assert len(asked) > ROWS // 1000


async def test_reading_on_says_how_far_it_got_and_can_be_stopped(
    api: Api, signed_in: Page, node: InProcessNode
) -> None:
    page, who = signed_in, await api.sign_up("mage", name="드문 것")
    await fill(node.core, int(who.id))
    asked, go_on = list[str](), asyncio.Event()

    async def hold(route: Route) -> None:
        """The second page and what is behind it take their time."""
        asked.append(route.request.url)
        if len(asked) > 1:
            await go_on.wait()
        await route.continue_()

    await page.route("**/ledger?*", hold)
    await page.goto(f"/console/player/{who.id}?tab=ledger&actions=duel")
    reached = page.get_by_text("and nothing fits so far")
    await expect(reached).to_contain_text(re.compile(r"Looked back to \d+ \w+ \d{4}, \d\d:\d\d"))
    assert not await violations(page)
    await page.get_by_role("button", name="Stop").press("Enter")
    further = page.get_by_role("button", name="Look further")
    await expect(further).to_be_focused()
    await expect(page.get_by_role("status").filter(has_text="Loading")).to_have_count(0)
    await expect(reached).to_be_visible()
    assert len(asked) == 2
    go_on.set()
    await further.press("Enter")
    await expect(page.get_by_text("The ledger has nothing that fits.")).to_be_visible()
    await expect(reached).to_have_count(0)
    assert len(asked) > 1 + ROWS // 1000
