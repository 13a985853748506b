"""Operators correct players: values, one action undone, everything since a moment; each as its preview has said."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gameserver.commands import board_repair
from gameserver.config.settings import Settings
from gameserver.rules.errors import BoardUnavailable
from tests.support.client import ADMIN_KEY, Answer, Api, Signed, command_id
from tests.support.deployment import assert_ledger_explains, with_actions
from tests.support.nodes import InProcessNode, start_node
from tests.support.wait import wait_until
from tests.transport.doors import fields_of

pytestmark = pytest.mark.own_node

BOARDS = """
[boards.best]
score = "points:dragons"
operator = "best"
"""
STRONG = 600_000
"""EXP with which a player beats dragons."""
ALL_BOARDS = ("exp", "mage", "warrior", "dragons", "dragons_weekly", "best")


@pytest.fixture
async def node(settings: Settings, tmp_path: Path) -> AsyncIterator[InProcessNode]:
    async with AsyncExitStack() as stack:
        yield await start_node(stack, with_actions(settings, tmp_path, BOARDS))


async def change(
    api: Api, who: Signed, what: str, *, preview: bool = False, key: str | None = None, **fields: Any
) -> Answer:
    path = f"/admin/v1/players/{who.id}/{what}" + ("?preview=true" if preview else "")
    return await api.ask("POST", path, token=ADMIN_KEY, body={"reason": "a test", **fields}, key=key)


async def done(api: Api, who: Signed, what: str, **fields: Any) -> dict[str, Any]:
    answer = await change(api, who, what, **fields)
    assert answer.status == 200, answer.body
    body: dict[str, Any] = answer.body
    return body


async def me(api: Api, who: Signed) -> dict[str, Any]:
    body: dict[str, Any] = (await api.ask("GET", "/v1/players/me", token=who.token)).body
    return {name: body[name] for name in ("class", "level", "hp", "exp")}


async def items(api: Api, who: Signed) -> dict[str, int]:
    body = (await api.ask("GET", "/v1/players/me/items", token=who.token)).body
    return {stack["item"]: stack["count"] for stack in body["items"] if stack["count"]}


async def place(api: Api, board: str, who: Signed) -> tuple[int, int] | None:
    """Rank and score."""
    answer = await api.ask("GET", f"/v1/boards/{board}/ranks/{who.id}")
    if answer.code == "not_on_board":
        return None
    if answer.code == "board_unavailable":  # it is being built
        return 0, 0
    assert answer.status == 200, answer.body
    return answer.body["entry"]["rank"], answer.body["entry"]["score"]


async def placed(api: Api, board: str, who: Signed, expected: tuple[int, int] | None) -> None:
    async def is_there() -> bool:
        return await place(api, board, who) == expected

    await wait_until(is_there, what=f"{who.name} is at {expected} on {board}")


async def slain(api: Api, who: Signed) -> Answer:
    """The first hunt of a dragon that is won, from full HP."""
    while True:
        await done(api, who, "corrections", exp=STRONG + 1)
        await done(api, who, "corrections", exp=STRONG, hp=900)
        answer = await api.act(who, foe="dragon", key=command_id())
        assert answer.status == 200, answer.body
        if answer.body["events"][0]["won"]:
            return answer


async def assert_boards_agree(node: InProcessNode) -> None:
    for board in ALL_BOARDS:
        await wait_until(partial(_agrees, node, board), what=f"{board} agrees with the databases")


async def _agrees(node: InProcessNode, board: str) -> bool:
    with contextlib.suppress(BoardUnavailable):
        context = node.core.commands.board_repair
        _, report = await board_repair.check(context, board, "current", 1000, repair=False)
        return not report.differences
    return False


async def test_a_corrected_value_counts_everywhere(api: Api, node: InProcessNode) -> None:
    first, second = await api.sign_up("mage"), await api.sign_up("mage")
    await done(api, first, "corrections", exp=100)
    answer = await done(api, second, "corrections", exp=1000, hp=7, items={"potion": 3})
    assert answer["changes"]["exp"] == {"before": 0, "after": 1000}
    assert answer["items"] == {"potion": 3}
    assert await me(api, second) == {"class": "mage", "level": answer["player"]["level"], "hp": 7, "exp": 1000}
    assert await items(api, second) == {"potion": 3}
    await placed(api, "exp", second, (1, 1000))
    await done(api, second, "corrections", **{"class": "warrior"}, exp=50, items={"potion": -2})
    await placed(api, "exp", second, (2, 50))
    await placed(api, "warrior", second, (1, 50))
    await placed(api, "mage", second, None)
    assert await items(api, second) == {"potion": 1}
    await assert_boards_agree(node)
    await assert_ledger_explains(node.core, int(second.id))


async def test_a_preview_changes_nothing_and_says_what_happens(api: Api) -> None:
    who, others = await api.sign_up("mage"), [await api.sign_up("mage") for _ in range(3)]
    for number, other in enumerate(others):
        await done(api, other, "corrections", exp=100 * (number + 1))
        await placed(api, "exp", other, (1, 100 * (number + 1)))
    await placed(api, "exp", who, (4, 0))
    await placed(api, "mage", who, (4, 0))
    before = await me(api, who)
    shown = await done(api, who, "corrections", preview=True, exp=200)
    ranks = {rank["board"]: (rank["before"], rank["after"]) for rank in shown["ranks"]}
    assert ranks == {"exp": (4, 3), "mage": (4, 3)}, "behind the one that had 200 before"
    assert (shown["preview"], shown["player"]["exp"]) == (True, 200)
    assert await me(api, who) == before
    assert (await api.admin("audit")).body["entries"][0]["target"] != who.id
    carried_out = await done(api, who, "corrections", exp=200)
    assert {**carried_out["player"], "created_at": ""} == {**shown["player"], "created_at": ""}
    await placed(api, "exp", who, (3, 200))


async def test_an_action_is_undone_with_all_it_gave(api: Api, node: InProcessNode) -> None:
    who = await api.sign_up("warrior")
    before = command_id()
    deed = await slain(api, who)
    await placed(api, "dragons", who, (1, 1))
    await placed(api, "best", who, (1, 1))
    rested = await api.act(who, "rest")
    assert rested.status == 200, rested.body
    given = await items(api, who)
    undone = await done(api, who, "undo", command_id=deed.body["command_id"])
    assert undone["changes"]["exp"]["after"] == STRONG
    assert undone["items"] == {item: -count for item, count in given.items()}
    assert {(score["board"], score["before"], score["after"]) for score in undone["scores"]} == {
        ("best", 1, None), ("dragons", 1, None), ("dragons_weekly", 1, None)
    }  # fmt: skip
    assert (await me(api, who))["exp"] == STRONG
    assert await items(api, who) == {}
    for board in ("dragons", "dragons_weekly", "best"):
        await placed(api, board, who, None)
    assert (await change(api, who, "undo", command_id=deed.body["command_id"])).code == "not_undoable"
    assert (await change(api, who, "undo", command_id=before)).code == "state_unknown"

    again = await done(api, who, "undo", command_id=undone["command_id"])
    assert again["items"] == given
    assert (await me(api, who))["exp"] == deed.body["player"]["exp"]
    for board in ("dragons", "dragons_weekly", "best"):
        await placed(api, board, who, (1, 1))
    await assert_boards_agree(node)
    await assert_ledger_explains(node.core, int(who.id))


async def state(api: Api, who: Signed, at: str) -> dict[str, Any]:
    body: dict[str, Any] = (await api.ask("GET", f"/admin/v1/players/{who.id}/state?at={at}", token=ADMIN_KEY)).body
    return body


async def test_a_past_moment_has_the_items_and_the_scores_in_the_season_of_then(api: Api) -> None:
    who = await api.sign_up("warrior")
    deed = await slain(api, who)
    at = (await api.admin(f"players/{who.id}/ledger", limit=1)).body["entries"][0]["at"]
    before = await state(api, who, "2999-01-01T00:00:00Z")
    assert {score["board"]: score["score"] for score in before["scores"]} == {
        "dragons": 1,
        "dragons_weekly": 1,
        "best": 1,
    }
    assert {stack["item"]: stack["count"] for stack in before["items"]} == await items(api, who)
    await done(api, who, "undo", command_id=deed.body["command_id"])
    then = await state(api, who, at.replace("Z", "999Z"))
    assert then["command_id"] == deed.body["command_id"]
    assert (then["items"], then["scores"], then["unknown"]) == (before["items"], before["scores"], [])
    now = await state(api, who, "2999-01-01T00:00:00Z")
    assert (now["items"], now["scores"], now["unknown"]) == ([], [], [])


async def test_a_player_is_rolled_back_to_a_moment_and_forth_again(api: Api, node: InProcessNode) -> None:
    who = await api.sign_up("warrior")
    first = await slain(api, who)
    then, had = await me(api, who), await items(api, who)
    moment = (await api.ask("GET", "/v1/players/me/ledger?limit=1", token=who.token)).body["entries"][0]["at"]
    assert first.status == 200
    moment = moment.replace("Z", "999Z")  # to the end of the millisecond
    await slain(api, who)
    await done(api, who, "corrections", **{"class": "mage"}, items={"potion": 2})
    later, has = await me(api, who), await items(api, who)
    await placed(api, "dragons", who, (1, 2))

    shown = await done(api, who, "rollback", preview=True, to=moment)
    back = await done(api, who, "rollback", to=moment)
    assert {**shown, "preview": 0, "version": 0, "ranks": 0, "command_id": 0} == {
        **back, "preview": 0, "version": 0, "ranks": 0, "command_id": 0
    }  # fmt: skip
    assert await me(api, who) == then
    assert await items(api, who) == had
    await placed(api, "dragons", who, (1, 1))
    await placed(api, "warrior", who, (1, then["exp"]))

    await done(api, who, "undo", command_id=back["command_id"])
    assert await me(api, who) == later
    assert await items(api, who) == has
    await placed(api, "dragons", who, (1, 2))
    await placed(api, "mage", who, (1, later["exp"]))
    await assert_boards_agree(node)
    await assert_ledger_explains(node.core, int(who.id))


async def test_a_correction_takes_effect_once_among_actions(api: Api, node: InProcessNode) -> None:
    who, key = await api.sign_up("warrior"), command_id()
    changes = [change(api, who, "corrections", key=key, items={"herb": 1}, exp=77) for _ in range(3)]
    answers = await asyncio.gather(*changes, *(api.act(who, "hunt") for _ in range(20)))
    assert {answer.status for answer in answers[:3]} == {200}, [answer.body for answer in answers[:3]]
    assert [answer.body["replayed"] for answer in answers[:3]].count(False) == 1
    assert (await items(api, who)).get("herb") == 1
    rows = await assert_ledger_explains(node.core, int(who.id))
    assert [row["action"] for row in rows].count("operator:correct") == 1
    entries = (await api.admin("audit", target=who.id)).body["entries"]
    [entry] = [each for each in entries if each["ended"] == "done" and not each["after"]["replayed"]]
    assert entry["after"]["version"] == entry["before"]["version"] + 1
    assert (await change(api, who, "corrections", key=key, exp=78)).code == "command_mismatch"
    shown = (await api.ask("GET", "/v1/players/me/ledger?limit=100", token=who.token)).body["entries"]
    [own] = [each for each in shown if each["action"] == "operator:correct"]
    assert own["args"] == {}, "why an operator did something is internal"


async def test_what_doesnt_fit_is_said_and_isnt_taken_back(api: Api) -> None:
    who = await api.sign_up("mage")
    await done(api, who, "corrections", items={"potion": 50})
    shown = await done(api, who, "corrections", preview=True, items={"potion": 1000})
    given = await done(api, who, "corrections", items={"potion": 1000})
    for answer in (shown, given):
        assert answer["items"] == {"potion": 49}
        assert answer["left"] == ["Of 1000 potion only 49 fit: what is beyond a full stack is lost."]
    assert (await change(api, who, "corrections", items={"potion": 1})).code == "bad_input", "nothing fits"
    undone = await done(api, who, "undo", command_id=given["command_id"])
    assert undone["items"] == {"potion": -49}
    assert await items(api, who) == {"potion": 50}


async def test_a_change_of_another_version_than_its_preview_has_shown_changes_nothing(api: Api) -> None:
    who = await api.sign_up("mage")
    given = await done(api, who, "corrections", exp=100, items={"potion": 3})
    moment = (await api.ask("GET", "/v1/players/me/ledger?limit=1", token=who.token)).body["entries"][0]["at"]
    await done(api, who, "corrections", exp=101)
    orders: list[tuple[str, dict[str, Any]]] = [
        ("corrections", {"exp": 150}),
        ("corrections", {"exp": 150, "items": {"potion": 1}}),
        ("undo", {"command_id": given["command_id"]}),
        ("rollback", {"to": moment.replace("Z", "999Z")}),
        ("name", {"name": "Brunhild II"}),
    ]
    for number, (what, fields) in enumerate(orders):
        shown = await done(api, who, what, preview=True, **fields)
        await done(api, who, "corrections", exp=110 + number)
        had, holds = await me(api, who), await items(api, who)
        key, later = command_id(), shown["version"] + 1
        assert (
            await change(api, who, what, key=key, expected_version=shown["version"], **fields)
        ).code == "player_changed"
        assert (await me(api, who), await items(api, who)) == (had, holds)
        for replayed in (False, True):
            answer = await done(api, who, what, key=key, expected_version=later, **fields)
            assert (answer["replayed"], answer["player"]["version"]) == (replayed, later + 1)
    assert fields_of((await change(api, who, "corrections", exp=1, expected_version=-1)).body) == ["expected_version"]


BAD: list[tuple[str, dict[str, Any], str, list[str]]] = [
    ("corrections", {"exp": -1}, "bad_input", ["exp"]),
    ("corrections", {"exp": 2**53}, "bad_input", ["exp"]),
    ("corrections", {"hp": 100_000}, "bad_input", ["hp"]),
    ("corrections", {"class": "bard"}, "unknown_class", ["class"]),
    ("corrections", {"items": {"sword": 1}}, "unknown_item", ["items.sword"]),
    ("corrections", {"items": {"herb": -1}}, "not_enough_items", []),
    ("corrections", {}, "bad_input", []),
    ("corrections", {"exp": 0}, "bad_input", ["exp"]),
    ("corrections", {"level": 5}, "bad_input", ["level"]),
    ("undo", {}, "bad_input", ["command_id"]),
    ("undo", {"command_id": "x"}, "bad_input", ["command_id"]),
    ("rollback", {"to": "yesterday"}, "bad_input", ["to"]),
    ("rollback", {"to": "2026-01-31T12:00:00"}, "bad_input", ["to"]),
    ("rollback", {"to": "2020-01-31T12:00:00Z"}, "state_unknown", []),
    ("rollback", {"to": "2999-01-31T12:00:00Z"}, "not_undoable", []),
]


async def test_what_cant_be_done_is_refused_and_changes_nothing(api: Api, node: InProcessNode) -> None:
    who = await api.sign_up("mage")
    for what, fields, code, problems in BAD:
        for preview in (True, False):
            answer = await change(api, who, what, preview=preview, **fields)
            assert (answer.code, fields_of(answer.body)) == (code, problems), (what, fields, answer.body)
    assert (await change(api, who, "corrections", reason="", exp=1)).code == "bad_input"
    assert (await api.ask("POST", f"/admin/v1/players/{who.id}/undo", token=who.token, body={})).status == 403
    nobody = Signed("5", "", "", "")
    assert (await change(api, nobody, "corrections", exp=1)).code == "player_not_found"
    assert (await me(api, who))["exp"] == 0
    assert len(await assert_ledger_explains(node.core, int(who.id))) == 1


async def test_how_far_back_a_rollback_and_an_undo_reach_is_said_with_what_to_do_instead(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = await api.sign_up("warrior")
    deeds = [(await api.act(who)).body["command_id"] for _ in range(4)]
    entries = (await api.admin(f"players/{who.id}/ledger")).body["entries"]
    begin = entries[-1]["at"].replace("Z", "999Z")
    monkeypatch.setattr("gameserver.commands.correction_plans.MOST_ROWS", 4)
    for what, order in (("rollback", {"to": begin}), ("undo", {"command_id": deeds[0]})):
        refused = await change(api, who, what, **order)
        assert refused.code == "not_undoable", what
        assert "4 times since" in refused.body["detail"], what
        assert "3 changes back" in refused.body["detail"], what
        assert "correct its values" in refused.body["detail"], what
    assert (await change(api, who, "undo", preview=True, command_id=deeds[1])).status == 200
