"""Strategies for what people, engines and studios write: names, tokens, ids and game files."""

import tomllib
from copy import deepcopy
from functools import cache
from typing import Any

from hypothesis import strategies as st

from gameserver.storage.ids import new_command_id
from gameserver.storage.sessions.tokens import new_token
from tests.support.repository import CONFIG

ANY_TEXT = st.text(max_size=40) | st.text(st.characters(categories=["L", "M", "N", "P", "S", "Z", "C"]), max_size=40)
NAMES = st.one_of(
    ANY_TEXT,
    st.from_regex(r"[A-Za-z][A-Za-z '._-]{0,22}[A-Za-z]", fullmatch=True),
    st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1, max_size=26),
    st.text(st.characters(min_codepoint=0x0E01, max_codepoint=0x0E4E), min_size=1, max_size=26),
    st.text(st.sampled_from("aа０0OоІlI1ﬁ’'\u0301\u200d\ufe0f\u3000 "), max_size=26),
)


def damaged(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Texts with a piece cut out, doubled, or replaced."""

    @st.composite
    def make(draw: st.DrawFn) -> str:
        text = draw(texts)
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, len(text)))
        return (
            text[:start] + draw(st.sampled_from(["", text[start:end] * 2, "\0", "٣", "-", "%"]) | ANY_TEXT) + text[end:]
        )

    return make()


TOKENS = st.one_of(
    ANY_TEXT,
    st.builds(lambda number, secret: f"{number}.{secret}", st.integers() | ANY_TEXT, ANY_TEXT),
    damaged(st.builds(new_token, st.integers(0, 2**63 - 1))),
)
PLAYER_IDS = st.one_of(
    ANY_TEXT, st.integers().map(str), st.integers(1, 2**63 - 1).map(str), damaged(st.just(str(2**62)))
)
COMMAND_IDS = st.one_of(ANY_TEXT, st.uuids().map(str), damaged(st.builds(new_command_id, st.integers(0, 2**48 - 1))))
TOML_VALUES = st.recursive(
    st.booleans()
    | st.integers()
    | st.floats()
    | ANY_TEXT
    | st.dates()
    | st.sampled_from(["current", "exp", "* * * * *"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)


@cache
def _game() -> dict[str, Any]:
    return tomllib.loads((CONFIG / "game.toml").read_text("utf-8"))


@st.composite
def game_files(draw: st.DrawFn) -> dict[str, Any]:
    """The example game with a few of its values changed, removed, or joined by others."""
    game = deepcopy(_game())
    for _ in range(draw(st.integers(1, 3))):
        table, depth = game, draw(st.integers(0, 3))
        for _ in range(depth):
            inner = [value for value in table.values() if isinstance(value, dict) and value]
            if not inner:
                break
            table = draw(st.sampled_from(inner))
        name = draw(st.sampled_from(sorted(table)) if table else ANY_TEXT)
        match draw(st.sampled_from(["change", "remove", "add"])):
            case "change":
                table[name] = draw(TOML_VALUES)
            case "remove":
                table.pop(name, None)
            case _:
                table[draw(ANY_TEXT)] = draw(TOML_VALUES)
    return game
