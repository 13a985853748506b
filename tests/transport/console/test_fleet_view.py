"""The fleet in the console: a move of slots from its plan to its end, and what viewers may see."""

from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import Page, Route, expect

from gameserver.commands import admins
from gameserver.config.settings import Settings
from gameserver.rules.roles import Role
from gameserver.stack.processes.ports import free_port
from gameserver.storage.operators.admin_keys import NewKey
from tests.support.browser import is_no_wider_than_its_window
from tests.support.client import ADMIN_KEY, Api
from tests.support.nodes import InProcessNode, start_node
from tests.support.wait import wait_until
from tests.transport.console.conftest import sign_in, take_over, violations


async def test_a_move_is_planned_ordered_and_followed_to_its_end(signed_in: Page, api: Api) -> None:
    page = signed_in
    await api.sign_up("mage")
    await page.goto("/console/fleet")
    await expect(page.get_by_text("Players online")).to_be_visible()
    await expect(page.locator(".chart canvas").first).to_be_visible()
    assert not await violations(page)
    await page.get_by_role("link", name="Slots and moves").click()
    await expect(page.get_by_role("img", name="players: one 32, two 32")).to_be_visible()
    await page.get_by_role("button", name="Move slots…").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Slots").fill("0-2")
    await dialog.get_by_label("To", exact=True).select_option("two")
    await dialog.get_by_label("Reason").fill("a test")
    await dialog.get_by_role("button", name="Preview").click()
    await expect(dialog).to_contain_text("3 slots in one move")
    assert not await violations(page)
    button = dialog.get_by_role("button", name="Move", exact=True)
    await expect(button).to_be_disabled()
    await dialog.get_by_label("to confirm").fill("3")
    await button.click()
    await expect(dialog).to_have_count(0)
    move = page.locator("tr[data-move]")
    await expect(move).to_contain_text("one → two")
    await expect(move).to_contain_text("3 moved", timeout=60_000)
    await expect(page.get_by_role("img", name="players: one 29, two 35")).to_be_visible()
    assert not await violations(page)
    await page.get_by_role("link", name="Boards and seasons").click()
    await page.get_by_role("button", name="Check exp").click()
    await expect(page.get_by_text("compared, 0 differ")).to_be_visible()
    await page.get_by_role("button", name="Rewards of dragons_weekly").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Nobody has scored yet")
    assert not await violations(page)


async def test_a_database_without_slots_is_drained(signed_in: Page, api: Api, node: InProcessNode) -> None:
    page, membership = signed_in, node.core.sharding.membership
    ordered = await api.ask("POST", "/admin/v1/databases/two/drain", token=ADMIN_KEY, body={"reason": "a test"})
    assert ordered.status == 200, ordered.body

    async def is_empty() -> bool:
        return not any(member.slots for member in await membership.listed() if member.database == "two")

    await wait_until(is_empty, what="two has no slots", seconds=60)
    await membership.keep("two")
    await page.goto("/console/fleet")
    await page.get_by_role("button", name="Drain two…").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Reason").fill("a test")
    await dialog.get_by_role("button", name="Preview").click()
    await expect(dialog).to_contain_text("It has no slots to move.")
    button = dialog.get_by_role("button", name="Drain", exact=True)
    await expect(button).to_be_disabled()
    await dialog.get_by_label("to confirm").fill("0")
    await button.click()
    await expect(page.get_by_text("No slot had to be moved.")).to_be_visible()
    assert all(member.draining for member in await membership.listed() if member.database == "two")
    await page.get_by_role("button", name="Take the drain of two back…").click()
    await dialog.get_by_label("Reason").fill("a test")
    await dialog.get_by_role("button", name="Preview").click()
    await expect(dialog).to_contain_text("players: it owns 0 slots")
    assert not await violations(page)
    await dialog.get_by_role("button", name="Take it back").click()
    await expect(page.get_by_text("two may be given slots again.")).to_be_visible()
    await expect(page.get_by_role("button", name="Drain two…")).to_be_visible()
    assert not any(member.draining for member in await membership.listed())


