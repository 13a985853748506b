"""The house holds what its rooms promise: entered by their doors, one name for one class, plain words."""

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

from tests.support.repository import ROOT

HOUSES = ("gameserver", "gameserver/storage", "gameserver/transport", "gameserver/stack", "bots")
PRONOUNS = re.compile(r"\b(he|him|his|himself|she|hers|oneself)\b", re.IGNORECASE)


def rooms() -> list[Path]:
    """Every folder of a house that is a room, relative to the repository."""
    folders = [folder for house in HOUSES for folder in (ROOT / house).iterdir() if (folder / "__init__.py").exists()]
    return sorted(folder.relative_to(ROOT) for folder in folders if str(folder.relative_to(ROOT)) not in HOUSES)


def door(room: Path) -> str:
    """What a room's docstring says behind `Door:`."""
    text = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text("utf-8"))) or ""
    assert "Door:" in text, f"{room}/__init__.py doesn't say what others may use"
    return text.split("Door:")[1]


def named(room: Path) -> set[str]:
    """The names behind `Door:`: modules, or what they define."""
    return {part for name in re.findall(r"`([\w.]+)`", door(room)) for part in name.split(".")}


def defined(room: Path) -> set[str]:
    """Every name that a room's modules define, its modules and its sub-rooms."""
    trees = [ast.parse(path.read_text("utf-8")) for path in (ROOT / room).rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {node.name for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)}
    names |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return names | {path.stem for path in (ROOT / room).iterdir()} | {*room.parts, "__main__"}


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(path for path in (ROOT / folder).rglob("*.py"))


@cache
def imported(path: Path) -> Sequence[str]:
    """The dotted names that a module imports from the product's packages."""
    return [
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ("gameserver", "bots")
        for alias in node.names
    ]


@pytest.mark.parametrize("room", rooms(), ids=str)
def test_a_room_is_entered_by_its_door(room: Path) -> None:
    package = ".".join(room.parts) + "."
    inside = {path.stem for path in (ROOT / room).iterdir()}
    allowed = inside if "every module" in door(room) else named(room) & inside
    strangers = [path for path in modules("gameserver", "bots") if room not in path.relative_to(ROOT).parents]
    intruders = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in strangers
        for name in imported(path)
        if name.startswith(package) and (module := name.removeprefix(package).split(".")[0]) in inside
        if module not in allowed
    }
    assert not intruders, sorted(intruders)
    assert not named(room) - defined(room), f"the door of {room} names what isn't there"


def test_a_class_name_has_one_meaning() -> None:
    places = defaultdict(set)
    for path in modules("gameserver", "bots"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].add(str(path.relative_to(ROOT)))
    assert not {name: sorted(found) for name, found in places.items() if len(found) > 1}


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines of a file that a person reads; of Python, its docstrings and comments."""
    lines = path.read_text("utf-8").splitlines()
    if path.suffix != ".py":
        yield from enumerate(lines, 1)
        return
    wanted = {number for number, line in enumerate(lines, 1) if "#" in line}
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            wanted |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    yield from ((number, lines[number - 1]) for number in sorted(wanted))


def test_a_player_is_it() -> None:
    files = [
        *modules("gameserver", "bots", "tests"),
        *(path for suffix in ("sql", "lua") for path in (ROOT / "gameserver").rglob(f"*.{suffix}")),
        *(ROOT / "docs").rglob("*.md"),
        *ROOT.glob("*.md"),
    ]
    lines = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        if path != Path(__file__)
        for number, line in prose(path)
        if PRONOUNS.search(line)
    ]
    assert not lines, "\n".join(lines)


def test_what_isnt_released_has_no_released_versions_number() -> None:
    """A wheel of it would count as installed already."""
    projects = [tomllib.loads((ROOT / folder / "pyproject.toml").read_text("utf-8")) for folder in (".", "bots")]
    (version,) = {project["project"]["version"] for project in projects}
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == version or (headings[0] == "Unreleased" and version not in headings)
    assert f"heroledger-{version}-py3" in (ROOT / "README.md").read_text("utf-8")
