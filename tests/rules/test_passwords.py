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


@pytest.mark.parametrize(
    "password",
    ["p\u200bassword", "12345678\u2060", "password\u00ad", "\ufeffpassword", "".join(map(chr, range(0x200B, 0x2013))),
     "\u3164" * 4 + "\u115f\u1160\uffa0\u2062", "a good \ue000 password", "a good \U000f0000 password",
     "a good \u1113\u1161 password", "a good \ua960 password", "a good \ud7b0 password", "a good \ud800 password",
     "a good \u0378 password", "a good \ufdd0 password", "a good \u2028 password", "a good \u202e password",
     "a good \u0600 password", "a good \ufe0f password", "a good \U000e0100 password", "a good \u0640 password",
     "a good \u200d password", "a good\u200cpassword", "\u200ca good password", "a good password\u200d",
     "\u0645\u06cc\u200c a good password", "\u0645\u0627\u200c\u062e\u0648\u0627\u0647\u0645\u0645", "x" * 8 + "\x7f"],
)  # fmt: skip
def test_what_a_password_of_rfc_8265_cant_have_is_refused_when_it_is_set(password: str) -> None:
    with pytest.raises(BadInput) as caught:
        require_good(password, "Count Ann")
    assert "can't have" in caught.value.errors[0].problem
    assert prepared(password), "one that was set before can still be compared"


@pytest.mark.parametrize(
    ("password", "name"),
    [("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u062e\u0648\u0627\u0647\u0645"),
     ("\u0915\u094d\u200d\u0937\u0915\u094d\u0937\u0915", "\u0915\u094d\u0937\u0915\u094d\u0937\u0915"),
     ("\u0915\u094d\u200d" * 3, "Ann")],
)  # fmt: skip
def test_joiners_that_are_allowed_make_no_other_password(password: str, name: str) -> None:
    with pytest.raises(BadInput) as caught:
        require_good(password, name)
    assert "can't have" not in caught.value.errors[0].problem


@pytest.mark.parametrize(
    "password",
    ["correct horse", "Contraseña2", "비밀번호입니다요", "anns-password",
     "\u0646\u0645\u06cc\u200c\u062f\u0627\u0646\u0645 \u0686\u0647",
     "\u0646\u0645\u06cc\u064e\u200c\u064e\u062f\u0627\u0646\u0645 \u0686\u0647",
     "\u0915\u094d\u200d\u0937 \u0915\u0916\u0917\u0918", "\u0915\u094d\u200c\u0937 \u0915\u0916\u0917\u0918",
     "Gal\u00b7la \u30fb\u0661\u0662", "\u1112\u1161\u11ab\uae00\uc554\ud638\ubb38\uc790\uc5f4\uc785",
     "\ufb01ne \u2460 \u20ac \U0001f600", "\uff21\uff42 wide form"],
)  # fmt: skip
def test_other_passwords_are_fine(password: str) -> None:
    require_good(password, "Count Ann")
