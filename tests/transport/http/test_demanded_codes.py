"""`[admin] one_time_passwords`: a key of such a role opens nothing without them, by whatever door."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gameserver import app as application
from gameserver.commands import admins
from gameserver.config.settings import Settings
from gameserver.rules import one_time
from gameserver.rules.errors import Conflict
from gameserver.rules.roles import Role
from gameserver.storage.operators.admin_keys import NewKey
from gameserver.transport.routes import ROUTES
from tests.support.client import ADMIN_KEY, Answer, Api, command_id
from tests.support.command_line import CommandLine
from tests.support.nodes import InProcessNode, toml_of
from tests.transport.doors import assert_problem

pytestmark = pytest.mark.own_node

SESSION = "/admin/v1/session"
WRONG_KEY = {"name": "eve", "role": "operator", "reason": "a test"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    admin = settings.admin.model_copy(update={"one_time_passwords": frozenset({"operator"})})
    return settings.model_copy(update={"admin": admin})


@pytest.fixture
def config(settings: Settings, tmp_path: Path) -> str:
    path = tmp_path / "gameserver.toml"
    path.write_text(toml_of(settings, settings.node.port))
    return str(path)


def before(node: InProcessNode) -> admins.Admins:
    """As operators were known before the setting came into force."""
    return replace(node.core.commands.admins, with_codes=())


async def made_before(node: InProcessNode, name: str, role: Role = Role.OPERATOR) -> str:
    _, key = await admins.make(before(node), "tests", NewKey(name, role), "a test")
    return key


async def fitting(node: InProcessNode, name: str = "boss") -> tuple[str, str]:
    """A key with one-time passwords, and their secret."""
    app = admins.new_codes()
    _, key = await admins.make(node.core.commands.admins, "tests", NewKey(name, Role.OPERATOR, None, app), "a test")
    return key, app


def code_now(node: InProcessNode, app: str) -> str:
    return one_time.code_of(app, int(node.core.commands.admins.now().timestamp()) // one_time.STEP_SECONDS)


async def signed_in(api: Api, key: str, code: str | None = None) -> Answer:
    return await api.ask("POST", SESSION, token=key, body={} if code is None else {"code": code})


async def boss(node: InProcessNode, api: Api) -> dict[str, Any]:
    """The headers of an operator's session that was opened with a one-time password."""
    key, app = await fitting(node)
    opened = await signed_in(api, key, code_now(node, app))
    assert opened.status == 201, opened.body
    return {"Cookie": opened.headers["Set-Cookie"].partition(";")[0], "X_Console": "1"}


@pytest.mark.parametrize("kind", ["of the settings", "made before", "in its grace"])
async def test_a_key_without_them_passes_no_route_and_is_told_what_to_do(
    node: InProcessNode, api: Api, kind: str
) -> None:
    key = ADMIN_KEY if kind == "of the settings" else await made_before(node, "ann")
    if kind == "in its grace":
        await admins.rotate(before(node), "tests", "ann", 3600, "a test")
    for route in (route for route in ROUTES if route.key == "admin"):
        answer = await api.ask(route.method, re.sub(r"{\w+}", "1", route.path), token=key)
        assert_problem(answer, "forbidden", (route.method, route.path))
        assert "`gameserver keys create NAME --role operator --totp" in answer.body["detail"], route.path
    for code in (None, "", "000000"):
        assert "Set-Cookie" not in (await signed_in(api, key, code)).headers


async def test_keys_of_other_roles_are_as_before(node: InProcessNode, api: Api) -> None:
    key = await made_before(node, "ann", Role.SUPPORT)
    assert (await api.ask("GET", "/admin/v1/audit", token=key)).status == 200
    assert (await signed_in(api, key)).status == 201


async def test_a_session_that_such_a_key_had_opened_ends_for_good(node: InProcessNode, api: Api) -> None:
    opened = await admins.sign_in(before(node), await made_before(node, "ann"), "")
    assert opened is not None
    cookie = f"gameserver_console={opened[0]}"
    refused = await api.ask("GET", "/admin/v1/slots", Cookie=cookie)
    assert_problem(refused, "not_authenticated", "the session")
    assert "one_time_passwords" in refused.body["detail"]
    assert await admins.session(before(node), opened[0]) is None, "also where the setting isn't in force"


async def test_a_key_with_them_works_as_ever(node: InProcessNode, api: Api) -> None:
    headers = await boss(node, api)
    assert (await api.ask("GET", "/admin/v1/keys", **headers)).status == 200


