"""The fleet as operators see it over HTTP, and moves that they order there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import pytest

from gameserver.config.settings import Settings
from gameserver.stack.processes.ports import free_port
from gameserver.storage.operators import reports
from gameserver.storage.postgres.database import REPORTS
from tests.support.client import ADMIN_KEY, Answer, Api, command_id
from tests.support.deployment import connected
from tests.support.freezing import frozen
from tests.support.nodes import InProcessNode, start_node
from tests.support.servers import Servers
from tests.support.wait import wait_until
from tests.transport.http.test_every_write import both_sides

pytestmark = pytest.mark.own_node


async def admin(api: Api, method: str, path: str, key: str | None = None, **body: object) -> Answer:
    return await api.ask(method, f"/admin/v1/{path}", token=ADMIN_KEY, body=body or None, key=key)


async def moved(api: Api, ids: list[int]) -> list[dict[str, Any]]:
    """The moves, once all are over."""

    async def ends() -> list[dict[str, Any]]:
        moves = (await admin(api, "GET", "moves")).body["moves"]
        found = [move for move in moves if move["id"] in ids]
        return found if all(move["ended_at"] for move in found) else []

    await wait_until(ends, what="the moves are over", seconds=60)
    return await ends()


async def owned(api: Api, database: str) -> int:
    members = (await admin(api, "GET", "fleet")).body["members"]
    return int(next(each["slots"] for each in members if (each["group"], each["database"]) == ("players", database)))


async def test_every_node_tells_how_it_is(node: InProcessNode, settings: Settings, api: Api) -> None:
    who = await api.sign_up()
    await api.act(who)
    async with AsyncExitStack() as stack:
        other = settings.model_copy(
            update={"node": settings.node.model_copy(update={"port": free_port(), "name": "b"})}
        )
        await start_node(stack, other)

        async def told() -> dict[str, dict[str, object]]:
            nodes = {each["name"]: each for each in (await admin(api, "GET", "fleet")).body["nodes"]}
            told = [each["figures"] for each in nodes.values() if each["figures"]]
            return nodes if len(told) == 2 and all(sum(each["actions"]) and each["followers"] for each in told) else {}

        await wait_until(told, what="both nodes have told their figures, the action's and the followers' too")
        nodes = await told()
    answer = (await admin(api, "GET", "fleet")).body
    for each in nodes.values():
        figures = each["figures"]
        assert isinstance(figures, dict)
        assert len(figures["requests"]) == len(figures["actions"]) == len(answer["bounds"]) + 1
        assert figures["processor_seconds"] > 0
        assert {follower["database"] for follower in figures["followers"]} == {"one", "two"}


async def test_the_fleet_is_told_without_its_nodes_while_redis_is_silent(api: Api, servers: Servers) -> None:
    with frozen(servers.redis):
        told = await admin(api, "GET", "fleet")
    assert (told.status, told.body["nodes"]) == (200, None), told.body
    assert {each["database"] for each in told.body["members"]} == {"one", "two"}


async def test_slots_are_moved_as_previewed_and_an_order_that_is_sent_again_changes_nothing(api: Api) -> None:
    who = await api.sign_up()
    order = {"group": "players", "slots": "0-3", "target": "two", "reason": "a test"}
    before = await owned(api, "two")
    other = (await admin(api, "POST", "moves?preview=true", **{**order, "slots": "0-2"})).body["plan"]
    first = await admin(api, "POST", "moves?preview=true", **order)
    assert first.status == 200, first.body
    refused = await admin(api, "POST", "moves", **order, expected_plan=other)
    assert (refused.status, refused.code) == (409, "conflict"), refused.body
    assert first.body["ids"] == []
    [planned] = first.body["moves"]
    assert (planned["source"], planned["target"]) == ("one", "two")
    assert (await admin(api, "GET", "moves")).body["moves"] == []
    key = command_id()
    ordered = await admin(api, "POST", "moves", key, **order, expected_plan=first.body["plan"])
    assert ordered.status == 200, ordered.body
    assert ordered.body["moves"] == first.body["moves"]
    ids = ordered.body["ids"]
    assert (await admin(api, "POST", "moves", key, **order)).body == ordered.body
    [over] = await moved(api, ids)
    assert (over["step"], over["moved"], over["kept"], over["slots"]) == ("done", planned["count"], 0, planned["slots"])
    assert (await admin(api, "POST", "moves", key, **order)).body == ordered.body, "also when it is over"
    for other in ({"slots": "4-5"}, {"target": "one"}, {"group": "accounts"}):
        mismatch = await admin(api, "POST", "moves", key, **{**order, **other})
        assert (mismatch.status, mismatch.code) == (422, "command_mismatch"), other
    drained = await admin(api, "POST", "databases/two/drain", key, reason="a test")
    assert (drained.status, drained.code) == (422, "command_mismatch")
    assert await owned(api, "two") == before + planned["count"]
    again = await admin(api, "POST", "moves", **order)
    assert (again.status, again.code) == (409, "conflict")
    assert (await api.act(who)).status == 200
    entry = (await admin(api, "GET", "audit?action=slots_move")).body["entries"][0]
    assert (entry["ended"], entry["after"], entry["command_id"], entry["reason"]) == (
        "done",
        {**entry["before"], "moves": ids},
        key,
        "a test",
    )
    members = entry["before"]["databases"]
    assert [(each["database"], each["draining"]) for each in members] == [("one", False), ("two", False)]
    assert members[1]["slots"] == before
    balance = {"group": "players", "reason": "a test"}
    ordered = await admin(api, "POST", "moves", **balance)
    assert sum(move["count"] for move in ordered.body["moves"]) == planned["count"]
    await moved(api, ordered.body["ids"])
    assert await owned(api, "two") == before


async def test_a_drain_is_ordered_and_cancelled_and_the_last_database_has_none(api: Api) -> None:
    held = await owned(api, "two")
    foreseen = await admin(api, "POST", "databases/two/drain?preview=true", reason="a test")
    assert foreseen.status == 200, foreseen.body
    assert {move["source"] for move in foreseen.body["moves"]} == {"two"}
    plan = foreseen.body["plan"]
    other = await admin(api, "POST", "databases/two/drain", reason="a test", expected_plan=plan[::-1])
    assert (other.status, other.code) == (409, "conflict"), other.body
    ordered = await admin(api, "POST", "databases/two/drain", command_id(), reason="a test", expected_plan=plan)
    assert ordered.status == 200, ordered.body
    assert ordered.body["moves"] == foreseen.body["moves"]
    for move_id in ordered.body["ids"]:
        assert (await admin(api, "POST", f"moves/{move_id}/cancel", reason="a test")).body["cancelled"]
    (drain,) = (await admin(api, "GET", "audit?action=database_drain")).body["entries"]
    mine = [each for each in drain["before"]["databases"] if (each["group"], each["database"]) == ("players", "two")]
    assert mine == [{"group": "players", "database": "two", "slots": held, "draining": False}]
    assert {each["draining"] for each in drain["after"]["databases"] if each["database"] == "two"} == {True}
    for entry in (await admin(api, "GET", "audit?action=slots_cancel")).body["entries"]:
        both_sides(entry)
        assert (entry["before"]["cancelled"], entry["after"]["cancelled"]) == (False, True)
        assert entry["before"]["slots"] == entry["after"]["slots"] > 0
    ended = await moved(api, ordered.body["ids"])
    assert {move["moved"] + move["kept"] for move in ended} == {move["count"] for move in ended}
    assert await owned(api, "two") == held - sum(move["moved"] for move in ended)
    over = await admin(api, "POST", f"moves/{ordered.body['ids'][0]}/cancel", reason="a test")
    assert over.body["cancelled"], "asked for again, it stays cancelled"
    last = await admin(api, "POST", "databases/one/drain", reason="a test")
    assert (last.status, last.code) == (409, "conflict")
    assert "last database" in last.body["detail"]


async def test_a_drain_is_taken_back_once_and_what_it_has_ordered_goes_on(api: Api) -> None:
    path, why = "databases/two/drain", "?reason=a%20test"
    drained = await admin(api, "POST", path, reason="a test")
    foreseen = await admin(api, "DELETE", f"{path}{why}&preview=true")
    assert (foreseen.status, foreseen.body["ordered"]) == (200, False), foreseen.body
    assert {each["database"]: each["draining"] for each in foreseen.body["members"]} == {"two": True}
    assert set(foreseen.body["moves"]) <= set(drained.body["ids"])
    key = command_id()
    kept = [await admin(api, "DELETE", f"{path}{why}", key) for _ in range(2)]
    assert [each.status for each in kept] == [200, 200], kept
    assert {each["draining"] for answer in kept for each in answer.body["members"]} == {False}
    entries = (await admin(api, "GET", "audit?action=database_keep")).body["entries"]
    assert [(each["target"], each["before"], each["after"], each["reason"]) for each in entries] == [
        ("two", {"draining": True}, {"draining": False}, "a test")
    ]
    assert (await admin(api, "DELETE", f"databases/one/drain{why}", key)).code == "command_mismatch"
    assert (await admin(api, "DELETE", f"databases/nothing/drain{why}")).code == "conflict"
    assert (await admin(api, "DELETE", path)).status == 422, "a reason is needed"
    await moved(api, drained.body["ids"])


async def test_a_drain_of_no_slots_that_is_sent_again_is_planned_and_recorded_once(api: Api) -> None:
    drained = await admin(api, "POST", "databases/two/drain", reason="a test")
    await moved(api, drained.body["ids"])
    key = command_id()
    ordered = [await admin(api, "POST", "databases/two/drain", key, reason="it is empty") for _ in range(2)]
    assert [(each.status, each.body["moves"], each.body["ids"]) for each in ordered] == [(200, [], [])] * 2
    entries = (await admin(api, "GET", f"audit?command_id={key}")).body["entries"]
    assert [(entry["action"], entry["after"]["moves"]) for entry in entries] == [("database_drain", [])]
    order = {"group": "players", "slots": "0-3", "target": "one", "reason": "a test"}
    for path, body in (("moves", order), ("databases/one/drain", {"reason": "a test"})):
        other = await admin(api, "POST", path, key, **body)
        assert (other.status, other.code) == (422, "command_mismatch"), other.body


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"group": "players", "slots": "0-3"}, 422),
        ({"group": "players", "target": "one"}, 422),
        ({"group": "players", "slots": "3-0", "target": "one"}, 422),
        ({"group": "players", "slots": "x", "target": "one"}, 422),
        ({"group": "players", "slots": "0-9999", "target": "one"}, 409),
        ({"group": "nothing", "slots": "0", "target": "one"}, 409),
        ({"group": "players", "slots": "0", "target": "nothing"}, 409),
        ({"group": "players"}, 409),
    ],
)
async def test_what_cant_be_moved_is_refused_with_the_reason(api: Api, body: dict[str, str], status: int) -> None:
    for path in ("moves", "moves?preview=true"):
        answer = await admin(api, "POST", path, **body, reason="a test")
        assert answer.status == status, answer.body
    assert (await admin(api, "GET", "moves")).body["moves"] == []
    assert not [e for e in (await admin(api, "GET", "audit")).body["entries"] if e["action"].startswith("slots")]


async def test_an_order_whose_command_id_is_too_old_is_refused(api: Api) -> None:
    key = command_id(seconds_ago=4 * 24 * 3600)
    for path, body in (("moves", {"group": "players", "slots": "0-3", "target": "two"}), ("databases/two/drain", {})):
        answer = await admin(api, "POST", path, key, **body, reason="a test")
        assert (answer.status, answer.code) == (422, "command_expired"), answer.body
    assert (await admin(api, "GET", "moves")).body["moves"] == []


async def test_a_move_that_isnt_there_cant_be_cancelled(api: Api) -> None:
    for move in ("1", "0", "-1", "x", "9" * 30, "01", "%2B1", "1%20", "0" * 19 + "1" * 4400):
        assert (await admin(api, "POST", f"moves/{move}/cancel", reason="a test")).status == 404
    assert (await admin(api, "POST", "databases/nothing/drain", reason="a test")).status == 409


async def test_a_seasons_rewards_are_told_before_it_ends(api: Api) -> None:
    who = await api.sign_up("mage")
    await api.act(who)
    seasons = (await admin(api, "GET", "seasons")).body["seasons"]
    weekly = next(season for season in seasons if season["board"] == "dragons_weekly")
    assert (weekly["state"], weekly["players"]) == ("running", None)
    preview = await admin(api, "GET", "seasons/dragons_weekly/preview?limit=5")
    assert preview.status == 200, preview.body
    assert preview.body["season"] == weekly
    assert (await admin(api, "GET", "seasons/nothing/preview")).code == "board_not_found"
    newest = (await admin(api, "GET", "seasons?limit=1")).body
    assert (len(newest["seasons"]), newest["more"]) == (1, len(seasons) > 1)
    assert newest["seasons"][0]["state"] == "running", "what isn't over is shown first"


PREVIEW = "seasons/dragons_weekly/preview?limit=5"
SOON, LONG = 0.3, 20.0
"""Seconds: soon over, and far longer than the test waits."""
WAITING = """
select count(*) from pg_stat_activity
where state = 'active' and wait_event_type = 'Lock' and query like '%order by $3::bigint * s.score%'
"""


@asynccontextmanager
async def slow_scores(node: InProcessNode) -> AsyncIterator[asyncpg.Connection]:
    """Within the block, a read of one database's scores takes as long as the block; gives a connection to look on."""

    async def is_running() -> bool:
        records = await node.core.rooms.seasons.records.all()
        return ("dragons_weekly", "running") in [(record.board, record.state) for record in records]

    await wait_until(is_running, what="the season has begun")
    url = node.core.databases["one"].url
    async with connected(url) as holder, connected(url) as looking, holder.transaction():
        await holder.execute("lock table scores in access exclusive mode")
        yield looking


