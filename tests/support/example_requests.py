"""A request of each operation that its document allows, for tests that go over the whole route table."""

import re
from collections.abc import Mapping
from typing import Any

from gameserver.transport.route import Route

NUMBER = "1234567890123456"
"""An id of the form of a player's, a letter's and, as it has sixteen digits, of a session's and a device's."""
PARTS = {
    "board": "exp", "campaign": "019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071", "database": "two", "device": NUMBER,
    "first": "1", "id": NUMBER, "mail_id": NUMBER, "move": "1", "name": "ann", "node": "127.0.0.1:1",
    "second": "2", "session": NUMBER,
}  # fmt: skip
QUERIES = {"reason": "a typo", "at": "2026-01-31T12:00:00.000Z", "ids": NUMBER, "by": "exp"}


def path_of(route: Route, parts: Mapping[str, str]) -> str:
    """The operation's path, with these parts in place of the examples."""
    return re.sub(r"{(\w+)}", lambda name: {**PARTS, **parts}[name[1]], route.path)


def fields_of(route: Route) -> dict[str, Any] | None:
    """The body of the document's first example; None if the operation takes none."""
    if route.terms.body is None:
        return None
    return dict(route.terms.body.model_json_schema()["examples"][0])


def query_of(route: Route) -> dict[str, str]:
    """What the query must have."""
    return {name: QUERIES[name] for name in route.terms.query.model_json_schema().get("required", ())}