async def test_a_board_is_rebuilt_for_a_reason_by_operators_alone(
    signed_in: Page, node: InProcessNode, api: Api, tmp_path: Path
) -> None:
    page = signed_in
    await api.sign_up("mage")
    await page.goto("/console/fleet?tab=boards")
    await page.get_by_role("button", name="Rebuild exp…").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Reason").fill("a test")
    assert not await violations(page)
    await page.screenshot(path=tmp_path / "rebuild.png")
    await dialog.get_by_role("button", name="Rebuild", exact=True).click()
    await expect(page.get_by_text("exp is being rebuilt.")).to_be_visible()
    entries = (await api.admin("audit", action="board_rebuild")).body["entries"]
    assert [(each["target"], each["reason"]) for each in entries] == [("exp", "a test")]
    _, secret = await admins.make(node.core.commands.admins, "tests", NewKey("reader", Role.VIEWER), "a test")
    await take_over(page, secret)
    await page.goto("/console/fleet?tab=boards")
    await expect(page.get_by_role("button", name="Check exp")).to_be_visible()
    await expect(page.get_by_role("button", name="Rebuild exp…")).to_have_count(0)


async def test_a_node_is_drained_and_takes_new_work_again(signed_in: Page, settings: Settings, tmp_path: Path) -> None:
    page = signed_in
    chosen = settings.node.model_copy(update={"name": "b", "port": free_port(), "drain_seconds": 1})
    async with AsyncExitStack() as stack:
        await start_node(stack, settings.model_copy(update={"node": chosen}))
        await page.goto("/console/fleet")
        await page.get_by_role("button", name="Drain b…").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Reason").fill("a test")
        await dialog.get_by_role("button", name="Preview").click()
        await expect(dialog).to_contain_text("0 players on 0 sockets will be sent to other nodes.")
        assert not await violations(page)
        await dialog.get_by_role("button", name="Drain", exact=True).click()
        await expect(page.get_by_text("b drains.")).to_be_visible()
        back = page.get_by_role("button", name="Let b take new work…")
        await expect(back).to_be_focused()
        await expect(page.get_by_role("row").filter(has=back)).to_contain_text("draining")
        assert not await violations(page)
        await page.screenshot(path=tmp_path / "fleet.png", full_page=True)
        await page.set_viewport_size({"width": 390, "height": 844})
        await is_no_wider_than_its_window(page)
        await back.click()
        await dialog.get_by_label("Reason").fill("a test")
        await dialog.get_by_role("button", name="Take new work").click()
        await expect(page.get_by_text("b takes new work.")).to_be_visible()
        await expect(page.get_by_role("button", name="Drain b…")).to_be_visible()


async def test_a_viewer_sees_the_fleet_and_orders_nothing(page: Page, node: InProcessNode) -> None:
    _, secret = await admins.make(node.core.commands.admins, "tests", NewKey("reader", Role.VIEWER), "a test")
    await sign_in(page, secret)
    await page.goto("/console/fleet")
    await expect(page.get_by_role("row", name="two primary")).to_be_visible()
    for name in ("Move slots…", "Rebalance…", "Drain"):
        await expect(page.get_by_role("button", name=name)).to_have_count(0)


