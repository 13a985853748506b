"""A Lua script as its file describes it: names are bound, shared pieces are put in, and the result is checked.

Law: a script's file lies in its room's `lua/` and has a legend, one comment line for each name:

    -- KEYS state: the contest's state          a key
    -- ARGV ids...: player ids, 8 bytes each    an argument; dots: all that are left, as a table (also of keys)
    -- CONST ROW: how a row is packed           a value that Python gives when it loads the script
    -- include: live                            the text of lua/shared/live.lua, from the room or from `redis`
    -- FLAGS allow-oom: why                      runs also while Redis is full: only for what takes bounded memory

Each line becomes a local variable of that name, in the order of the lines, so nobody writes an index by hand; `Script`
binds the same names on the side of Python. A shared piece may have CONST and include lines; each is put in once.
A name in the legend that the script doesn't use, or a name in the script that nothing declares, raises LegendFault
when the script is loaded. `make lua-check` lints the same text.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

HOME = "gameserver.storage.redis"
"""The room whose shared pieces every other room may include."""
Constant = str | int | tuple[str, ...]
NO_CONSTANTS: Mapping[str, Constant] = {}

_NAME = re.compile(r"-- (KEYS|ARGV) (\w+)(\.\.\.)?: (.*)")
_CONST = re.compile(r"-- CONST (\w+): (.*)")
_FLAGS = re.compile(r"-- FLAGS ([\w-]+): (.*)")
_INCLUDE = re.compile(r"-- include: (\w+)")

_NOT_CODE = re.compile(r"--[^\n]*+|'(?:[^'\\\n]|\\.)*+'?|\"(?:[^\"\\\n]|\\.)*+\"?")
_BY_HAND = re.compile(r"\b(KEYS|ARGV)\b")
_DECLARED = re.compile(
    r"\blocal ++(?!function\b)([\w, ]++)|\bfunction *+(\w*+) *+\(([^()]*+)\)"
    r"|\bfor ++(\w++(?: *+, *+\w++)*+) ++in\b|\bfor ++(\w++) *+="
)
_USED = re.compile(r"(?<![\w.:])[A-Za-z_]\w*(?!\w|\s*=[^=])")
_LANGUAGE = frozenset(
    re.findall(
        r"\w+",
        "and break do else elseif end error false for function if in local nil not or pcall repeat return then true "
        "until while cjson ipairs math pairs redis string struct table tonumber tostring type unpack KEYS ARGV",
    )
)


class LegendFault(ValueError):
    """A script, its legend and its caller don't agree on the names."""


@dataclass(frozen=True, slots=True)
class Names:
    """The keys or arguments of a script, in order; with `has_tail`, the last name stands for all that are left."""

    names: tuple[str, ...] = ()
    has_tail: bool = False


@dataclass(frozen=True, slots=True)
class Assembled:
    """A script with its legend bound: `text` is what Redis gets."""

    keys: Names
    arguments: Names
    text: str


def assemble(package: str, name: str, constants: Mapping[str, Constant] = NO_CONSTANTS) -> Assembled:
    """The script `name` of a room. Raises LegendFault."""
    assembly = _Assembly(package, name, constants)
    text = "\n".join(assembly.lines(_folder(package).joinpath(f"{name}.lua"))) + "\n"
    assembly.require_names(_NOT_CODE.sub("''", text))
    return Assembled(assembly.names["KEYS"], assembly.names["ARGV"], assembly.flags + text)


class _Assembly:
    """One script in the making."""

    def __init__(self, package: str, name: str, constants: Mapping[str, Constant]) -> None:
        self._package, self._name, self._constants = package, name, constants
        self._given: set[str] = set()
        """The constants and shared pieces that the text has already."""
        self.names = {"KEYS": Names(), "ARGV": Names()}
        self.flags = ""
        """The line that a script with flags has to begin with."""

    def lines(self, file: Traversable) -> Iterator[str]:
        """A file's lines, those of its legend replaced by what they stand for."""
        for line in file.read_text("utf-8").splitlines():
            if match := _NAME.fullmatch(line):
                yield self._bound(match[1], match[2], match[4], is_tail=match[3] is not None)
            elif match := _CONST.fullmatch(line):
                yield from self._constant(match[1], match[2])
            elif match := _INCLUDE.fullmatch(line):
                yield from self._included(match[1])
            elif match := _FLAGS.fullmatch(line):
                self.flags = f"#!lua flags={match[1]}\n"
                yield f"-- {match[2]}"
            elif _BY_HAND.search(_NOT_CODE.sub("", line)):
                raise self._fault(f"KEYS and ARGV are bound by the legend alone: {line.strip()}")
            else:
                yield line

    def _bound(self, table: str, name: str, meaning: str, *, is_tail: bool) -> str:
        known = self.names[table]
        if known.has_tail or any(name in each.names for each in self.names.values()):
            raise self._fault(f"{name} comes twice in the legend, or after the one for all that are left")
        self.names[table] = Names((*known.names, name), is_tail)
        at = len(known.names) + 1
        if not is_tail:
            return f"local {name} = {table}[{at}] -- {meaning}"
        if at == 1:
            return f"local {name} = {table} -- {meaning}"
        return f"local {name} = {{}} for at = {at}, #{table} do {name}[at - {at - 1}] = {table}[at] end -- {meaning}"

    def _constant(self, name: str, meaning: str) -> Iterator[str]:
        if name not in self._constants:
            raise self._fault(f"nobody gives the constant {name}")
        if name not in self._given:
            self._given.add(name)
            yield f"local {name} = {_literal(self._constants[name])} -- {meaning}"

    def _included(self, name: str) -> Iterator[str]:
        if name in self._given:
            return
        self._given.add(name)
        for package in (self._package, HOME):
            piece = _folder(package).joinpath("shared", f"{name}.lua")
            if piece.is_file():
                yield from self.lines(piece)
                return
        raise self._fault(f"there is no shared piece {name}")

    def require_names(self, code: str) -> None:
        """Every name of the legend is used, and every name that is used is declared somewhere in the script."""
        used = set(_USED.findall(code))
        declared = {name for groups in _DECLARED.findall(code) for name in re.findall(r"\w+", " ".join(groups))}
        bound = {name for names in self.names.values() for name in names.names}
        if unknown := sorted(used - declared - _LANGUAGE):
            raise self._fault(f"the script uses {', '.join(unknown)}, which nothing declares")
        if idle := sorted(bound - used):
            raise self._fault(f"the legend names {', '.join(idle)}, which the script doesn't use")

    def _fault(self, problem: str) -> LegendFault:
        return LegendFault(f"{self._package}, {self._name}.lua: {problem}")


def _literal(value: Constant) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return "{ " + ", ".join(map(_literal, value)) + " }"


def _folder(package: str) -> Traversable:
    return files(package).joinpath("lua")
