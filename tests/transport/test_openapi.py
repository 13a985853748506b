"""The OpenAPI document: complete, well-formed, and true of what the server answers."""

import re
from collections.abc import Iterator
from typing import Any
from unittest.mock import ANY

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from gameserver.transport import answers, openapi, wire
from gameserver.transport.http import replies
from gameserver.transport.routes import ROUTES
from tests.support.client import ADMIN_KEY, Answer, Api, command_id
from tests.support.devices import device_of
from tests.support.wait import wait_until
from tests.transport.samples import HUNT

DOCUMENT = openapi.document("1.2.3")


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for entry in value:
            yield from references(entry)


def schemas(value: Any) -> Iterator[Any]:
    """Every schema of the document."""
    if isinstance(value, dict):
        if "schema" in value:
            yield value["schema"]
        for item in value.values():
            yield from schemas(item)
    elif isinstance(value, list):
        for entry in value:
            yield from schemas(entry)


def resolved(reference: str) -> Any:
    assert reference.startswith("#/"), reference
    result: Any = DOCUMENT
    for part in reference[2:].split("/"):
        result = result[part]
    return result


async def test_the_served_document_is_the_one_made_from_the_route_table(api: Api) -> None:
    answer = await api.ask("GET", "/openapi.json")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.body["paths"] == DOCUMENT["paths"]
    assert answer.body["components"] == DOCUMENT["components"]


