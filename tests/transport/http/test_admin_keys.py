"""Admin keys and roles: who may do what, keys that end, and sessions of the console."""

import asyncio
import itertools
import re

import pytest

from gameserver.commands import admins
from gameserver.config.settings import Settings
from gameserver.rules import one_time
from gameserver.rules.errors import Conflict, DatabaseUnavailable, NotFound
from gameserver.rules.roles import Role
from gameserver.storage.operators.admin_keys import AdminKeys, NewKey
from gameserver.transport.routes import ROUTES
from tests.support.client import ADMIN_KEY, Answer, Api
from tests.support.deployment import connected
from tests.support.everywhere import places
from tests.support.nodes import InProcessNode
from tests.support.wait import wait_until
from tests.transport.doors import assert_problem, fields_of, unchanged

pytestmark = pytest.mark.own_node

SESSION = "/admin/v1/session"
ADMIN_ROUTES = [route for route in ROUTES if route.key == "admin"]


async def key_of(node: InProcessNode, name: str, role: Role) -> str:
    _, secret = await admins.make(node.core.commands.admins, "tests", NewKey(name, role), "a test")
    return secret


async def stored(node: InProcessNode) -> list[tuple[str, str]]:
    """What operators' changes leave behind: the audit log, and all that the control database has of them."""
    kept = ("audit", "admin_keys", "player_notes", "campaigns", "saved_queries", "rule_orders", "rulebooks", "bans")
    return sorted(place for place in await places(node.core) if place[0].partition(": ")[2].startswith(kept))


async def ask(
    api: Api, method: str, path: str, token: str | None = None, code: str | None = None, **headers: str
) -> Answer:
    given: dict[str, str] = {} if code is None else {"code": code}
    body = None if method not in ("POST", "PUT") else given if path == SESSION else {"reason": "a test"}
    return await api.ask(method, re.sub(r"{\w+}", "1", path), token=token, body=body, data=None, key=None, **headers)


def test_every_admin_route_has_a_role_and_all_roles_are_used() -> None:
    assert {route.role for route in ADMIN_ROUTES} == set(Role)
    assert all(route.path.startswith("/admin/") for route in ADMIN_ROUTES)
    assert not [route for route in ROUTES if route.path.startswith("/admin/") and route.key != "admin"]


async def test_a_key_opens_what_its_role_may_and_nothing_more(node: InProcessNode, api: Api) -> None:
    keys = {role: await key_of(node, role.value, role) for role in Role}
    for route in ADMIN_ROUTES:
        assert route.role is not None
        for role, key in keys.items():
            answer = await ask(api, route.method, route.path, key)
            what = (route.method, route.path, role, answer.body)
            assert (answer.status == 403) == (not role.may(route.role)), what
            if answer.status == 403:
                assert answer.code == "forbidden", what
                assert route.role.value in answer.body["detail"], what


FORGED = ("", "x", f"hls_{'x' * 43}", "hls_", ADMIN_KEY, "1.abc", "a" * 3000)


async def test_no_forged_cookie_opens_anything(api: Api) -> None:
    for cookie in FORGED:
        for route in ADMIN_ROUTES:
            answer = await ask(api, route.method, route.path, Cookie=f"gameserver_console={cookie}", X_Console="1")
            assert (answer.status, answer.code) == (401, "not_authenticated"), (route.path, cookie, answer.body)


async def test_only_hashes_of_keys_and_sessions_are_stored(node: InProcessNode, api: Api, settings: Settings) -> None:
    key = await key_of(node, "ann", Role.SUPPORT)
    cookie = (await ask(api, "POST", SESSION, key)).headers["Set-Cookie"]
    secrets = (key.split("_", 2)[2], re.search(r"hls_([\w-]+)", cookie)[1])  # type: ignore[index]
    async with connected(settings.database_url("one")) as control:
        for table in ("admin_keys", "admin_sessions", "audit", "audit_ends"):
            rows = await control.fetch(f"select t::text as row from {table} t")
            assert rows or table == "audit_ends"
            assert not [row for row in rows for secret in secrets if secret in row["row"]]


