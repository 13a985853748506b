"""A list in a query is written with commas or as its name again and again, as generated clients do: it is the same."""

import re

import pytest

from gameserver.transport import wire
from gameserver.transport.route import Route
from gameserver.transport.routes import ROUTES
from tests.support.client import ADMIN_KEY, Answer, Api
from tests.support.redis_play import until_ranked
from tests.transport.doors import assert_problem

LISTS = [(route, name) for route in ROUTES for name in sorted(wire.lists_of(route.terms.query))]


def shown(answer: Answer) -> object:
    """The body without what differs from one answer to the next."""
    return {name: value for name, value in answer.body.items() if name not in ("as_of", "nodes")}


@pytest.mark.own_node
async def test_a_list_is_the_same_however_it_is_written(api: Api) -> None:
    ann, bea = [await api.sign_up() for _ in range(2)]
    await until_ranked(api, ann, bea)
    values = {"ids": [ann.id, bea.id], "percentiles": ["50", "99"], "actions": ["hunt", "sign_up"]}

    async def ask(route: Route, query: str) -> Answer:
        path = re.sub(r"\{(\w+)\}", lambda part: "exp" if part[1] == "board" else ann.id, route.path)
        return await api.ask("GET", f"{path}?{query}", token=ann.token if route.role is None else ADMIN_KEY)

    assert {name for _, name in LISTS} == set(values)
    for route, name in LISTS:
        first, second = values[name]
        with_comma = await ask(route, f"{name}={first},{second}")
        assert with_comma.status == 200, (route.path, with_comma.body)
        for query in (f"{name}={first}&{name}={second}", f"{name}={first}&{name}={second},{second}"):
            again = await ask(route, query)
            if name == "ids" or not query.endswith(f",{second}"):
                assert (again.status, shown(again)) == (200, shown(with_comma)), (route.path, query)
        assert_problem(await ask(route, f"{name}={first}&{name}="), "bad_input", (route.path, name))


async def test_what_is_no_list_may_be_given_once(api: Api) -> None:
    ann = await api.sign_up()
    for path in ("ledger?limit=1&limit=1", "ledger?limit=1&limit=2", "inbox?cursor=a&cursor=a", "feed?limit=1&limit=1"):
        answer = await api.ask("GET", f"/v1/players/me/{path}", token=ann.token)
        assert_problem(answer, "bad_input", path)
        assert answer.body["errors"][0]["problem"] == "is given twice"