async def test_a_restarted_node_has_no_rates_of_two_processes_and_charts_say_which_nodes_they_lack(
    signed_in: Page,
) -> None:
    page, answers = signed_in, 0

    async def answer(route: Route) -> None:
        nonlocal answers
        answers += 1
        real = await route.fetch()
        found = await real.json()
        [node] = found["nodes"]
        # Every second process is another one, which has been up for longer at its answer and has used less so far.
        figures = {**node["figures"], "up_seconds": 1000 + answers, "processor_seconds": 900 - answers * 50}
        restarted = {**node, "name": "r", "figures": figures, "started_at": f"2026-01-01T00:00:0{answers % 10}Z"}
        others = [{**node, "name": f"n{number}", "address": f"127.0.0.9:{number}"} for number in range(8)]
        await route.fulfill(json={**found, "nodes": [restarted, *others]})

    await page.route("**/admin/v1/fleet", answer)
    await page.goto("/console/fleet")
    await expect(page.get_by_text("The charts show 8 of 9 nodes")).to_be_visible()
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="r", exact=True))
    await expect(row.get_by_role("cell", name="–", exact=True)).to_have_count(4)
    await expect(page.get_by_role("row", name="n7").first).to_contain_text("%")


async def test_a_viewer_sees_who_would_be_rewarded_without_links(page: Page, node: InProcessNode) -> None:
    _, secret = await admins.make(node.core.commands.admins, "tests", NewKey("reader", Role.VIEWER), "a test")
    await sign_in(page, secret)

    async def answer(route: Route) -> None:
        found = await (await route.fetch()).json()
        place = {"rank": 1, "score": 5, "player": "7", "name": "Ann", "reward": {"exp": 5}}
        places = [
            {**place, "rank": rank}
            for rank in range(1, 1 + int(parse_qs(urlsplit(route.request.url).query)["limit"][0]))
        ]
        await route.fulfill(json={**found, "places": places, "rewarded": {"players": 5000, "exp": 25_000}})

    await page.route("**/admin/v1/seasons/*/preview*", answer)
    await page.goto("/console/fleet?tab=boards")
    await page.get_by_role("button", name="Rewards of dragons_weekly").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("cell", name="Ann", exact=True)).to_have_count(100)
    await expect(dialog.get_by_text("5,000 players would be rewarded, with 25,000 EXP in all.")).to_be_visible()
    await expect(dialog.get_by_role("link")).to_have_count(0)
    await dialog.get_by_role("button", name="Show 1,000").press("Enter")
    await expect(dialog.get_by_text("These are the best 1,000.")).to_be_visible()
    assert not await violations(page)


async def test_without_redis_databases_slots_and_moves_are_drawn_and_the_nodes_figures_have_their_age(
    signed_in: Page, tmp_path: Path
) -> None:
    page, is_away = signed_in, True

    async def answer(route: Route) -> None:
        found = await (await route.fetch()).json()
        await route.fulfill(json={**found, "nodes": None} if is_away else found)

    await page.route("**/admin/v1/fleet", answer)
    await page.goto("/console/fleet")
    await expect(page.get_by_text("Redis is away: which nodes are alive isn't known.")).to_be_visible()
    await expect(page.get_by_role("row", name="two primary")).to_be_visible()
    await expect(page.get_by_role("button", name="Drain two…")).to_be_visible()
    assert not await violations(page)
    await page.screenshot(path=tmp_path / "away.png", full_page=True)
    is_away = False
    await expect(page.get_by_text("Players online")).to_be_visible()
    await expect(page.get_by_text("Redis is away")).to_have_count(0)
    is_away = True
    await expect(page.get_by_text("Redis is away: what is shown of the nodes is from ")).to_be_visible()
    await expect(page.get_by_text("Players online")).to_be_visible()
    assert not await violations(page)
    await page.set_viewport_size({"width": 390, "height": 844})
    await is_no_wider_than_its_window(page)
    await page.goto("/console/fleet?tab=slots")
    await expect(page.get_by_role("img", name="players: one 32, two 32")).to_be_visible()
    await expect(page.get_by_text("There were none in the last 30 days.")).to_be_visible()
    await page.get_by_role("button", name="Move slots…").click()
    await expect(page.get_by_role("dialog").get_by_label("To", exact=True)).to_have_value("one")