async def test_a_revoked_key_opens_nothing_and_its_sessions_end_with_it(node: InProcessNode, api: Api) -> None:
    key, elsewhere = await key_of(node, "ann", Role.VIEWER), AdminKeys(node.core.databases["one"])
    cookie = await session_of(api, key)
    assert (await ask(api, "GET", "/admin/v1/slots", key)).status == 200
    assert (await ask(api, "GET", "/admin/v1/slots", Cookie=cookie)).status == 200
    assert await elsewhere.revoke("ann") == 1

    async def is_refused() -> bool:
        by_key = await ask(api, "GET", "/admin/v1/slots", key)
        by_cookie = await ask(api, "GET", "/admin/v1/slots", Cookie=cookie)
        return (by_key.status, by_cookie.status) == (403, 401)

    await wait_until(is_refused)
    assert await elsewhere.revoke("ann") == 0
    with pytest.raises(NotFound):
        await elsewhere.revoke("nobody")
    again = await key_of(node, "ann", Role.VIEWER)
    assert (await ask(api, "GET", "/admin/v1/slots", again)).status == 200
    assert await is_refused()


async def test_a_rotated_key_goes_on_for_its_grace_and_the_new_one_has_its_role(node: InProcessNode, api: Api) -> None:
    context = node.core.commands.admins
    first = await key_of(node, "ann", Role.SUPPORT)
    with pytest.raises(Conflict):
        await key_of(node, "ann", Role.OPERATOR)
    key, second = await admins.rotate(context, "tests", "ann", 3600, "a test")
    assert (key.role, key.state) == (Role.SUPPORT, "holds")

    async def statuses(*keys: str) -> list[int]:
        return [(await ask(api, "GET", SESSION, key)).status for key in keys]

    async def both_open() -> bool:
        return await statuses(first, second) == [200, 200]

    await wait_until(both_open)
    _, third = await admins.rotate(context, "tests", "ann", 0, "a test")

    async def only_the_newest_and_the_one_in_grace() -> bool:
        return await statuses(first, second, third) == [200, 403, 200]

    await wait_until(only_the_newest_and_the_one_in_grace)
    with pytest.raises(NotFound):
        await admins.rotate(context, "tests", "nobody", 0, "a test")


async def session_of(api: Api, key: str) -> str:
    """The cookie of a new session."""
    answer = await ask(api, "POST", SESSION, key)
    assert answer.status == 201, answer.body
    return str(answer.headers["Set-Cookie"]).partition(";")[0]


@pytest.fixture
async def cookie(api: Api) -> str:
    return await session_of(api, ADMIN_KEY)


async def test_a_session_has_its_keys_role_and_no_script_or_other_site_can_use_its_cookie(
    node: InProcessNode, api: Api
) -> None:
    key = await key_of(node, "ann", Role.VIEWER)
    answer = await ask(api, "POST", SESSION, key)
    flags = {part.strip().lower() for part in answer.headers["Set-Cookie"].split(";")[1:]}
    assert flags == {"httponly", "path=/admin/", "samesite=strict"}
    assert answer.body == {"name": "ann", "role": "viewer", "expires_at": answer.body["expires_at"]}
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    who = await ask(api, "GET", SESSION, Cookie=cookie)
    assert who.body == answer.body
    refused = await ask(api, "POST", "/admin/v1/players/1/ban", Cookie=cookie, X_Console="1")
    assert (refused.status, refused.code) == (403, "forbidden")
    elsewhere = await ask(api, "POST", SESSION, ADMIN_KEY, Host="console.example.org")
    assert "; Secure" in elsewhere.headers["Set-Cookie"]


async def test_a_change_by_cookie_needs_the_header_and_a_page_of_this_server(api: Api, cookie: str) -> None:
    who = await api.sign_up()
    path = f"/admin/v1/players/{who.id}/ban"
    own = {"Origin": api.url, "Sec_Fetch_Site": "same-origin", "X_Console": "1"}
    foreign: list[dict[str, str]] = [
        {},
        {**own, "Origin": "https://evil.example"},
        {**own, "Origin": "null"},
        {**own, "Sec_Fetch_Site": "cross-site"},
        {**own, "Sec_Fetch_Site": "same-site"},
        {name: value for name, value in own.items() if name != "X_Console"},
    ]
    for headers in foreign:
        refused = await ask(api, "POST", path, Cookie=cookie, **headers)
        assert (refused.status, refused.code) == (403, "forbidden"), headers
    assert (await ask(api, "GET", "/admin/v1/slots", Cookie=cookie, Sec_Fetch_Site="cross-site")).status == 403
    assert (await api.ask("GET", "/v1/players/me", token=who.token)).status == 200
    assert (await ask(api, "POST", path, Cookie=cookie, **own)).status == 200
    assert (await ask(api, "POST", path, Cookie=cookie, X_Console="1")).status == 200


