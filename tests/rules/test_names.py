"""Names: which share a key, and which no player can have."""

from hashlib import blake2b
from unicodedata import category, normalize

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from gameserver.rules.errors import BadInput
from gameserver.rules.looks import former_looks_of
from gameserver.rules.names import LONGEST, LOOK, Name, key_of, keys_of, parse, read
from gameserver.rules.punctuation import MEDIALS
from tests.rules.refused_names import problem_of_name

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
LETTERS = st.text(
    st.characters(categories=["L", "Mn", "Mc", "N", "Zs"], include_characters="_-.' " + "".join(MEDIALS)),
    min_size=2,
    max_size=12,
)


def _parsed(text: str, shortest: int = 2) -> Name | None:
    try:
        return parse(text, shortest)
    except BadInput:
        return None


@pytest.mark.parametrize(
    "text",
    [
        "Ann",
        "전사왕",
        "승려 D",
        "Zoë",
        "d'Artagnan",
        "Jean-Luc",
        "A.B_c",
        "李小龍",
        "สมชาย",
        "नमस्ते",
        "Ω3",
        "12",
        "Владимир",
        "ㅋㅋㅋ",
        "น้ำ",
        "Ａｎｎ",
        "ｶﾞﾙ",
        "O’Brien",
        "O\u02bcBrien",
        "李Ann",
        "カタひらAnn李",
        "ㄅㄆ李",
        "이Ann李",
        "Dr. No",
        "\u05e9\u05dc\u05d5\u05dd",
        "मौसी",
        "ประเทศไทย",
        "Nguyễn Văn",
        "İbrahim",
        "ქართველი",
    ],
)
def test_names_of_many_scripts_are_shown_as_they_are_written(text):
    assert parse(text).shown == text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann", "aNN"),
        ("Ann", "Ａｎｎ"),
        ("Straße", "STRASSE"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("Zoë", "Zoe\u0308"),
        ("Iris", "ırıs"),
        ("Ann Lee", "ann\u3000\u00a0 lee"),
        ("Ann Lee", "  Ann\u2003Lee "),
        ("전사", "전사"),
        ("ﬁn", "FIN"),
        ("ｶﾞﾙ", "ガル"),
        ("O’Brien", "o'BRIEN"),
        ("O\u02bcBrien", "O’Brien"),
        ("ㅋㅋㅋ", "ᄏᄏᄏ"),
        ("น้ำ", "น้ํา"),
    ],
)
def test_names_that_differ_in_case_width_or_spacing_share_a_key(one, other):
    assert parse(one).key == parse(other).key


@pytest.mark.parametrize(("one", "other"), [("Ann", "Anna"), ("Ann Lee", "AnnLee"), ("Zoë", "Zoe"), ("a-b", "a_b")])
def test_names_that_read_differently_have_keys_of_their_own(one, other):
    assert parse(one).key != parse(other).key


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "A",
        "x" * 25,
        "x" * 10_000,
        "😀😀",
        "Ann😀",
        "1\ufe0f\u20e3",  # a keycap emoji
        "An\u200bn",
        "An\u200dn",
        "Ann\ufeff",
        "An\u00adn",
        "An\u202en",
        "An\u2060n",
        "An\x00n",
        "Ann\n",
        "A\tn",
        "Ann\u2028Lee",
        "ㅤㅤ",
        "a\u115fb",
        "a\u1160b",
        "a\uffa0b",
        "a\u17b4b",
        "a\u034fb",
        "a\u180eb",
        "a\ufe0fb",
        "a\U000e0100b",
        "a\u2800b",
        "\u0301ab",
        "a \u0301b",
        "a-\u0301b",
        "a" + "\u0301\u0302" * 3,
        "a\ue000b",
        "a\u0378b",
        "a\ud800b",
        "a/b",
        "a@b",
        "<b>",
        "..",
        "_-_",
    ],
)
def test_what_is_empty_too_long_unseen_or_no_letter_is_refused(text):
    assert problem_of_name(text)


