"""Every path checks its key, and doors hand the commands' contexts on without looking into them."""

import ast
import dataclasses
import re
from pathlib import Path

import pytest

from gameserver.commands.commands import Commands
from gameserver.transport.route import Route
from gameserver.transport.routes import ROUTES
from tests.support.client import ADMIN_KEY, Answer, Api
from tests.support.repository import ROOT

CONTEXTS = {field.name for field in dataclasses.fields(Commands)}
CONTEXT_CLASSES = {
    node.annotation.id
    for node in ast.walk(ast.parse((ROOT / "gameserver/commands/commands.py").read_text("utf-8")))
    if isinstance(node, ast.AnnAssign) and isinstance(node.annotation, ast.Name)
}
MODULES = sorted((ROOT / "gameserver/transport").rglob("*.py"))


class LooksInside(ast.NodeVisitor):
    """Collects the places of a function where it takes something out of a context, also by way of a local variable."""

    def __init__(self, function: ast.AST) -> None:
        self.places: list[str] = []
        self._names: dict[str, str] = {}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    self._bind(target, node.value)
            elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
                self._bind(node.target, node.value)
        self.visit(function)

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, other in zip(target.elts, value.elts, strict=True):
                self._bind(one, other)
        elif isinstance(target, ast.Name) and (kind := self._kind(value)):
            self._names[target.id] = kind

    def _kind(self, value: ast.AST) -> str:
        """Whether a value is the `commands`, one `context` of them, or nothing of the kind."""
        match value:
            case ast.Name(id=name):
                return self._names.get(name, "")
            case ast.Subscript(slice=ast.Name(id="COMMANDS")) | ast.Attribute(attr="commands"):
                return "commands"
            case ast.Attribute(value=inner, attr=attribute):
                return "context" if attribute in CONTEXTS and self._kind(inner) == "commands" else ""
        return ""

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if self._kind(node.value) == "context":
            self.places.append(f"line {node.lineno}: {ast.unparse(node)}")
        self.generic_visit(node)


def looks_inside(source: str) -> list[str]:
    functions = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
    return [place for function in functions for place in LooksInside(function).places]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT / "gameserver/transport")))
def test_a_door_hands_contexts_on_and_takes_nothing_out_of_them(module: Path) -> None:
    source = module.read_text("utf-8")
    assert looks_inside(source) == []
    names = {
        alias.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert not names & CONTEXT_CLASSES, "a door that knows a context's class could be given one as a parameter"


@pytest.mark.parametrize(
    "body",
    [
        "request.app[COMMANDS].play.players",
        "await play.read(request.app[COMMANDS].operations.live, 1)",
        "context = request.app[COMMANDS].play; context.rulebook",
        "board, context = 'exp', request.app[COMMANDS].leaderboards; context.now()",
        "commands = conversation.commands; commands.accounts.policy",
        "if context := self.commands.friends: context.room",
    ],
)
def test_the_check_sees_a_door_that_looks_inside(body: str) -> None:
    assert len(looks_inside(f"async def handler(request, conversation, self):\n    {body}\n")) == 1


def test_the_check_lets_contexts_be_handed_on() -> None:
    assert {"play", "accounts", "operations", "live"} <= CONTEXTS
    assert {"Play", "Accounts", "Operations", "LivePlayers"} <= CONTEXT_CLASSES
    assert (
        looks_inside("def handler(request):\n    context = request.app[COMMANDS].play\n    play.act(context)\n") == []
    )


async def answer_to(api: Api, route: Route, token: str | None) -> Answer:
    """What a route answers to a request that is nothing but its key."""
    return await api.ask(route.method, re.sub(r"{\w+}", "1", route.path), token=token)


async def test_every_route_asks_for_the_key_that_the_table_gives_it(api: Api) -> None:
    session = (await api.sign_up()).token
    wrong = ("wrong", f"1.{'x' * 43}")
    assert {route.key for route in ROUTES} == {"none", "session", "admin"}
    for route in ROUTES:
        without = await answer_to(api, route, None)
        if route.key == "none":
            assert without.status not in (401, 403), route.path
            continue
        assert (without.status, without.code) == (401, "not_authenticated"), route.path
        refused = 401 if route.key == "session" else 403
        for token in (*wrong, ADMIN_KEY if route.key == "session" else session):
            assert (await answer_to(api, route, token)).status == refused, (route.path, token)