async def waiting(looking: asyncpg.Connection, count: int) -> None:
    async def are_so_many() -> bool:
        return bool(await looking.fetchval(WAITING) == count)

    await wait_until(are_so_many, what=f"{count} previews wait for the scores")


async def test_previews_of_a_season_take_the_turns_of_reports(
    node: InProcessNode, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "SECONDS", LONG)
    async with slow_scores(node) as looking:
        first = [asyncio.create_task(admin(api, "GET", PREVIEW)) for _ in range(REPORTS)]
        await waiting(looking, REPORTS)
        monkeypatch.setattr(reports, "SECONDS", SOON)
        for path in (PREVIEW, "rankings"):
            another = await asyncio.wait_for(admin(api, "GET", path), LONG / 2)
            assert (another.status, another.code, "Retry-After" in another.headers) == (503, "overloaded", True)
    assert [answer.status for answer in await asyncio.gather(*first)] == [200] * REPORTS


async def test_a_preview_that_takes_too_long_is_given_up_and_leaves_no_statement(
    node: InProcessNode, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "SECONDS", SOON)
    async with slow_scores(node) as looking:
        answer = await asyncio.wait_for(admin(api, "GET", PREVIEW), LONG / 2)
        assert (answer.status, answer.code, "Retry-After" in answer.headers) == (503, "database_unavailable", True)
        await waiting(looking, 0)
    monkeypatch.undo()
    assert (await admin(api, "GET", PREVIEW)).status == 200
