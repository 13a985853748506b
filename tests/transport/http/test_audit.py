"""The audit log over HTTP: every change with its reason, its command id, and what was before and after."""

import contextlib
import csv
import io
import json
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import quote

import pytest

from gameserver.commands import audit, export_places, player_export
from gameserver.storage.operators.audit import AuditedChange, _begun
from gameserver.storage.operators.audit_log import AuditQuestion
from tests.support.client import ADMIN_KEY, Answer, Api, command_id
from tests.support.nodes import InProcessNode

pytestmark = pytest.mark.own_node


async def entries(api: Api, **query: Any) -> list[dict[str, Any]]:
    """All entries, by pages of two."""
    collected: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await api.admin("audit", limit=2, **query, **cursor)
        assert answer.status == 200, answer.body
        collected += answer.body["entries"]
        if answer.body["next_cursor"] is None:
            return collected
        cursor = {"cursor": answer.body["next_cursor"]}


async def ban(api: Api, player: str, reason: str, key: str | None = None) -> Answer:
    return await api.ask("POST", f"/admin/v1/players/{player}/ban", token=ADMIN_KEY, body={"reason": reason}, key=key)


async def test_a_change_is_found_with_who_what_why_before_and_after(api: Api) -> None:
    who, own = await api.sign_up(), command_id()
    assert (await ban(api, who.id, "cheating, ticket 4711", own)).status == 200
    (entry,) = await entries(api, target=who.id)
    assert {name: entry[name] for name in ("admin", "action", "reason", "command_id", "ended")} == {
        "admin": "tester",
        "action": "ban",
        "reason": "cheating, ticket 4711",
        "command_id": own,
        "ended": "done",
    }
    version = entry["before"]["version"]
    assert entry["before"] == {"version": version, "banned": False, "ban": None, "until": None}
    assert entry["after"] == {"version": version + 1, "banned": True, "ban": own, "until": None, "replayed": False}
    assert (await ban(api, who.id, "cheating, ticket 4711", own)).status == 200
    assert await entries(api, command_id=own) == [entry], "one change has one entry"


async def test_a_change_that_failed_says_how(api: Api) -> None:
    who, own = await api.sign_up(), command_id()
    await ban(api, who.id, "one reason", own)
    assert (await ban(api, who.id, "another reason", own)).code == "command_mismatch"
    newest, _ = await entries(api, target=who.id)
    assert (newest["ended"], newest["after"], newest["reason"]) == ("command_mismatch", None, "another reason")


async def test_a_change_without_an_end_says_so(node: InProcessNode, api: Api) -> None:
    change = AuditedChange("ann", "notice", "everyone", "left in between", {"text": "hello"})
    async with node.core.databases["one"].transaction() as connection:
        await _begun(connection, change)  # what a node has done that dies in between
    (entry,) = await entries(api, admin="ann")
    assert (entry["ended"], entry["after"], entry["details"]) == (None, None, {"text": "hello"})


@pytest.fixture
async def filled(node: InProcessNode, api: Api) -> Api:
    log = node.core.rooms.operators.audit
    for number in range(7):
        change = AuditedChange(
            ("ann", "bob")[number % 2],
            ("ban", "notice", "rename")[number % 3],
            str(number % 4),
            f"=Reason {number} 100%",
        )
        async with log.recorded(change) as end:
            end.after = {"number": number}
    return api


FOUND: list[tuple[dict[str, str], list[int]]] = [
    ({}, [6, 5, 4, 3, 2, 1, 0]),
    ({"admin": "bob"}, [5, 3, 1]),
    ({"action": "ban"}, [6, 3, 0]),
    ({"target": "2"}, [6, 2]),
    ({"text": quote("REASON 3")}, [3]),
    ({"text": quote("100%")}, [6, 5, 4, 3, 2, 1, 0]),
    ({"text": "_"}, []),
    ({"admin": "ann", "action": "rename"}, [2]),
    ({"since": "2100-01-01T00:00:00Z"}, []),
    ({"until": "2100-01-01T00:00:00Z", "target": "1"}, [5, 1]),
    ({"command_id": "01936f5e-3c00-7a52-9b41-6f2d8c0e4a17"}, []),
]


async def test_the_log_is_searched_by_all_of_its_fields(filled: Api) -> None:
    for query, numbers in FOUND:
        assert [entry["after"]["number"] for entry in await entries(filled, **query)] == numbers, query


async def test_the_whole_log_is_exported_as_it_is_and_safe_in_spreadsheets(filled: Api) -> None:
    lines = (await filled.admin("audit/export", format="ndjson")).body.decode().splitlines()
    assert list(map(json.loads, lines)) == await entries(filled)
    answer = await filled.admin("audit/export", admin="ann")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [json.loads(row["after"])["number"] for row in rows] == [6, 4, 2, 0]
    assert all(row["reason"].startswith("'=Reason") for row in rows)


def exports_of_operators(node: InProcessNode, player_id: int) -> list[AsyncGenerator[Any, None]]:
    """One of each kind."""
    commands = node.core.commands
    return [
        audit.export(commands.operations, AuditQuestion(1)),
        player_export.of_player(commands.player_exports, player_id),
    ]


async def test_a_node_makes_few_exports_for_operators_at_a_time(node: InProcessNode, api: Api) -> None:
    who = await api.sign_up()
    paths = ["/admin/v1/audit/export", f"/admin/v1/players/{who.id}/export"]
    checks = [f"{path}?check=true" for path in paths]
    async with contextlib.AsyncExitStack() as stack:
        for number in range(export_places.OF_OPERATORS):
            parts = exports_of_operators(node, int(who.id))[number % 2]
            await anext(await stack.enter_async_context(contextlib.aclosing(parts)))
        for path in (*paths, *checks):
            assert (await api.ask("GET", path, token=ADMIN_KEY)).code == "overloaded", path
        own = await api.ask("GET", "/v1/players/me/export", token=who.token)
        assert own.status == 200, "players have places of their own"
    for path in paths:
        assert (await api.ask("GET", path, token=ADMIN_KEY)).status == 200, path
    for path in checks * export_places.OF_OPERATORS:
        answer = await api.ask("GET", path, token=ADMIN_KEY)
        assert (answer.status, answer.body) == (204, b""), path


@pytest.mark.parametrize("kind", [0, 1], ids=["the audit log", "a player"])
async def test_an_export_for_an_operator_ends_in_time(
    node: InProcessNode, api: Api, monkeypatch: pytest.MonkeyPatch, kind: int
) -> None:
    who = await api.sign_up()
    monkeypatch.setattr(export_places, "LONGEST_SECONDS", 0.0)
    parts = exports_of_operators(node, int(who.id))[kind]
    with pytest.raises(TimeoutError):
        async for _ in parts:
            pass


BAD: list[tuple[dict[str, Any], str]] = [
    ({"limit": 0}, "limit"),
    ({"limit": 501}, "limit"),
    ({"cursor": "x"}, "cursor"),
    ({"cursor": "0"}, "cursor"),
    ({"since": "yesterday"}, "since"),
    ({"since": "2026-01-01T00:00:00"}, "since"),
    ({"until": "2026-13-01T00:00:00Z"}, "until"),
    ({"command_id": "7"}, "command_id"),
    ({"text": "%00"}, "text"),
    ({"nothing": "1"}, "nothing"),
]


async def test_a_bad_question_names_its_field(api: Api) -> None:
    for query, field in BAD:
        answer = await api.admin("audit", **query)
        assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, [field]), query