async def test_the_document_is_made_ready_once_for_all_who_ask(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may, without a session, and it has a quarter of a megabyte."""
    encode, compress, made = answers.encode, replies.compress, list[str]()

    def noted_encode(answer: object) -> bytes:
        if answer == {**DOCUMENT, "info": ANY}:
            made.append("encoded")
        return encode(answer)

    def noted_compress(body: bytes) -> bytes:
        made.append("compressed")
        return compress(body)

    monkeypatch.setattr(answers, "encode", noted_encode)
    monkeypatch.setattr(replies, "compress", noted_compress)
    for coding in ("gzip", "gzip", "identity"):
        assert (await api.ask("GET", "/openapi.json", Accept_Encoding=coding)).body["paths"] == DOCUMENT["paths"]
    assert made == ["encoded", "compressed"]


def test_every_route_is_described_once() -> None:
    described = [(method.upper(), path) for path, method, _ in operations()]
    assert sorted(described) == sorted((route.method, route.path) for route in ROUTES)


def test_the_document_has_the_structure_of_openapi_3_1() -> None:
    assert re.fullmatch(r"3\.1\.\d+", DOCUMENT["openapi"])
    assert DOCUMENT["info"] == {"title": "gameserver", "version": "1.2.3"}
    assert set(DOCUMENT) <= {"openapi", "info", "servers", "paths", "components", "security", "tags"}
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in DOCUMENT["components"]["schemas"])
    assert {
        name: securityscheme["type"] for name, securityscheme in DOCUMENT["components"]["securitySchemes"].items()
    } == {
        "session": "http",
        "admin": "http",
        "backend": "apiKey",
    }
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("described", list(operations()), ids=lambda described: f"{described[1]} {described[0]}")
def test_an_operation_is_well_formed(described: tuple[str, str, dict[str, Any]]) -> None:
    path, method, operation = described
    allowed = {"operationId", "summary", "description", "tags", "parameters", "responses", "security", "requestBody"}
    assert set(operation) <= allowed
    assert set(operation["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}
    assert "security" in operation, "an operation without it would be taken to need what the document needs"
    assert operation["summary"]
    places = [(parameter["in"], parameter["name"]) for parameter in operation["parameters"]]
    assert len(places) == len(set(places))
    assert {name for place, name in places if place == "path"} == set(re.findall(r"{(\w+)}", path))
    assert all(parameter["required"] for parameter in operation["parameters"] if parameter["in"] == "path")
    assert all(parameter["in"] in ("path", "query", "header") for parameter in operation["parameters"])
    assert all(re.fullmatch(r"[1-5]\d\d", status) for status in operation["responses"])
    assert [status for status in operation["responses"] if status < "400"], "an answer that is no error"
    assert all(response["description"] for response in operation["responses"].values())
    assert {name for scheme in operation.get("security", ()) for name in scheme} <= {"session", "admin"}
    assert ("requestBody" in operation) == (method == "post")
    for status, response in operation["responses"].items():
        if status >= "400":
            assert list(response["content"]) == ["application/problem+json"]


def test_every_request_counts_for_its_address_and_may_be_answered_429() -> None:
    assert not [(path, method) for path, method, operation in operations() if "429" not in operation["responses"]]


def test_every_reference_leads_to_a_schema_and_every_schema_is_used() -> None:
    value = set(references(DOCUMENT))
    assert all(isinstance(resolved(result), dict) for result in value)
    used = {result.rsplit("/", 1)[1] for result in value}
    assert used == set(DOCUMENT["components"]["schemas"])


def test_every_schema_is_valid_json_schema() -> None:
    value = [*schemas(DOCUMENT["paths"]), *DOCUMENT["components"]["schemas"].values()]
    assert len(value) > 50
    for result in value:
        Draft202012Validator.check_schema(result)


def assert_fits(answer: Answer, method: str, path: str) -> None:
    """The answer is one that the document promises for this operation, and of its schema."""
    response = DOCUMENT["paths"][path][method.lower()]["responses"][str(answer.status)]
    content = response.get("content")
    if content is None:
        assert answer.body in (b"", None)
        return
    ((kind, expected),) = content.items()
    assert answer.headers["Content-Type"].partition(";")[0] == kind
    rooted = {**expected["schema"], "components": DOCUMENT["components"]}
    faults = [fault.message for fault in Draft202012Validator(rooted).iter_errors(answer.body)]
    assert not faults, (path, faults)
    _no_extra_fields(answer.body, expected["schema"])


def _no_extra_fields(value: Any, schema: Any) -> None:
    """All fields of the answer are in the schema, although it would allow others."""
    if "$ref" in schema:
        schema = resolved(schema["$ref"])
    if isinstance(value, list) and "items" in schema:
        for item in value:
            _no_extra_fields(item, schema["items"])
    elif isinstance(value, dict) and "properties" in schema:
        assert set(value) <= set(schema["properties"]), set(value) - set(schema["properties"])
        for name, entry in value.items():
            _no_extra_fields(entry, schema["properties"][name])


async def test_answers_of_play_fit_their_schemas(api: Api) -> None:
    request = {"name": "Ann Lee", "class": "mage", "device": device_of("anns-device"), "password": "anns-password"}
    signed_up = await api.ask("POST", "/v1/players", body=request)
    assert_fits(signed_up, "POST", "/v1/players")
    token, own = signed_up.body["session"]["token"], signed_up.body["player"]["id"]
    acted = await api.ask("POST", "/v1/players/me/actions", token=token, body=HUNT)
    assert_fits(acted, "POST", "/v1/players/me/actions")
    signed_in = await api.ask("POST", "/v1/sessions", body={"device": device_of("anns-device")})
    assert_fits(signed_in, "POST", "/v1/sessions")
    for path, query in (
        ("/v1/players/me", ""),
        ("/v1/players/me/ledger", "?limit=1"),
        ("/v1/players/me/feed", "?limit=1"),
        ("/v1/players/me/friends", ""),
        ("/v1/players/{id}", ""),
        ("/v1/players", f"?ids={own}"),
        ("/v1/sessions", ""),
        ("/v1/actions", ""),
        ("/v1/classes", ""),
        ("/v1/boards", ""),
        ("/live", ""),
        ("/ready", ""),
    ):
        answer = await api.ask("GET", path.replace("{id}", own) + query, token=token)
        assert answer.status == 200, path
        assert_fits(answer, "GET", path)
    for path in ("/v1/sessions/current", "/v1/sessions"):
        answer = await api.ask("DELETE", path, token=signed_in.body["session"]["token"] if "current" in path else token)
        assert answer.status == 204
        assert_fits(answer, "DELETE", path)


async def test_answers_of_friends_and_passwords_fit_their_schemas(api: Api) -> None:
    who, friend = await api.sign_up(), await api.sign_up()
    path = "/v1/players/me/friends/{id}"
    for friend_id, method in ((friend.id, "PUT"), ("1", "PUT"), (who.id, "PUT"), (friend.id, "DELETE")):
        assert_fits(await api.ask(method, path.replace("{id}", friend_id), token=who.token), method, path)
    assert_fits(await api.ask("DELETE", f"/v1/sessions/{'0' * 16}", token=who.token), "DELETE", "/v1/sessions/{id}")
    for body in ({"new": "short"}, {"new": "a-password"}):
        changed = await api.ask("POST", "/v1/players/me/password", token=who.token, body=body)
        assert_fits(changed, "POST", "/v1/players/me/password")


@pytest.mark.own_node
async def test_answers_of_boards_and_admins_fit_their_schemas(api: Api) -> None:
    players = [await api.sign_up() for _ in range(3)]

    async def are_ranked() -> bool:
        return bool((await api.ask("GET", "/v1/boards/exp")).body.get("total") == len(players))

    await wait_until(are_ranked, what="the players are on the board")
    own, token = players[0].id, players[0].token
    for path, query in (
        ("/v1/boards/{board}", "?limit=2"),
        ("/v1/boards/{board}/around/{id}", "?radius=1"),
        ("/v1/boards/{board}/ranks", f"?ids={own},{players[1].id}"),
        ("/v1/boards/{board}/friends", ""),
    ):
        answer = await api.ask("GET", path.replace("{board}", "exp").replace("{id}", own) + query, token=token)
        assert answer.body["entries"], path
        assert_fits(answer, "GET", path)
    for path, query in (
        ("/admin/v1/rankings", "?by=exp&limit=2"),
        ("/admin/v1/stats", ""),
        ("/admin/v1/slots", ""),
        ("/admin/v1/databases", ""),
    ):
        answer = await api.ask("GET", path + query, token=ADMIN_KEY)
        assert answer.status == 200
        assert_fits(answer, "GET", path)


def _defaults(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        if "default" in value:
            yield value["default"]
        value = list(value.values())
    for entry in value if isinstance(value, list) else ():
        yield from _defaults(entry)


def test_no_field_of_a_body_becomes_compulsory_by_its_default() -> None:
    assert None not in list(_defaults(DOCUMENT))
    for model in {route.terms.body for route in ROUTES if route.terms.body is not None}:
        schema = resolved(f"#/components/schemas/{model.__name__}")
        assert not list(_defaults(schema)), "TypeScript's generators take a field with a default for compulsory"


def test_the_examples_of_bodies_are_taken_by_the_server() -> None:
    for model in {route.terms.body for route in ROUTES if route.terms.body is not None}:
        for example in resolved(f"#/components/schemas/{model.__name__}")["examples"]:
            wire.parse(model, example)


def test_a_key_is_text_to_generated_clients() -> None:
    keys = [
        parameter["schema"]
        for _, _, operation in operations()
        for parameter in operation["parameters"]
        if parameter["name"] == "Idempotency-Key"
    ]
    assert len(keys) >= 5
    for schema in keys:
        assert "format" not in schema
        assert re.fullmatch(schema["pattern"], command_id())
        assert re.fullmatch(schema["pattern"], schema["examples"][0])


async def test_errors_are_promised_and_fit_the_problems_schema(api: Api) -> None:
    who = await api.sign_up()
    act, old = "/v1/players/me/actions", "01890000-0000-7000-8000-000000000000"
    answers = [
        ("POST", "/v1/players", await api.ask("POST", "/v1/players", data=b"{")),
        ("POST", "/v1/players", await api.ask("POST", "/v1/players", body={"name": ""})),
        ("POST", "/v1/players", await api.ask("POST", "/v1/players", data=b" " * 20_000)),
        ("POST", "/v1/players", await api.ask("POST", "/v1/players", body={"name": who.name, "class": "mage",
                                                                            "device": device_of("another-device")})),
        ("POST", "/v1/sessions", await api.ask("POST", "/v1/sessions", body={"device": device_of("nobodys")})),
        ("POST", act, await api.ask("POST", act, body=HUNT)),
        ("POST", act, await api.ask("POST", act, token=who.token, body={"action": "rest"})),
        ("POST", act, await api.ask("POST", act, token=who.token, body=HUNT, key=old)),
        ("GET", "/v1/players/{id}", await api.ask("GET", "/v1/players/1", token=who.token)),
        ("GET", "/v1/boards/{board}", await api.ask("GET", "/v1/boards/nope")),
        ("GET", "/v1/boards/{board}/around/{id}", await api.ask("GET", "/v1/boards/exp/around/me")),
        ("GET", "/v1/boards/{board}/around/{id}", await api.ask("GET", "/v1/boards/exp/around/1")),
        ("GET", "/v1/socket", await api.ask("GET", "/v1/socket", Origin="http://evil.example")),
        ("GET", "/v1/socket", await api.ask("GET", "/v1/socket")),
        ("GET", "/admin/v1/stats", await api.ask("GET", "/admin/v1/stats", token=who.token)),
        ("GET", "/admin/v1/rankings", await api.admin("rankings", **{"class": "bard"})),
    ]  # fmt: skip
    assert len({answer.code for _, _, answer in answers}) >= 10
    for method, path, answer in answers:
        assert answer.status >= 400, path
        assert_fits(answer, method, path)
        promised = DOCUMENT["paths"][path][method.lower()]["responses"][str(answer.status)]["description"]
        assert answer.code in promised.split(", ") or "the rule's own" in promised, (answer.code, promised)


@pytest.mark.parametrize("path", ["/admin/v1/rankings", "/admin/v1/stats"])
def test_answers_of_replicas_say_what_order_they_may_show(path: str) -> None:
    schema = DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert "in another order than the primary did" in " ".join(resolved(schema["$ref"])["description"].split())
