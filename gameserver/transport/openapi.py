"""The OpenAPI 3.1 document, made from the route table and from the types that the handlers use."""

import functools
import re
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from gameserver.rules.errors import (
    BadInput,
    DatabaseUnavailable,
    Forbidden,
    GameError,
    Internal,
    NotAuthenticated,
    OtherOperator,
    Overloaded,
    RateLimited,
    Refused,
    SessionRevoked,
    SessionsUnavailable,
)
from gameserver.transport import answers
from gameserver.transport.callers import callers
from gameserver.transport.route import Route
from gameserver.transport.routes import ROUTES
from gameserver.transport.wire import (
    BadJson,
    BadRequest,
    DownloadQuery,
    TooLarge,
    TooSlow,
    UnsupportedMediaType,
    status_of,
)

TEMPLATE = "#/components/schemas/{model}"
KEYS: dict[str, tuple[type[GameError], ...]] = {
    "none": (),
    "session": (SessionRevoked, SessionsUnavailable, DatabaseUnavailable, Overloaded),
    "admin": (Forbidden, OtherOperator, DatabaseUnavailable),
}
"""The errors of checking each kind of key. Every operation has BadRequest, for a key that is sent twice,
NotAuthenticated, for a wrong back end's key, and RateLimited, since all requests of an address are counted."""
COMMAND_ID = {
    "type": "string",
    "pattern": "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$",
    "description": "A UUIDv7. It has no `format`: generated clients would ask for a UUID object, and can't send one.",
    "examples": ["01936f5e-3c00-7a52-9b41-6f2d8c0e4a17"],
}
TOKEN = {
    "type": "string",
    "pattern": "^[1-9][0-9]{0,18}:[1-9][0-9]{0,18}(,[1-9][0-9]{0,18}:[1-9][0-9]{0,18})*$",
    "description": "`<player id>:<version>`, as an answer had it: the read is at least as new (docs/replication.md).",
}
TAGS = {
    "players": "Players: signing up, reading, playing, letters, friends",
    "sessions": "Signing in and out",
    "game": "What the game consists of",
    "boards": "Rankings by score",
    "socket": "The same over WebSocket",
    "operators": "For operators: needs an admin key",
    "health": "For load balancers and monitoring",
}
PREFIXES = (
    ("/v1/players", "players"), ("/v1/sessions", "sessions"), ("/v1/boards", "boards"), ("/v1/socket", "socket"),
    ("/v1/", "game"), ("/admin/", "operators"), ("/", "health"),
)  # fmt: skip
BACKEND_KEY = {
    "type": "apiKey",
    "in": "header",
    "name": callers.HEADER,
    "description": "A back end's key, sent beside the key that an operation needs: its requests are never limited.",
}


@functools.cache
def document(version: str) -> Mapping[str, Any]:
    """The document; `version` is the server's."""
    schemas: dict[str, Any] = {}
    _reference(answers.Problem, schemas)
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    bearer = {"type": "http", "scheme": "bearer"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "gameserver", "version": version},
        "servers": [{"url": "/", "description": "The server that this document comes from"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"session": bearer, "admin": bearer, "backend": BACKEND_KEY},
        },
    }


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [_tag(route.path)],
        "security": _security(route),
        "parameters": _parameters(route, schemas),
        "responses": {**_success(route, schemas), **_failures(route)},
    }
    if route.role is not None:
        operation["description"] = f"Needs the role {route.role}, or a higher one."
    if route.terms.body is not None:
        content = {"application/json": {"schema": _reference(route.terms.body, schemas)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _tag(path: str) -> str:
    """The kind of things that a path is about."""
    return next(tag for prefix, tag in PREFIXES if path.startswith(prefix))


def _security(route: Route) -> list[dict[str, list[str]]]:
    """No key, one, or for a path that takes `me` a session if the caller likes."""
    if route.key != "none":
        return [{route.key: []}]
    return [{}, {"session": []}] if NotAuthenticated in route.terms.errors else []


def _parameters(route: Route, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _path_schema(route.path, name)}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    if route.terms.takes_command_id:
        parameters.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": COMMAND_ID})
    if route.terms.takes_token:
        parameters.append({"name": "Consistency-Token", "in": "header", "required": False, "schema": TOKEN})
    query = _plain(route.terms.query.model_json_schema(ref_template=TEMPLATE))
    schemas.update(query.pop("$defs", {}))
    for name, schema in query.get("properties", {}).items():
        required = name in query.get("required", [])
        style = {"style": "form", "explode": False} if schema.get("type") == "array" else {}
        narrow = {"description": "Needs the role support."} if name in route.terms.for_support else {}
        parameters.append({"name": name, "in": "query", "required": required, "schema": schema, **style, **narrow})
    return parameters


def _path_schema(path: str, name: str) -> dict[str, Any]:
    """What a part of a path may be."""
    if name != "id":
        return {"type": "string", "minLength": 1}
    if path.startswith("/v1/sessions/"):
        return {"type": "string", "pattern": "^[0-9a-f]{16}$"}
    player = "[1-9][0-9]{0,18}"
    return {"type": "string", "pattern": f"^(me|{player})$" if path.startswith("/v1/boards/") else f"^{player}$"}


def _success(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    response: dict[str, Any] = {"description": route.summary}
    if route.terms.answer is not None:
        response["content"] = {"application/json": {"schema": _reference(route.terms.answer, schemas)}}
    if route.terms.gives_token:
        response["headers"] = {"Consistency-Token": {"schema": TOKEN}}
    successes = {str(route.terms.status): response}
    if route.terms.status == 204 and route.terms.answer is not None:
        successes = {"200": {**response, "description": "With `preview`."}, "204": {"description": route.summary}}
    if issubclass(route.terms.query, DownloadQuery):
        successes["204"] = {"description": "With `check`: the file could be had from this node."}
    return successes


def _failures(route: Route) -> dict[str, Any]:
    kinds: list[type[GameError]] = [
        Internal,
        BadInput,
        BadRequest,
        NotAuthenticated,
        RateLimited,
        *route.terms.errors,
        *KEYS[route.key],
    ]
    kinds += [BadJson, UnsupportedMediaType, TooLarge, TooSlow] if route.reads_body else []
    codes: dict[int, list[str]] = {}
    for kind in dict.fromkeys(kinds):
        codes.setdefault(status_of(kind), []).append("the rule's own" if kind is Refused else kind.code)
    content = {"application/problem+json": {"schema": {"$ref": TEMPLATE.format(model="Problem")}}}
    return {str(status): {"description": ", ".join(codes[status]), "content": content} for status in sorted(codes)}


def _plain(schema: Any) -> Any:
    """Without `default: null`, by which generators take a field that may be left out for one that may not."""
    if isinstance(schema, dict):
        return {name: _plain(part) for name, part in schema.items() if part is not None or name != "default"}
    return [_plain(part) for part in schema] if isinstance(schema, list) else schema


def _reference(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """A reference to the schema of a type, which is added to `schemas` with all that it refers to."""
    schema = _plain(TypeAdapter(kind).json_schema(ref_template=TEMPLATE))
    schemas.update(schema.pop("$defs", {}))
    schemas[kind.__name__] = schema
    return {"$ref": TEMPLATE.format(model=kind.__name__)}
