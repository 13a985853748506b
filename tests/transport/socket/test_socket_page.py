"""docs/socket.md, held against a server: its examples are a conversation that takes place."""

import re
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from gameserver.config.limits import LimitSettings
from gameserver.config.sections import SocketSettings
from gameserver.rules.seasons import Season
from gameserver.storage.seasons.records import SeasonRecord
from gameserver.transport import wire
from gameserver.transport.socket import conversation, operations
from gameserver.upkeep.closing import shown_end
from tests.support.client import ADMIN_KEY, Api, command_id
from tests.support.nodes import InProcessNode
from tests.support.repository import DOCS
from tests.support.wait import wait_until
from tests.transport.doors import closing_of

PAGE = (DOCS / "socket.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```json (\w+)\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)
COMMAND_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f-]{17}")
LITERAL = {"id", "code", "detail", "errors", "replayed", "resumed", "push", "seq", "op", "board", "rank", "total",
           "heartbeat_seconds", "season", "class", "name", "type", "foe"}  # fmt: skip
"""Fields whose values must be those of the page, unless the server draws them."""


def assert_alike(answer: Any, shown: Any, field: str = "") -> None:
    """The same fields with the same types; the same values where they don't depend on the moment."""
    if isinstance(shown, dict) and field != "errors":
        assert isinstance(answer, dict), (field, answer)
        assert list(answer) == list(shown), field
        for name in shown:
            if not (name == "id" and field == "player"):
                assert_alike(answer[name], shown[name], name)
    elif isinstance(shown, list):
        assert len(answer) == len(shown), (field, answer)
        for one, other in zip(answer, shown, strict=True):
            assert_alike(one, other, field)
    elif field in LITERAL:
        assert answer == shown, (field, answer)
    else:
        assert type(answer) is type(shown), (field, answer)


def test_the_page_shows_every_op_and_every_closing_code() -> None:
    kinds = [kind for kind, _ in EXAMPLES]
    assert set(kinds) == {"request", "answer", "push", "close"}
    shown = {orjson.loads(text)["op"] for kind, text in EXAMPLES if kind == "request" and text.endswith("}")}
    assert shown == {"hello", *operations.OPERATIONS}
    codes = {
        int(match) for match in re.findall(r"\b(?:1\d{3}|4\d{3})\b", PAGE.split("## Closing codes")[1].split("```")[0])
    }
    assert {value for name, value in vars(wire.Close).items() if name.isupper()} < codes


def test_the_page_names_the_limits_of_the_code() -> None:
    assert (wire.LARGEST_BODY, conversation.HELLO_SECONDS, conversation.IN_FLIGHT) == (16 << 10, 5, 128)
    assert (SocketSettings().held_bytes_per_socket, wire.HEARTBEAT_SECONDS) == (1 << 20, 20)
    limits = LimitSettings()
    assert (limits.frames_per_socket.per_second, limits.frames_per_socket.burst) == (1000, 4000)
    assert (limits.actions_per_player.per_second, limits.actions_per_player.burst) == (60, 120)
    assert "4000 at once and 1000 a second" in PAGE
    assert "120 at once and 60 a second" in PAGE
    for limit in ("16 KiB", "within 5 seconds", "128 requests", "1 MiB", "every 20 seconds"):
        assert limit in PAGE


async def test_the_conversation_of_the_page_takes_place(api: Api) -> None:
    ann = await api.sign_up("mage", "Ann Lee")
    await api.sign_up("priest", "Bea Lee")
    socket = await api.raw_socket()
    own_id = command_id()
    for kind, text in EXAMPLES:
        if kind == "request":
            if '"op": "board", "board": "exp", "limit": 1}' in text:
                await until_ranked(api)
            sent = COMMAND_ID.sub(own_id, re.sub(r'"token": "[^"]+"', f'"token": "{ann.token}"', text))
            await socket.send_str(sent)
        elif kind == "answer":
            assert_alike(await socket.receive_json(timeout=10), orjson.loads(text))
        elif kind == "close":
            assert await closing_of(socket) == ([], int(text))


async def until_ranked(api: Api) -> None:
    async def are_ranked() -> bool:
        page = (await api.ask("GET", "/v1/boards/exp")).body
        return [entry["player"]["name"] for entry in page.get("entries", ())] == ["Ann Lee", "Bea Lee"]

    await wait_until(are_ranked, what="both are on the board")


@pytest.mark.own_node
async def test_the_pushes_of_the_page_are_those_that_are_sent(api: Api, node: InProcessNode) -> None:
    shown = {entry["push"]: entry for entry in (orjson.loads(text) for kind, text in EXAMPLES if kind == "push")}
    assert set(shown) == {"player", "mail", "notice", "season", "rank", "going_away"}
    who = await api.sign_up("mage", "Ann Lee")
    own = await api.socket(who.token)
    await own.ask("subscribe", topics=["player", "mail", "notice", "season", "rank:exp"])
    await api.act(who)
    await api.act(await api.sign_up("priest"), "heal_other", player=who.id)
    answer = await api.ask("POST", "/admin/v1/notices", token=ADMIN_KEY, body={"text": "Hello", "reason": "test"})
    assert answer.status == 201
    ended = SeasonRecord("weekly", Season(1_000_000_000, 1_000_604_800), "ended", None, datetime.now(UTC))
    await node.core.rooms.live.pushes.add_notice(shown_end(ended), "season")
    seen: dict[str, Any] = {}
    while set(seen) != {*shown} - {"going_away"}:
        frame = await own.connection.receive_json(timeout=10)
        seen[frame["push"]] = frame
    for kind, frame in seen.items():
        assert (list(frame), list(frame["data"])) == (list(shown[kind]), list(shown[kind]["data"]))
    healed, example = seen["mail"]["data"], shown["mail"]["data"]
    assert [list(healed["args"]), healed["kind"]] == [list(example["args"]), example["kind"]]
    assert [list(event) for event in healed["events"]] == [list(event) for event in example["events"]]