REFUSED = {
    "without a key": ("not_authenticated", False, {}),
    "with a player's token": ("forbidden", True, {}),
    "from another site": ("forbidden", False, {"Origin": "https://evil.example", "X_Console": "1"}),
    "from a site beside it": ("forbidden", False, {"Sec_Fetch_Site": "same-site", "X_Console": "1"}),
}
"""Why: the code that every route of operators answers, whether a player's token is sent, and headers with a cookie."""


@pytest.mark.parametrize("why", REFUSED)
async def test_every_route_of_operators_refuses_who_is_none_and_changes_nothing(
    api: Api, node: InProcessNode, cookie: str, why: str
) -> None:
    code, has_token, headers = REFUSED[why]
    who = await api.sign_up()
    before = await stored(node)
    async with unchanged(api, who):
        for route in ADMIN_ROUTES:
            path = re.sub(r"{\w+}", lambda part: who.id if part[0] == "{id}" else "exp", route.path)
            given = {"Cookie": cookie, **headers} if headers else {}
            answer = await ask(api, route.method, path, who.token if has_token else None, **given)
            assert_problem(answer, code, (route.method, path))
            assert "Set-Cookie" not in answer.headers, path
    assert await stored(node) == before
    assert (await ask(api, "GET", SESSION, Cookie=cookie)).status == 200, "the session has not ended"


async def test_every_change_by_cookie_needs_the_consoles_header(api: Api, node: InProcessNode, cookie: str) -> None:
    who = await api.sign_up()
    before = await stored(node)
    async with unchanged(api, who):
        for route in (route for route in ADMIN_ROUTES if route.method != "GET"):
            path = re.sub(r"{\w+}", lambda part: who.id if part[0] == "{id}" else "exp", route.path)
            assert_problem(await ask(api, route.method, path, Cookie=cookie), "forbidden", (route.method, path))
    assert await stored(node) == before
    assert (await ask(api, "GET", SESSION, Cookie=cookie)).status == 200, "the session has not ended"


async def test_no_foreign_page_is_granted_the_consoles_header(api: Api) -> None:
    answer = await api.ask(
        "OPTIONS", "/admin/v1/slots", Origin="https://evil.example", Access_Control_Request_Method="POST"
    )
    assert answer.status == 403
    assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_signing_out_ends_the_session_on_the_server(api: Api, cookie: str) -> None:
    answer = await ask(api, "DELETE", SESSION, Cookie=cookie, X_Console="1")
    assert answer.status == 204
    assert 'gameserver_console=""' in answer.headers["Set-Cookie"]
    assert (await ask(api, "GET", "/admin/v1/slots", Cookie=cookie)).status == 401


async def test_a_key_with_one_time_passwords_opens_sessions_alone_and_each_code_once(
    node: InProcessNode, api: Api
) -> None:
    app, context = one_time.written(b"12345678901234567890"), node.core.commands.admins
    _, key = await admins.make(context, "tests", NewKey("ann", Role.OPERATOR, None, app), "a test")
    assert (await ask(api, "GET", "/admin/v1/slots", key)).code == "forbidden"
    step = int(context.now().timestamp()) // one_time.STEP_SECONDS
    wrong = [
        code for code in ("000000", "000001", "000002", "000003") if one_time.step_of(app, code, step * 30) is None
    ]
    for code in ("", " ", "x", wrong[0], one_time.code_of(app, step - 40)):
        refused = await ask(api, "POST", SESSION, key, code=code)
        assert (refused.status, refused.code) == (401, "wrong_credentials"), code
    right = one_time.code_of(app, step)
    opened = await ask(api, "POST", SESSION, key, code=f" {right[:3]}\N{NO-BREAK SPACE}{right[3:]} ")  # as apps show it
    assert opened.status == 201, opened.body
    cookie = opened.headers["Set-Cookie"].partition(";")[0]
    assert (await ask(api, "GET", "/admin/v1/slots", Cookie=cookie)).status == 200
    again = await ask(api, "POST", SESSION, key, code=right)
    assert again.code == "wrong_credentials"


