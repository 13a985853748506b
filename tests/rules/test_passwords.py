"""Passwords: one form on every system, and what is too easy to guess is refused when it is set."""

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameserver.rules.errors import BadInput
from gameserver.rules.passwords import prepared, require_good


@given(st.text())
def test_the_form_is_the_same_however_a_system_types_it_and_is_its_own_form(text: str) -> None:
    assert prepared(normalize("NFD", text)) == prepared(normalize("NFC", text)) == prepared(text)
    assert prepared(prepared(text)) == prepared(text)


def test_spaces_are_one_space_and_case_and_width_are_kept() -> None:
    assert prepared("a\u00a0b\u3000c") == "a b c"
    assert prepared("Ａb") == "Ａb"


@pytest.mark.parametrize(
    "password",
    ["password", "Password1", "12345678", "QWERTYUIOP", "iloveyou", "aaaaaaaa", "Count Ann", "COUNT ANN",
     "a\x00bcdefgh", "e\u0301e\u0301e\u0301e\u0301"],
)  # fmt: skip
def test_what_is_easy_to_guess_is_refused(password: str) -> None:
    with pytest.raises(BadInput) as caught:
        require_good(password, "Count Ann", "new")
    assert [problem.field for problem in caught.value.errors] == ["new"]


@pytest.mark.parametrize("password", ["correct horse", "Contraseña2", "비밀번호입니다요", "anns-password"])
def test_other_passwords_are_fine(password: str) -> None:
    require_good(password, "Count Ann")