async def test_over_http_no_such_key_is_made_and_the_address_for_the_app_is_shown_once(
    node: InProcessNode, api: Api
) -> None:
    headers = await boss(node, api)
    refused = await api.ask("POST", "/admin/v1/keys", body=WRONG_KEY, key=command_id(), **headers)
    assert (refused.status, refused.body["errors"][0]["field"]) == (422, "one_time_passwords"), refused.body
    asked, key = WRONG_KEY | {"one_time_passwords": True}, command_id()
    made = await api.ask("POST", "/admin/v1/keys", body=asked, key=key, **headers)
    assert (made.status, made.body["one_time_passwords"]) == (201, True), made.body
    app = made.body["app"].partition("secret=")[2].partition("&")[0]
    assert made.body["app"] == one_time.address(app, "eve")
    assert (await api.ask("GET", "/admin/v1/slots", token=made.body["key"])).code == "forbidden"
    assert (await signed_in(api, made.body["key"], code_now(node, app))).status == 201
    again = await api.ask("POST", "/admin/v1/keys", body=asked, key=key, **headers)
    assert (again.code, app in str(again.body)) == ("conflict", False)
    other = await api.ask("POST", "/admin/v1/keys", body=WRONG_KEY | {"name": "bot", "role": "support"}, **headers)
    assert (other.status, other.body["app"]) == (201, None), other.body
    entries = (await api.ask("GET", "/admin/v1/audit?target=eve", **headers)).body["entries"]
    assert app not in json.dumps(entries)


async def test_such_a_key_isnt_rotated_and_is_no_last_operators(node: InProcessNode) -> None:
    context = node.core.commands.admins
    for name in ("ann", "bob"):
        await made_before(node, name)
    with pytest.raises(Conflict, match="one-time passwords"):
        await admins.rotate(context, "tests", "ann", 0, "a test")
    assert await admins.revoke(context, "tests", "ann", "a test") == 1, "it opened nothing"
    await fitting(node)
    with pytest.raises(Conflict, match="last operator"):
        await admins.revoke(context, "tests", "boss", "a test")
    await fitting(node, "deputy")
    assert await admins.revoke(context, "tests", "boss", "a test") == 1


async def test_the_command_line_makes_keys_with_them_and_names_those_without(
    node: InProcessNode, command_line: CommandLine, config: str
) -> None:
    await made_before(node, "ann")
    await made_before(node, "eve", Role.SUPPORT)

    async def ran(*words: str) -> Any:
        done = await command_line.gameserver(*words, "--config", config)
        assert done.code == 0, done.text
        return done

    made = json.loads((await ran("keys", "create", "bob", "--role", "operator", "--reason", "x", "--json")).out)
    assert (made["one_time_passwords"], made["app"].startswith("otpauth://totp/gameserver:bob?")) == (True, True)
    rows = json.loads((await ran("keys", "list", "--json")).out)
    assert {row["name"]: row["refused"] for row in rows} == {"tester": True, "ann": True, "bob": False, "eve": False}
    listed = await ran("keys", "list")
    assert [line.split()[0] for line in listed.errors.splitlines() if "opens nothing" in line] == ["tester", "ann"]
    (finding,) = json.loads((await ran("check", "--json")).out)["findings"]
    assert (finding["about"], finding["level"]) == ("keys", "warning")
    assert "open nothing: tester (operator), ann (operator)" in finding["problem"]


async def test_doctor_and_the_list_over_http_name_them(node: InProcessNode, api: Api, settings: Settings) -> None:
    await made_before(node, "ann")
    headers = await boss(node, api)
    keys = (await api.ask("GET", "/admin/v1/keys", **headers)).body["keys"]
    assert {key["name"]: key["refused"] for key in keys} == {"tester": True, "ann": True, "boss": False}
    control, *others = await application.examine(settings, 1)
    (symptom,) = [each for each in control.symptoms if "one_time_passwords" in each.problem]
    assert (symptom.level, symptom.problem.rpartition(": ")[2]) == ("warning", "tester (operator), ann (operator)")
    assert "keys create" in symptom.remedy
    assert not [each for other in others for each in other.symptoms if "one_time_passwords" in each.problem]
    lenient = settings.model_copy(update={"admin": settings.admin.model_copy(update={"one_time_passwords": ()})})
    assert "one_time_passwords" not in str([each.symptoms for each in await application.examine(lenient, 1)])
