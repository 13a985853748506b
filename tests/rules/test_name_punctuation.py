"""Punctuation of names as keyboards of many languages type it: what counts as the same, what is shown, and where."""

import pytest

from gameserver.rules.names import parse
from tests.rules.refused_names import problem_of_name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ｔａｒｏ＿１", "Ｔａｒｏ_１"),
        ("Ann－Lee", "Ann-Lee"),
        ("Ａnn．Ｌ", "Ａnn.Ｌ"),
        ("Ann＇s", "Ann's"),
        ("Ann…", "Ann..."),
    ],
)
def test_punctuation_as_other_keyboards_type_it_is_shown_as_the_plain_one(text, shown):
    assert parse(text) == parse(shown)
    assert parse(text).shown == shown


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Gal·la", "GAL.LA"),
        ("Ga\u0140la", "Gal.la"),
        ("约翰·史密斯", "约翰.史密斯"),
        ("ジョン・スミス", "ジョン.スミス"),
        ("ｼﾞｮﾝ･ｽﾐｽ", "ジョン.スミス"),
        ("צ׳רלי", "צ'רלי"),
        ("ג׳ורג׳", "ג'ורג'"),
        ("O‘Brien", "o'Brien"),
        ("Jean‐Luc", "Jean-Luc"),
        ("Jean\u2011Luc", "jean-luc"),
    ],
)
def test_punctuation_amid_a_word_is_shown_as_typed_and_is_one_with_its_plain_form(text: str, plain: str) -> None:
    assert parse(text).shown == text
    assert parse(text).keys == parse(plain).keys


@pytest.mark.parametrize(
    "text",
    ["·Gala", "Gala·", "Gal··la", "Gal·-la", "Gal· la", "‘Brien", "Ann‐", "‑Ann", "・ジョン", "׳שלום", "ש׳׳", "··"],
)
def test_punctuation_amid_a_word_stands_nowhere_else(text: str) -> None:
    assert "isn't allowed" in problem_of_name(text)


def test_punctuation_of_one_script_goes_with_no_other() -> None:
    for text in ("Ann׳s", "Ж・Ж"):
        assert "mixes" in problem_of_name(text)