@pytest.mark.parametrize(
    "text", ["аnna", "Ann Αnn", "Owеn", "paypаl", "Ωmega", "Ann नमस्ते", "ひらㅋ", "ЖЖ李", "שa", "ㄅㄆ이", "1١", "1२"]
)
def test_scripts_and_digits_that_no_language_mixes_are_refused(text):
    assert "mixes" in problem_of_name(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("scope", "ѕсоре"),  # all Cyrillic
        ("HOT", "нот"),
        ("vov", "νον"),  # all Greek, in lower case
        ("NON", "νον"),  # and in upper case
        ("Ian", "lan"),
        ("Kim", "KlM"),
        ("Bob", "B0b"),
        ("Arnie", "Amie"),
        ("Paypal", "paypa1"),
        ("AAMT", "ᎪᎪᎷᎢ"),
        ("ロ", "口"),
        ("Mill", "Miii"),
        ("محمد", "محـمد"),
        ("محمد", "محـــمـد"),
        ("ߊߋ", "ߊߺߋ"),
        ("スーパ", "ス-パ"),
        ("スーパ", "ｽ－ﾊﾟ"),
    ],
)
def test_names_that_look_alike_share_a_key(one, other):
    assert set(parse(one, 1).keys) & set(parse(other, 1).keys)


@pytest.mark.parametrize(("one", "other"), [("Ann", "Anne"), ("Мир", "Mup"), ("Anna", "Ahha"), ("전사", "전시")])
def test_names_that_look_different_share_no_key(one, other):
    assert not set(parse(one).keys) & set(parse(other).keys)


def test_keys_of_earlier_versions_are_still_keys():
    for text in ("محـمد", "ス-パ"):
        formerly = {LOOK + blake2b(look.encode(), digest_size=16).hexdigest() for look in former_looks_of(key_of(text))}
        assert formerly < set(parse(text).keys)
    assert "o\u02bcbrien" in parse("O\u02bcBrien").keys
    assert parse("Ann").keys[0] == "ann"


def test_what_an_earlier_version_accepted_can_be_read():
    for text in ("аdmin1", "Official Support", "Ωmega"):
        assert read(text).keys == keys_of(text)
        assert problem_of_name(text)


@given(TEXT | LETTERS)
def test_names_with_the_same_first_key_share_all_looks(text):
    for other in (text.upper(), text.lower(), text.swapcase(), normalize("NFKD", text)):
        looks = [{key for key in keys_of(form) if key.startswith(LOOK)} for form in (text, other)]
        assert looks[0] == looks[1]


def test_a_long_input_is_refused_before_it_is_normalised():
    # U+FDFA becomes 18 characters; a million of them would be work
    assert problem_of_name("\ufdfa" * 1_000_000) == f"must have 2 to {LONGEST} characters"


def test_length_counts_after_normalising():
    assert parse("ﬀ").key == "ff"
    assert problem_of_name("\ufdfa" * 2)


def test_a_single_letter_is_a_name_where_the_caller_allows_it():
    assert parse("A", shortest=1) == Name("A", keys_of("A"))
    assert problem_of_name("A")


@given(TEXT | LETTERS)
@example("ᾼ͂")
@example("İi")
def test_the_key_of_a_key_is_itself(text):
    assert key_of(key_of(text)) == key_of(text)


@given(TEXT | LETTERS)
@example("ᾷ")
@example("ŉ")
@example("ẞ")
def test_no_change_of_case_makes_another_key(text):
    for other in (text.upper(), text.lower(), text.casefold(), text.swapcase(), text.title()):
        assert key_of(other) == key_of(text)


@given(TEXT | LETTERS)
def test_no_form_of_unicode_makes_another_key(text):
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert key_of(normalize(form, text)) == key_of(text)


@given(TEXT | LETTERS)
def test_a_name_that_is_accepted_is_accepted_as_shown_and_stays_the_same(text):
    name = _parsed(text)
    assume(name is not None)
    assert name is not None
    assert parse(name.shown) == name
    assert name.keys == keys_of(text)


@given(TEXT | LETTERS)
def test_an_accepted_name_holds_nothing_but_letters_marks_digits_and_plain_punctuation(text):
    name = _parsed(text, 1)
    assume(name is not None)
    assert name is not None
    assert 1 <= len(name.shown) <= LONGEST
    assert all(
        category(character)[0] in "LMN" or character in " _-.'’" or character in MEDIALS for character in name.shown
    )
    assert "  " not in name.shown
    assert name.shown == name.shown.strip()
