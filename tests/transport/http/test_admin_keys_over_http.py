"""Operators' keys over HTTP: shown once, one for each command, and never without an operator."""

import asyncio
from dataclasses import replace

from gameserver.commands import admins
from gameserver.rules.errors import Conflict
from gameserver.rules.roles import Role
from gameserver.storage.operators.admin_keys import NewKey
from tests.support.client import ADMIN_KEY, Answer, Api, command_id
from tests.support.nodes import InProcessNode


async def post(api: Api, path: str = "", key: str | None = None, **body: object) -> Answer:
    fields = {"reason": "a test", **body}
    return await api.ask("POST", f"/admin/v1/keys{path}", token=ADMIN_KEY, body=fields, key=key or command_id())


async def test_a_command_makes_one_key_and_shows_it_once(api: Api) -> None:
    made, rotated = command_id(), command_id()
    first = await post(api, key=made, name="ann", role="support")
    assert (first.status, first.body["role"], first.headers["Cache-Control"]) == (201, "support", "no-store")
    assert (await post(api, key=made, name="ann", role="support")).code == "conflict"
    assert (await post(api, key=made, name="ann", role="operator")).code == "command_mismatch"
    answers = await asyncio.gather(*(post(api, "/ann/rotate", key=rotated, grace=0) for _ in range(3)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409], [answer.body for answer in answers]
    assert (await post(api, "/ann/rotate", key=rotated, grace=0)).code == "conflict"
    listed = (await api.admin("keys")).body["keys"]
    assert [(key["role"], key["state"]) for key in listed if key["name"] == "ann"] == [
        ("support", "rotated_out"),
        ("support", "holds"),
    ]
    assert "hlk_" not in str(listed) + str((await api.admin("audit", limit=50)).body)
    ending = command_id()
    assert [(await post(api, "/ann/revoke", key=ending)).body["revoked"] for _ in range(2)] == [2, 2]
    assert (await post(api, "/ann/revoke")).code == "not_found"


async def test_what_no_key_may_be_names_its_field(api: Api) -> None:
    for wrong, field in (({"name": "a b"}, "name"), ({"role": "king"}, "role"), ({"days": 0}, "days")):
        answer = await post(api, **{"name": "ann", "role": "viewer", **wrong})
        assert (answer.status, answer.body["errors"][0]["field"]) == (422, field), answer.body
    (settings,) = [key["name"] for key in (await api.admin("keys")).body["keys"]]
    assert (await post(api, name=settings, role="operator")).code == "conflict"


async def test_the_last_operators_key_isnt_revoked_not_even_by_two_at_once(node: InProcessNode) -> None:
    context = replace(node.core.commands.admins, settings={})
    for name, role in (("ann", Role.OPERATOR), ("bob", Role.OPERATOR), ("eve", Role.VIEWER)):
        await admins.make(context, "tests", NewKey(name, role), "a test")
    ends = await asyncio.gather(
        *(admins.revoke(context, "tests", name, "a test") for name in ("ann", "bob")), return_exceptions=True
    )
    assert sorted(type(end) for end in ends if not isinstance(end, int)) == [Conflict]
    assert await admins.revoke(context, "tests", "eve", "a test") == 1
