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
from gameserver.transport.wire import BadJson, TooLarge, TooSlow, UnsupportedMediaType, status_of

TEMPLATE = "#/components/schemas/{model}"
KEYS: dict[str, tuple[type[GameError], ...]] = {
    "none": (),
    "session": (SessionRevoked, SessionsUnavailable, DatabaseUnavailable, Overloaded),
    "admin": (Forbidden,),
}
"""The errors of checking each kind of key; every operation has NotAuthenticated, for a wrong back end's key, and
RateLimited, since all requests of an address are counted."""
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
        "parameters": _parameters(route, schemas),
        "responses": {**_success(route, schemas), **_failures(route)},
    }
    if route.key != "none":
        operation["security"] = [{route.key: []}]
    if route.terms.body is not None:
        content = {"application/json": {"schema": _reference(route.terms.body, schemas)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(route: Route, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    text = {"type": "string"}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": text} for name in re.findall(r"{(\w+)}", route.path)
    ]
    if route.terms.takes_command_id:
        schema = {"type": "string", "format": "uuid"}
        parameters.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": schema})
    query = route.terms.query.model_json_schema(ref_template=TEMPLATE)
    schemas.update(query.pop("$defs", {}))
    for name, schema in query.get("properties", {}).items():
        required = name in query.get("required", [])
        style = {"style": "form", "explode": False} if schema.get("type") == "array" else {}
        parameters.append({"name": name, "in": "query", "required": required, "schema": schema, **style})
    return parameters


def _success(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    response: dict[str, Any] = {"description": route.summary}
    if route.terms.answer is not None:
        response["content"] = {"application/json": {"schema": _reference(route.terms.answer, schemas)}}
    return {str(route.terms.status): response}


def _failures(route: Route) -> dict[str, Any]:
    kinds: list[type[GameError]] = [
        Internal,
        BadInput,
        NotAuthenticated,
        RateLimited,
        *route.terms.errors,
        *KEYS[route.key],
    ]
    kinds += [BadJson, UnsupportedMediaType, TooLarge, TooSlow] if route.terms.body is not None else []
    codes: dict[int, list[str]] = {}
    for kind in dict.fromkeys(kinds):
        codes.setdefault(status_of(kind), []).append("the rule's own" if kind is Refused else kind.code)
    content = {"application/problem+json": {"schema": {"$ref": TEMPLATE.format(model="Problem")}}}
    return {str(status): {"description": ", ".join(codes[status]), "content": content} for status in sorted(codes)}


def _reference(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """A reference to the schema of a type, which is added to `schemas` with all that it refers to."""
    schema = TypeAdapter(kind).json_schema(ref_template=TEMPLATE)
    schemas.update(schema.pop("$defs", {}))
    schemas[kind.__name__] = schema
    return {"$ref": TEMPLATE.format(model=kind.__name__)}
