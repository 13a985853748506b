"""Operators' keys over HTTP: shown once, one for each command, and never without an operator."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gameserver.commands import admins
from gameserver.config.settings import Settings
from gameserver.rules.errors import Conflict
from gameserver.rules.roles import Role
from gameserver.storage.operators.admin_keys import MOST_CURRENT, MOST_LISTED, NewKey, hash_of
from tests.support.client import ADMIN_KEY, Answer, Api, command_id
from tests.support.deployment import connected
from tests.support.nodes import InProcessNode
from tests.support.wait import wait_until

pytestmark = pytest.mark.own_node

NEW = {"name": "ann", "role": "viewer"}
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("", NEW | {"name": "a b"}, "name"),
    *(("", NEW | {"name": name}, "name") for name in (".", "..", "-rf", "@ann", "a" * 65)),
    ("", NEW | {"role": "king"}, "role"),
    ("", NEW | {"days": 0}, "days"),
    ("/a%20b/revoke", {}, "name"),
    ("/ann/rotate", {"grace": -1}, "grace"),
    ("/ann/rotate", {"role": "operator"}, "role"),
    ("/ann/revoke", {"reason": ""}, "reason"),
]
"""A path under /admin/v1/keys, a body, and the field that is wrong."""


async def post(api: Api, path: str = "", key: str | None = None, **body: Any) -> Answer:
    fields = {"reason": "a test", **body}
    return await api.ask("POST", f"/admin/v1/keys{path}", token=ADMIN_KEY, body=fields, key=key or command_id())


async def states(api: Api, name: str) -> list[tuple[str, str]]:
    return [(key["role"], key["state"]) for key in (await api.admin("keys")).body["keys"] if key["name"] == name]


async def test_a_command_makes_one_key_and_shows_it_once(
    api: Api, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    made, rotated, ending = command_id(), command_id(), command_id()
    firsts = await asyncio.gather(*(post(api, key=made, name="ann", role="support") for _ in range(3)))
    first = min(firsts, key=lambda answer: answer.status)
    assert sorted(answer.status for answer in firsts) == [201, 409, 409]
    assert first.headers["Cache-Control"] == "no-store"
    again = await post(api, key=made, name="ann", role="support")
    assert (again.code, "key" in again.body) == ("conflict", False)
    assert "rotate" in again.body["detail"]
    assert (await post(api, key=made, name="ann", role="operator")).code == "command_mismatch"
    assert (await post(api, "/ann/rotate", key=made, grace=0)).code == "command_mismatch"
    seconds = await asyncio.gather(*(post(api, "/ann/rotate", key=rotated, grace=0) for _ in range(3)))
    second = min(seconds, key=lambda answer: answer.status)
    assert sorted(answer.status for answer in seconds) == [201, 409, 409], [answer.body for answer in seconds]
    assert await states(api, "ann") == [("support", "rotated_out"), ("support", "holds")]
    assert [(await post(api, "/ann/revoke", key=ending)).body["revoked"] for _ in range(2)] == [2, 2]
    assert (await post(api, "/ann/revoke")).body == {"revoked": 0}, "by another command: they have ended"
    assert (await post(api, "/nobody/revoke")).code == "not_found"
    assert await states(api, "ann") == [("support", "revoked")] * 2
    entries = (await api.admin("audit", target="ann", limit=50)).body["entries"]
    done = {entry["action"]: (entry["before"], entry["after"]) for entry in entries if entry["ended"] == "done"}
    old, new = first.body["id"], second.body["id"]
    nothing: dict[str, Any] = {"keys": [], "role": None, "expires_at": None}
    assert done["key_create"] == (nothing, {"keys": [old], "role": "support", "expires_at": None})
    before, after = done["key_rotate"]
    assert (before["keys"], after["keys"], after["role"]) == ([old], [new], "support")
    assert (done["key_revoke"][0]["keys"], done["key_revoke"][1]) == ([old, new], nothing | {"revoked": 2})
    secrets = [part for key in (first.body["key"], second.body["key"]) for part in (key, key[17:], hash_of(key))]
    seen = f"{entries} {(await api.admin('keys')).body} {capsys.readouterr()} "
    async with connected(settings.database_url("one")) as control:
        for table in ("audit", "audit_ends"):
            seen += str(await control.fetch(f"select t::text from {table} t"))
    assert not [secret for secret in secrets if secret in seen]


async def test_what_no_key_may_be_names_its_field_and_makes_none(api: Api) -> None:
    for path, body, field in WRONG:
        answer = await post(api, path, **body)
        assert (answer.status, answer.body["errors"][0]["field"]) == (422, field), (path, body, answer.body)
    (settings,) = [key["name"] for key in (await api.admin("keys")).body["keys"]]
    assert (await post(api, name=settings, role="operator")).code == "conflict"
    assert (await post(api, "/nobody/rotate")).code == "not_found"
    opened = await api.ask("POST", "/admin/v1/session", token=ADMIN_KEY, body={})
    cookie = opened.headers["Set-Cookie"].partition(";")[0]
    for headers in ({"Cookie": cookie}, {"Cookie": cookie, "X_Console": "1", "Origin": "https://evil.example"}):
        answer = await api.ask(
            "POST", "/admin/v1/keys", body=NEW | {"reason": "a test"}, data=None, key=None, **headers
        )
        assert answer.code == "forbidden"
    assert len((await api.admin("keys")).body["keys"]) == 1


async def test_a_session_serves_the_operator_for_whom_a_page_asks_or_nobody(api: Api, node: InProcessNode) -> None:
    _, secret = await admins.make(node.core.commands.admins, "tests", NewKey("김 ann", Role.OPERATOR), "a test")
    opened = await api.ask("POST", "/admin/v1/session", token=secret, body={})
    session: dict[str, Any] = {"Cookie": opened.headers["Set-Cookie"].partition(";")[0], "X_Console": "1"}
    own, others = session | {"X_Console_Operator": "%EA%B9%80%20ann"}, session | {"X_Console_Operator": "tester"}
    body = NEW | {"reason": "a test"}
    for method, path, sent in (("GET", "keys", None), ("POST", "keys", body), ("DELETE", "session", None)):
        refused = await api.ask(method, f"/admin/v1/{path}", body=sent, key=command_id(), **others)
        assert (refused.status, refused.code) == (403, "other_operator")
        assert "signed in as 김 ann" in refused.body["detail"]
    for path in ("players/1/export", "rankings/export", "audit/export"):
        link = await api.ask("GET", f"/admin/v1/{path}?console_operator=tester", **session)
        assert (link.status, link.code) == (403, "other_operator"), path
        link = await api.ask("GET", f"/admin/v1/{path}?console_operator=%EA%B9%80%20ann", **session)
        assert link.code not in ("other_operator", "bad_input"), path
    host, _, port = api.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"GET /admin/v1/keys HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: {session['Cookie']}\r\n"
    writer.write(head.encode() + b"X-Console-Operator: caf\xe9\r\n\r\n")
    raw = await reader.read()
    writer.close()
    assert (raw.split()[1], b"page was caf?'s" in raw) == (b"403", True), raw
    assert await states(api, "ann") == []
    assert (await api.ask("GET", "/admin/v1/session", **session)).body["name"] == "김 ann"
    assert (await api.ask("POST", "/admin/v1/keys", body=body, key=command_id(), **own)).status == 201
    assert (await api.ask("DELETE", "/admin/v1/session", **own)).status == 204
    assert (await api.ask("GET", "/admin/v1/session", **others)).status == 401


async def test_the_last_operators_key_isnt_revoked_not_even_by_two_at_once(node: InProcessNode) -> None:
    context = replace(node.core.commands.admins, settings={})
    for name, role in (("ann", Role.OPERATOR), ("bob", Role.OPERATOR), ("eve", Role.VIEWER)):
        await admins.make(context, "tests", NewKey(name, role), "a test")
    ends = await asyncio.gather(
        *(admins.revoke(context, "tests", name, "a test") for name in ("ann", "bob")), return_exceptions=True
    )
    assert sorted(str(type(end).__name__) for end in ends) == ["Conflict", "int"], ends
    assert await admins.revoke(context, "tests", "eve", "a test") == 1
    left = "ann" if isinstance(ends[0], Conflict) else "bob"
    await admins.rotate(context, "tests", left, 3600, "a test")
    with pytest.raises(Conflict):
        await admins.revoke(context, "tests", left, "a test")
    assert await admins.revoke(node.core.commands.admins, "tests", left, "a test") == 2


async def test_a_revocation_that_waits_for_a_rotation_ends_its_new_key_too(
    node: InProcessNode, settings: Settings
) -> None:
    context = node.core.commands.admins
    await admins.make(context, "tests", NewKey("ann", Role.SUPPORT), "a test")
    async with connected(settings.database_url("one")) as control, asyncio.TaskGroup() as both:

        async def are_waiting(count: int) -> bool:
            waiting = (
                "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
            )
            return bool(await control.fetchval(waiting) == count)

        async with control.transaction():
            await control.execute("select from admin_keys where name = 'ann' for update")
            both.create_task(admins.rotate(context, "tests", "ann", 3600, "a test"))
            await wait_until(lambda: are_waiting(1))
            both.create_task(admins.revoke(context, "tests", "ann", "a test"))
            await wait_until(lambda: are_waiting(2))
    assert [key.state for key in await context.stored.listed() if key.name == "ann"] == ["revoked", "revoked"]


async def test_an_expired_key_says_so_and_can_be_rotated(api: Api, settings: Settings) -> None:
    await post(api, name="ann", role="viewer", days=1)
    async with connected(settings.database_url("one")) as control:
        await control.execute("update admin_keys set made_at = made_at - interval '2 days', expires_at = made_at")
    assert await states(api, "ann") == [("viewer", "expired")]
    assert (await post(api, "/ann/rotate")).status == 201
    assert await states(api, "ann") == [("viewer", "rotated_out"), ("viewer", "holds")]


async def test_there_is_a_bound_to_names_with_a_key_and_each_of_them_is_listed(api: Api, settings: Settings) -> None:
    async with connected(settings.database_url("one")) as control:
        await control.execute(
            "insert into admin_keys (id, name, role, hash, made_by, current)"
            " select n, n, 'viewer', '', 'tests', n <= $1 from generate_series(1, $2) n",
            MOST_CURRENT,
            MOST_LISTED + 1,
        )
    assert (await post(api, **NEW)).code == "conflict"
    stored = [key for key in (await api.admin("keys")).body["keys"] if key["id"]]
    assert len([key for key in stored if key["state"] == "holds"]) == MOST_CURRENT
    assert len(stored) == MOST_LISTED
