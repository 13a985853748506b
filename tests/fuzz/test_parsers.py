"""What people, engines and studios write is read, and is then what it should be, or is refused with its own error."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameserver.commands import command_ids
from gameserver.commands.results import Question
from gameserver.config.errors import ConfigFault
from gameserver.config.files import read_toml
from gameserver.rules import names
from gameserver.rules.boards import describe
from gameserver.rules.errors import BadInput, NotAuthenticated
from gameserver.rules.game import Game, GameFault
from gameserver.storage.ids import LARGEST_ID, is_command_id
from gameserver.storage.sessions import tokens
from gameserver.transport.http import cursors, inputs
from tests.fuzz.strategies import ANY_TEXT, COMMAND_IDS, NAMES, PLAYER_IDS, TOKENS, damaged, game_files
from tests.support.repository import CONFIG

NOW = datetime(2026, 11, 28, tzinfo=UTC)
Result = TypeVar("Result")
Refusal = TypeVar("Refusal", bound=Exception)


def _outcome(kind: type[Refusal], function: Callable[..., Result], *arguments: object) -> Result | Refusal:
    """What the function returns, or the error of this kind that it raises."""
    try:
        return function(*arguments)
    except kind as refusal:
        return refusal


@given(NAMES)
def test_a_name_is_refused_or_stays_the_same_when_it_is_read_again(text: str) -> None:
    name = _outcome(BadInput, names.parse, text)
    if isinstance(name, BadInput):
        assert [fault.field for fault in name.errors] == ["name"]
        return
    assert name.shown == normalize("NFC", name.shown) == name.shown.strip()
    assert 0 < len(name.shown) <= names.LONGEST
    assert name.keys
    assert all(name.keys)
    again = names.parse(name.shown)
    assert again == name
    for other in (name.shown.upper(), name.shown.lower(), normalize("NFD", name.shown), f"  {name.shown} "):
        other_name = _outcome(BadInput, names.parse, other)
        assert isinstance(other_name, BadInput) or other_name.key == name.key, other


@given(TOKENS)
def test_a_token_is_refused_or_names_a_player_and_a_session(text: str) -> None:
    try:
        player_id, session = tokens.identify(text)
    except NotAuthenticated:
        return
    assert 0 <= player_id <= LARGEST_ID
    assert len(session) == 64


@given(PLAYER_IDS)
def test_a_player_id_has_one_spelling(text: str) -> None:
    player_id = _outcome(BadInput, inputs.player_id, text)
    if isinstance(player_id, BadInput):
        assert [fault.field for fault in player_id.errors] == ["id"]
        return
    assert str(player_id) == text
    assert 0 < player_id <= LARGEST_ID


@given(COMMAND_IDS)
def test_a_command_id_is_refused_or_is_a_uuid7_in_lower_case(text: str) -> None:
    command_id = _outcome(BadInput, command_ids.checked_or_new, text, lambda: NOW, "command_id")
    if isinstance(command_id, BadInput):
        assert [fault.field for fault in command_id.errors] == ["command_id"]
        return
    assert is_command_id(command_id)
    assert command_id == text.lower()


@given(
    ANY_TEXT
    | damaged(st.just("MTIzNDU2NzggMTAwIDEwMA"))
    | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()),
    st.sampled_from(["exp", "level", "hp", "created_at"]),
)
def test_a_cursor_that_the_server_has_not_made_is_refused(text: str, by: str) -> None:
    with pytest.raises(BadInput):
        cursors.parse(text, Question(by=by, limit=10, descending=True))  # type: ignore[arg-type]


@given(game_files(), st.integers(0, 2**53))
@settings(max_examples=200)
def test_a_game_file_is_refused_with_its_faults_or_is_a_game(mapping: dict[str, object], exp: int) -> None:
    game = _outcome(GameFault, Game.parse, mapping)
    if isinstance(game, GameFault):
        assert game.problems
        assert all(": " in problem for problem in game.problems), game.problems
        return
    level = game.level_of(exp)
    assert level >= 1
    assert all(game.max_hp(name, level) >= 1 for name in game.classes)
    assert all(describe(board) for board in game.boards.values())


@given(damaged(st.just((CONFIG / "game.toml").read_text("utf-8"))))
@settings(max_examples=50)
def test_a_damaged_file_is_read_or_refused_with_its_path(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    mapping = _outcome(ConfigFault, read_toml, path)
    if isinstance(mapping, ConfigFault):
        assert str(path) in str(mapping)
        return
    game = _outcome(GameFault, Game.parse, mapping)
    assert isinstance(game, Game) or game.problems


def test_a_file_that_is_nested_deeper_than_can_be_read_is_refused(tmp_path: Path) -> None:
    for text in ("x = " + "[" * 20_000, "x = " + "{a=" * 20_000):
        path = tmp_path / "deep.toml"
        path.write_text(text)
        with pytest.raises(ConfigFault, match=r"deep\.toml"):
            read_toml(path)