async def test_a_one_time_password_holds_once_for_a_key_and_the_one_that_follows_it(
    node: InProcessNode, api: Api
) -> None:
    app, context = one_time.written(b"12345678901234567890"), node.core.commands.admins
    _, old = await admins.make(context, "tests", NewKey("ann", Role.OPERATOR, None, app), "a test")
    step = int(context.now().timestamp()) // one_time.STEP_SECONDS
    codes = [one_time.code_of(app, step - 1), one_time.code_of(app, step)]
    assert (await ask(api, "POST", SESSION, old, code=codes[0])).status == 201
    _, new = await admins.rotate(context, "tests", "ann", 3600, "a test")
    assert (await ask(api, "POST", SESSION, new, code=codes[0])).code == "wrong_credentials"
    together = await asyncio.gather(*(ask(api, "POST", SESSION, key, code=codes[1]) for key in (old, new)))
    assert sorted(answer.status for answer in together) == [201, 401]
    async with connected(node.core.databases["one"].url) as control:  # as an earlier version left it
        await control.execute("update admin_keys set totp_step = null where current")
    for key in (old, new):
        assert (await ask(api, "POST", SESSION, key, code=codes[1])).code == "wrong_credentials"


SINGLES = {"id": "1", "name": "x", "name_begins": "xy", "name_part": "xy", "device": "x" * 64}


async def test_a_viewer_looks_for_no_single_player(node: InProcessNode, api: Api) -> None:
    keys = {role: await key_of(node, role.value, role) for role in Role}
    for path in ("rankings", "rankings/spread", "players/1/rank"):
        for field, value in SINGLES.items():
            for role, key in keys.items():
                answer = await ask(api, "GET", f"/admin/v1/{path}?{field}={value}", key)
                what = (path, field, role, answer.body)
                assert (answer.status == 403) == (role is Role.VIEWER), what
                if answer.status == 403:
                    assert (answer.code, fields_of(answer.body)) == ("forbidden", [field]), what
        allowed = await ask(api, "GET", f"/admin/v1/{path}?min_level=1&banned=false", keys[Role.VIEWER])
        assert allowed.status in (200, 404), allowed.body


async def test_one_time_passwords_of_a_key_cant_be_tried_for_ever(node: InProcessNode, api: Api) -> None:
    app = one_time.written(b"12345678901234567890")
    new = NewKey("ann", Role.OPERATOR, None, app)
    _, key = await admins.make(node.core.commands.admins, "tests", new, "a test")
    answers = [await ask(api, "POST", SESSION, key, code="none") for _ in range(12)]
    assert [answer.status for answer in answers] == [401] * 10 + [429] * 2


@pytest.mark.parametrize("what", ["key", "session"])
async def test_what_another_node_has_just_made_opens_a_node_whose_copy_is_fresh(node: InProcessNode, what: str) -> None:
    now, database = itertools.count(100.0, 0.001), node.core.databases["one"]
    made_by, here = AdminKeys(database), AdminKeys(database, now.__next__)
    _, secret = await made_by.make(NewKey("ann", Role.VIEWER), "tests")
    key = await here.holder(secret)
    assert key is not None, "from now on it has a copy"
    if what == "key":
        _, second = await made_by.make(NewKey("bob", Role.VIEWER), "tests")
        found = await here.holder(second)
        assert found is not None
        assert found.name == "bob"
    else:
        opened, _ = await made_by.open_session(key, 60)
        found_session = await here.session_key(opened, {})
        assert found_session is not None
        assert found_session[0].name == "ann"


async def test_made_up_keys_share_a_look_and_are_refused_by_nothing_else(
    node: InProcessNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, database = itertools.count(100.0, 0.0001), node.core.databases["one"]
    here, read = AdminKeys(database, now.__next__), AdminKeys._read
    looks = 0

    async def counted(keys: AdminKeys) -> None:
        nonlocal looks
        looks += 1
        await read(keys)

    monkeypatch.setattr(AdminKeys, "_read", counted)
    assert await here.holder("hlk_x_y") is None
    before = looks
    forged = [here.holder(f"hlk_{number:012x}_x") for number in range(50)]
    sessions = [here.session_key(f"hls_{number}", {}) for number in range(50)]
    assert set(await asyncio.gather(*forged, *sessions)) == {None}
    assert looks - before <= 2

    async def silent(_: AdminKeys) -> None:
        """The control database doesn't answer."""

    monkeypatch.setattr(AdminKeys, "_read", silent)
    with pytest.raises(DatabaseUnavailable):
        await here.holder("hlk_x_y")
