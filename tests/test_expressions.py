"""No regular expression of the product takes time that grows faster than its text, whoever wrote that."""

import ast
import gc
import pkgutil
import re
import signal
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import gameserver
from gameserver.transport.callers.origins import Origins
from tests.support.hostile_texts import LENGTH, hostile_texts
from tests.support.repository import ROOT

SECONDS = 0.5
"""Of the processor: one that is linear takes a fortieth of it for LENGTH characters, one by the square several times
as much."""
METHODS = ("search", "match", "fullmatch", "findall", "finditer", "split", "sub")
ANYWHERE = ("search", "findall", "finditer", "split", "sub")


class Use(NamedTuple):
    """An expression, and whether its text is searched for it, rather than compared with it."""

    pattern: re.Pattern[Any]
    anywhere: bool


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Interrupts what takes more of the processor; an expression looks for signals now and then.

    No garbage is collected meanwhile: that takes as long as the whole process has objects.
    """

    def interrupt(*_: object) -> None:
        raise TimeoutError

    gc.disable()
    before = signal.signal(signal.SIGVTALRM, interrupt)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        gc.enable()


def is_linear(use: Use, text: str) -> bool:
    given: Any = text if isinstance(use.pattern.pattern, str) else text.encode("latin-1", "replace")
    try:
        with within(SECONDS):
            deque(use.pattern.finditer(given), 0) if use.anywhere else use.pattern.fullmatch(given)
    except TimeoutError:
        return False
    return True


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(gameserver.__path__, "gameserver."):
        if not found.name.endswith("__main__"):
            yield import_module(found.name)


@cache
def tree(module: ModuleType) -> ast.Module:
    return ast.parse(Path(str(module.__file__)).read_text("utf-8"))


def calls(module: ModuleType) -> Iterator[tuple[ast.expr, str, list[ast.expr]]]:
    """Of every call of such a method: whose it is, the method, and what is given."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            yield node.func.value, node.func.attr, node.args


def named(module: ModuleType, expression: ast.expr) -> Any:
    """What a global's name stands for, or a text."""
    match expression:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return getattr(module, name, None)
        case ast.Attribute(value=ast.Name(id=name), attr=attribute):
            return getattr(getattr(module, name, None), attribute, None)
    return None


@cache
def expressions() -> dict[str, Use]:
    """Every one that a module holds or writes, by where it is; one that no call names may be used in any way.

    Not while tests are collected: to read all modules takes seconds, of every worker of a run.
    """
    held: dict[re.Pattern[Any], str] = {}
    ways: dict[re.Pattern[Any], set[str]] = defaultdict(set)
    for module in modules():
        for name, value in vars(module).items():
            for each in value if isinstance(value, tuple) else (value,):
                if isinstance(each, re.Pattern):
                    held.setdefault(each, f"{module.__name__}.{name}")
        for owner, method, arguments in calls(module):
            is_inline = isinstance(owner, ast.Name) and owner.id == "re"
            found = named(module, arguments[0] if is_inline and arguments else owner)
            if is_inline and isinstance(found, str):
                found = re.compile(found)
                held.setdefault(found, f"{module.__name__}: {found.pattern}")
            if isinstance(found, re.Pattern):
                ways[found].add(method)
    of_pages = Origins(["https://*.example.com", "https://game.example"])._expression
    held[of_pages], ways[of_pages] = "origins", {"fullmatch"}
    return {
        where: Use(pattern, not ways[pattern] or not ways[pattern].isdisjoint(ANYWHERE))
        for pattern, where in held.items()
    }


def slow_text(use: Use) -> str | None:
    """One that the expression takes too long for."""
    texts = hostile_texts(use.pattern.pattern, use.pattern.flags)
    return next((text for text in texts if not is_linear(use, text)), None)


def test_hostile_texts_take_linear_time() -> None:
    slow = {where: text for where, use in expressions().items() if (text := slow_text(use)) is not None}
    assert not slow, {where: f"{text[:60]!r}… of {len(text)} characters" for where, text in slow.items()}


def test_a_page_of_expressions_is_looked_at() -> None:
    assert len(expressions()) > 60
    assert "gameserver.transport.http.inputs._JSON_TYPE" in expressions()


def test_expressions_of_models_are_linear_by_their_engine() -> None:
    """Rust's, which never goes back; another one would need this page."""
    sources = [path for path in (ROOT / "gameserver").rglob("*.py") if "python-re" in path.read_text("utf-8")]
    assert not sources


@pytest.mark.parametrize(
    ("pattern", "anywhere"),
    [
        (r'application/json[ \t]*(;[ \t]*(charset[ \t]*=[ \t]*"?utf-?8"?)?[ \t]*)*', False),
        (rb"\r?\norigin:[ \t]*([!-~]*)[ \t]*\r?(?=\n)", True),
        (r"""(?:[ \t]*\.[ \t]*(?:[\w-]+|"[^"\n]*"|'[^'\n]*')){32}""", True),
        (r"(a+)+b", False),
        (r"[a-z]*;", True),
    ],
)
def test_what_grows_faster_is_found(pattern: str | bytes, anywhere: bool) -> None:
    assert slow_text(Use(re.compile(pattern, re.IGNORECASE), anywhere)) is not None
    assert LENGTH == 1 << 16
