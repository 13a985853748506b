"""Whatever stands in a query or a path, of any route that only reads: it is refused or answered, never `internal`."""

import re
from collections.abc import Iterator
from urllib.parse import quote, urlencode

import pytest

from gameserver.rules.checking import MAX_PATH, MAX_PROBLEMS
from gameserver.transport.route import Route
from gameserver.transport.routes import ROUTES
from tests.support.client import ADMIN_KEY, Api
from tests.transport.doors import assert_problem

BEYOND = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")
"""Moments that UTC can't name."""
FAR = ("0001-01-01T00:00:00Z", "1960-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z")
"""Moments before all ids and after all of them."""
VALUES = (*map(quote, ("a\x00b", *BEYOND, *FAR, "٣", "9" * 40, "9" * 4400)), "%FF")
"""A NUL, digits of another script, numbers beyond every column and every reader, and bytes that aren't UTF-8, too."""
PARTS = {"board": "exp", "session": "0" * 16, "device": "0" * 16, "name": "saved", "campaign": "1"}
STREAMS = ("/v1/socket", "/metrics")


def _filled(path: str, parts: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda part: parts.get(part[1], parts["id"]), path)


def _hostile(route: Route, who: str) -> Iterator[str]:
    """The route with one hostile value each: in a parameter of its query, or in a part of its path."""
    parts = PARTS | {"id": who}
    fields = {field.alias or name: field for name, field in route.terms.query.model_fields.items()}
    needed = {name: who for name, field in fields.items() if field.is_required()}
    for value in VALUES:
        for name in fields:
            others = urlencode({other: needed[other] for other in needed if other != name})
            yield f"{_filled(route.path, parts)}?{name}={value}&{others}".rstrip("&")
        for name in re.findall(r"\{(\w+)\}", route.path):
            yield _filled(route.path, parts | {name: value})


async def test_no_query_and_no_path_is_an_internal_error(api: Api) -> None:
    who, failed, count = await api.sign_up(), [], 0
    for route in ROUTES:
        if route.method == "GET" and route.path not in STREAMS:
            for path in _hostile(route, who.id):
                answer = await api.ask("GET", path, token=ADMIN_KEY if route.key == "admin" else who.token)
                count += 1
                if answer.code == "internal":
                    failed.append(path)
    assert count > 300
    assert not failed, failed[:10]


@pytest.mark.parametrize("moment", BEYOND + FAR)
async def test_no_moment_in_a_body_is_an_internal_error(api: Api, moment: str) -> None:
    who = await api.sign_up()
    letter = {"text": "a", "expected_count": 1, "filter": {"created_until": moment}}
    for path, body in (
        (f"players/{who.id}/ban", {"until": moment}),
        (f"players/{who.id}/rollback", {"to": moment}),
        ("campaigns", letter),
        ("queries/saved", {"query": {"created_since": moment}}),
        ("rules", {"game": "", "at": moment}),
        ("rules/revert", {"at": moment}),
    ):
        answer = await api.ask("POST", f"/admin/v1/{path}", token=ADMIN_KEY, body=body | {"reason": "a test"})
        if moment in BEYOND:
            assert_problem(answer, "bad_input", path)
        assert answer.status < 500, (path, answer.body)


async def test_an_error_about_thousands_of_parameters_shows_few(api: Api) -> None:
    once = "&".join(f"p{number}=" for number in range(500))
    for query in (once, f"{once}&{once}", f"{'p' * 3000}=&{'p' * 3000}="):
        answer = await api.ask("GET", f"/v1/boards/exp?{query}")
        assert_problem(answer, "bad_input", query[:20])
        assert len(answer.body["errors"]) <= MAX_PROBLEMS
        assert max(len(fault["field"]) for fault in answer.body["errors"]) <= MAX_PATH
