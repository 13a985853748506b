"""Rules over HTTP: previewed, published once per command id, listed with who is ready, cancelled, compared."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gameserver.config.settings import Settings
from gameserver.storage.operators import rule_orders
from gameserver.times import rfc3339
from gameserver.transport.wire import LARGEST_GAME_BODY
from tests.support.client import ADMIN_KEY, Answer, Api, command_id
from tests.support.freezing import frozen
from tests.support.servers import Servers
from tests.support.wait import wait_until
from tests.transport.doors import fields_of


async def post(api: Api, path: str = "", key: str | None = None, **body: Any) -> Answer:
    fields = {"reason": "a test", **body}
    return await api.ask("POST", f"/admin/v1/rules{path}", token=ADMIN_KEY, body=fields, key=key or command_id())


async def test_rules_are_published_once_and_every_node_tells_whether_it_is_ready(api: Api, settings: Settings) -> None:
    easier, key = settings.game.read_text("utf-8").replace("exp = 5\n", "exp = 6\n"), command_id()
    foreseen = (await post(api, "?preview=true", game=easier)).body["plan"]
    assert (foreseen["changes"], foreseen["problems"]) == ([{"value": "foes.slime.exp", "old": 5, "new": 6}], [])
    assert "gameserver replay" in foreseen["what_if"]
    assert (await api.admin("rules")).body["orders"] == []
    order = (await post(api, key=key, game=easier, in_seconds=60)).body["order"]
    assert (order["edition"], order["rulebook"], order["prior"], order["state"]) == (1, 2, 1, "ordered")
    assert (await post(api, key=key, game=easier, in_seconds=60)).body["order"] == order
    assert (await post(api, game=easier, in_seconds=60)).code == "conflict"

    async def is_ready() -> bool:
        nodes = (await api.admin("rules")).body["nodes"]
        return bool(nodes) and all(1 in node["rules"].get("ready", ()) for node in nodes)

    await wait_until(is_ready, what="the node is ready")
    changes = (await api.admin("rules/1/changes/2")).body
    assert changes == {"changes": foreseen["changes"], "same_code": True}
    assert (await api.admin("rules/1/changes/77")).status == 404
    for number in ("x", "02", "0002", "2" * 5000):
        assert (await api.admin(f"rules/1/changes/{number}")).status == 404
    assert (await post(api, "/cancel")).body["order"]["state"] == "cancelled"
    assert (await post(api, "/cancel")).body["order"]["state"] == "cancelled", "it stays so"
    assert (await post(api, "/revert", in_seconds=60)).code == "conflict"
    audited = [(each["action"], each["ended"]) for each in (await api.admin("audit", limit=50)).body["entries"]]
    assert audited == [("rules_cancel", "done")] * 2 + [("rules_publish", "conflict"), ("rules_publish", "done")]


async def test_a_game_of_up_to_256_kib_is_taken_from_an_operator_alone(api: Api, settings: Settings) -> None:
    body = {"reason": "a test", "game": settings.game.read_text("utf-8").replace("exp = 5\n", "exp = 6\n") + "\n#"}
    body["game"] += "x" * (LARGEST_GAME_BODY - len(json.dumps(body)))
    path, full = "/admin/v1/rules?preview=true", json.dumps(body).encode()
    assert len(full) == LARGEST_GAME_BODY
    foreseen = await api.ask("POST", path, token=ADMIN_KEY, data=full)
    assert foreseen.body["plan"]["changes"] == [{"value": "foes.slime.exp", "old": 5, "new": 6}]
    assert (await api.ask("POST", path, token=ADMIN_KEY, data=full + b" ")).code == "too_large"
    assert (await api.ask("POST", path, token="none", data=full)).code == "forbidden"
    other = await api.ask("POST", "/admin/v1/rules/revert?preview=true", token=ADMIN_KEY, data=full)
    assert other.code == "too_large"
    endless = await post(api, game="a" + ".a" * 100_000 + " = 1", in_seconds=60)
    assert endless.body["errors"] == [{"field": "game", "problem": "has a name of over 32 parts"}]


async def test_bad_orders_name_their_fields_and_change_nothing(api: Api, settings: Settings) -> None:
    game = settings.game.read_text("utf-8")
    assert fields_of((await post(api, game=game)).body) == ["at"]
    assert fields_of((await post(api, game=game, in_seconds=4)).body) == ["in_seconds"]
    assert fields_of((await post(api, game="[levels", in_seconds=60)).body) == ["game"]
    wrong = await post(api, game=game.replace("base_hp", "base_hpp"), in_seconds=60)
    assert set(fields_of(wrong.body)) == {"game"}
    assert (await post(api, game=game, in_seconds=60)).code == "conflict"
    changed, long_ago = game.replace("exp = 5\n", "exp = 6\n"), "2026-01-01T00:00:00Z"
    past = await post(api, game=changed, at=long_ago)
    assert past.code == "conflict"
    for given, problems in (
        ({"game": game}, ["This rulebook is in force already."]),
        ({"game": changed, "at": long_ago}, ["Its moment has come already."]),
        ({"game": changed, "in_seconds": 60}, []),
    ):
        assert (await post(api, "?preview=true", **given)).body["plan"]["problems"] == problems
    assert fields_of((await post(api, "?preview=true", game=changed, at=long_ago, in_seconds=60)).body) == ["at"]
    assert (await api.admin("rules")).body["orders"] == []


@pytest.mark.family(1)
@pytest.mark.parametrize("path", ["", "/revert", "/cancel"])
async def test_an_order_is_of_the_edition_that_its_operator_saw_or_refused(
    api: Api, settings: Settings, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_orders, "SHORTEST_LEAD_SECONDS", 0.3)
    monkeypatch.setattr(rule_orders, "DECISION_LEAD_SECONDS", 0.1)
    text = settings.game.read_text("utf-8")
    first, other, third = (text.replace("exp = 5\n", f"exp = {exp}\n") for exp in (6, 7, 8))
    seen = (await post(api, "?preview=true", game=first)).body["plan"]["edition"]
    assert seen == 0
    if path == "/cancel":
        seen = (await post(api, game=first, in_seconds=60)).body["order"]["edition"]
        await post(api, "/cancel")
    moment = {"in_seconds": 60} if path == "/cancel" else {"at": rfc3339(datetime.now(UTC) + timedelta(seconds=3))}
    at = (await post(api, game=other, expected_edition=0, **moment)).body["order"]["at"]
    body: dict[str, Any] = {"": {"game": third}, "/revert": {}, "/cancel": {}}[path]
    if path != "/cancel":
        body["in_seconds"] = 60
        await wait_until(lambda: in_force(api), what="a colleague's rules are in force")
    refused = await post(api, path, expected_edition=seen, **body)
    assert (refused.status, refused.code) == (409, "conflict"), refused.body
    assert "edition" in refused.body["detail"]
    newest = (await api.admin("rules")).body["orders"][0]
    assert (newest["at"], newest["state"]) == (at, "ordered" if path == "/cancel" else "in_force")
    allowed = await post(api, path, expected_edition=newest["edition"], **body)
    assert allowed.status == 200, allowed.body


async def in_force(api: Api) -> bool:
    return bool((await api.admin("rules")).body["edition"])


async def test_a_cancel_that_is_sent_again_tells_its_own_order_whatever_was_ordered_since(
    api: Api, settings: Settings
) -> None:
    easier, key = settings.game.read_text("utf-8").replace("exp = 5\n", "exp = 6\n"), command_id()
    order = (await post(api, game=easier, in_seconds=60)).body["order"]
    await post(api, "/cancel", key, expected_edition=order["edition"])
    await post(api, game=easier, in_seconds=60)
    again = (await post(api, "/cancel", key, expected_edition=order["edition"])).body["order"]
    assert (again["edition"], again["state"]) == (order["edition"], "cancelled")
    assert (await api.admin("rules")).body["orders"][0]["state"] == "ordered"


@pytest.mark.own_node
async def test_rules_are_told_without_their_nodes_while_redis_is_silent(api: Api, servers: Servers) -> None:
    with frozen(servers.redis):
        told = await api.admin("rules")
    assert (told.status, told.body["rulebook"], told.body["nodes"]) == (200, 1, None), told.body
