"""Rules over HTTP: previewed, published once per command id, listed with who is ready, cancelled, compared."""

from typing import Any

from gameserver.config.settings import Settings
from tests.support.client import ADMIN_KEY, Answer, Api, command_id
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
    assert (await api.admin("rules/1/changes/x")).status == 404
    assert (await post(api, "/cancel")).body["order"]["state"] == "cancelled"
    assert (await post(api, "/cancel")).code == "conflict"
    assert (await post(api, "/revert", in_seconds=60)).code == "conflict"
    audited = [(each["action"], each["ended"]) for each in (await api.admin("audit", limit=50)).body["entries"]]
    assert audited == [("rules_cancel", "done"), ("rules_publish", "conflict"), ("rules_publish", "done")]


async def test_bad_orders_name_their_fields_and_change_nothing(api: Api, settings: Settings) -> None:
    game = settings.game.read_text("utf-8")
    assert fields_of((await post(api, game=game)).body) == ["at"]
    assert fields_of((await post(api, game=game, in_seconds=4)).body) == ["in_seconds"]
    assert fields_of((await post(api, game="[levels", in_seconds=60)).body) == ["game"]
    wrong = await post(api, game=game.replace("base_hp", "base_hpp"), in_seconds=60)
    assert set(fields_of(wrong.body)) == {"game"}
    assert (await post(api, game=game, in_seconds=60)).code == "conflict"
    past = await post(api, game=game.replace("exp = 5\n", "exp = 6\n"), at="2026-01-01T00:00:00Z")
    assert past.code == "conflict"
    assert (await api.admin("rules")).body["orders"] == []