async def test_figures_that_are_no_longer_read_say_from_when_they_are(signed_in: Page) -> None:
    page, is_away = signed_in, False

    async def answer(route: Route) -> None:
        await (route.abort() if is_away else route.continue_())

    await page.clock.install()
    for asked in ("slots", "moves"):
        await page.route(f"**/admin/v1/{asked}", answer)
    await page.goto("/console/fleet?tab=slots")
    await expect(page.get_by_role("img", name="players: one 32, two 32")).to_be_visible()
    await expect(page.get_by_text("There were none in the last 30 days.")).to_be_visible()
    await expect(page.get_by_text("What is shown is from ")).to_have_count(0)
    is_away = True
    await page.clock.fast_forward(30_000)
    await expect(page.get_by_text("What is shown is from ")).to_have_count(2)
    is_away = False
    await page.clock.fast_forward(5_000)
    await expect(page.get_by_text("What is shown is from ")).to_have_count(0)


async def test_a_replica_is_as_old_as_the_node_says_that_sees_least_of_it(signed_in: Page) -> None:
    page = signed_in

    async def answer(route: Route) -> None:
        found = await (await route.fetch()).json()
        [node] = found["nodes"]

        def seen(age: float | None, behind: int) -> list[dict[str, object]]:
            bad: dict[str, object] = {"database": "two", "replica": "two_1", "age_seconds": age, "behind_bytes": behind}
            return [bad, {"database": "two", "replica": "two_2", "age_seconds": 0.1, "behind_bytes": 0}]

        nodes = [
            {
                **node,
                "name": f"n{number}",
                "address": f"127.0.0.9:{number}",
                "figures": {
                    **node["figures"],
                    "replicas": seen(age, behind),
                    "followers": [{"database": "two", "age_seconds": lag}],
                },
            }
            for number, (age, behind, lag) in enumerate([(0.2, 0, 0.1), (42.0, 2048, 7.0), (0.3, 1, 0.2)])
        ]
        if lost:
            nodes[2]["figures"]["replicas"] = seen(None, 0)
        await route.fulfill(json={**found, "nodes": nodes})

    lost = False
    await page.route("**/admin/v1/fleet", answer)
    await page.goto("/console/fleet")
    row = page.get_by_role("row", name="two primary")
    await expect(row).to_contain_text("two_1: 42.0 s, 2.0 KiB behind")
    await expect(row).to_contain_text("two_2: 100 ms, 0 B behind")
    await expect(row.get_by_role("cell", name="7.0 s", exact=True)).to_be_visible()
    lost = True
    await expect(row).to_contain_text("two_1: away from 1 of 3 nodes")


async def test_seasons_are_read_again_and_the_old_ones_page_by_page(signed_in: Page) -> None:
    page, states, limits = signed_in, ["running"], list[int]()
    season = {"board": "weekly", "state": "closed", "start": "2026-01-01T00:00:00Z", "end": "2026-01-08T00:00:00Z",
              "players": 3}  # fmt: skip

    async def answer(route: Route) -> None:
        limit = int(parse_qs(urlsplit(route.request.url).query)["limit"][0])
        limits.append(limit)
        old = [{**season, "start": f"20{year:02}-01-01T00:00:00Z"} for year in range(100)]
        listed = [*old, *old, {**season, "board": "now", "state": states[-1]}][-limit:]
        await route.fulfill(json={"seasons": listed, "more": limit < 201})

    await page.route("**/admin/v1/seasons?*", answer)
    await page.clock.install()
    await page.goto("/console/fleet?tab=boards")
    now = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="now"))
    await expect(now).to_contain_text("running")
    states.append("closed")
    await page.clock.run_for(11_000)
    await expect(now).to_contain_text("closed")
    rows = page.get_by_role("region", name="Seasons").get_by_role("rowheader")
    await expect(rows).to_have_count(100)
    for count in (200, 201):
        await page.get_by_role("button", name="Show more seasons").press("Enter")
        await expect(rows).to_have_count(count)
    await expect(page.get_by_role("button", name="Show more seasons")).to_have_count(0)
