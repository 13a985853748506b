"""Names that would pass for the server or for the people who run it, in any spelling, and names that wouldn't."""

from unicodedata import normalize

import pytest

from gameserver.rules.errors import BadInput
from gameserver.rules.names import parse, reserved_fault
from gameserver.rules.reserved_names import OF_ALL_GAMES, ReservedNames
from tests.rules.refused_names import problem_of_name


@pytest.mark.parametrize(
    "text", ["admin", "ADMIN", "Ａｄｍｉｎ", " root ", "Sys_Tem", "G.M.", "m e", "ｎｕｌｌ", "Undefıned"]
)
def test_a_reserved_name_is_refused_in_any_disguise(text):
    assert problem_of_name(text) == "is reserved, or has a word that is"


@pytest.mark.parametrize(
    "text",
    ["ADMlN", "Adm1n", "admin1", "Official Support", "GM Kim", "TheAdmin", "OfficialAnn", "I am GM",
     "admin’s", "Support_Ann", "the moderator", "m0derator", "gameserver7", "R00t", "ＡＤＭｌＮ",
     "\U0001d400dmin", "gаmеmаstеr", "ΑDΜΙΝ", "GMKim", "ADMINAnn", "Adm1n Kim", "Kim 0fficial",
     "GAME MASTER Kim", "Kim Game_Master", "xXADMINXx", "ádmin", "Ann Moderätor", "ᴀᴅᴍɪɴ", "Kim ᴀdmin",
     "ADMIN2Kim", "Админ", "АДМІН", "Модератор 2", "운영자", "김 운영자", "관리자7", "管理者", "客服", "官方 2", "運営",
     "サポート", "Kim 公式", "5upport", "4dm1n", "M0d3r4t0r", "Kim5upport", "5taff24", "xX5upportXx", "0ff1c14l Ann",
     "acImin", "aclmin Kim", "vvebmaster", "Gamemas7er", "admin\u02bcs", "Administrador", "El Moderador",
     "Soporte", "soporte2", "Modérateur", "moderateur", "Kim Officielle", "Spielleiter", "Kundendienst Kim",
     "Suporte", "Amministratore", "Yönetici", "yonetici Ali", "DESTEK", "Администрация", "саппорт",
     "Служба Поддержка", "Διαχειριστής", "ΥΠΟΣΤΉΡΙΞΗ", "διαχειριστης Άννα", "אדמין", "תמיכה 2", "מנהל",
     "أدمن", "الإدارة", "المشرف علي", "الدعم", "ادمین", "एडमिन", "मॉडरेटर राम", "प्रशासक", "แอดมิน",
     "แอดมินคิม", "ผู้ดูแลระบบ", "เจ้าหน้าที่", "김운영자님", "공식길드", "李客服", "官方小李", "运营", "カタ公式", "スタッフ",
     "アドミンKim", "サポ-ト", "サポ－ト", "サポ‐ト", "ｻﾎﾟ-ﾄ",
     "أدمـن", "الدعـــم", "المشـرف علي", "Admin·Kim",
     "Kim・GM", "カタ-GM", "Admin‘s", "מנהל׳", "GM‐Kim", "ayuda", "Yardım", "βοήθεια", "सहायता",
     "A\u0336dmin", "A\u0336d\u0336m\u0336i\u0336n\u0336", "Adm\u0337in", "G\u0336M", "s\u0338taff Kim", "ađmin",
     "Ađmin", "Møderator", "modɇrator", "sŧaff", "suppørt", "admɨn", "Ⱥdmin", "aɖmin", "AÐMIN", "AƉMIN", "admiɳ",
     "suppoɽt", "Ɠm", "ʂupport", "aɗmin", "aƌmin", "staƒƒ", "suƥport", "aꝺmin", "aᶁmin", "adᵯin", "ꞩupport", "ꝋfficial",
     "officiał", "ɐdmin", "Ɐdmin", "adɯin", "admᴉn", "modǝrator", "modərator", "modɘrator", "systɛm", "admiᴎ",
     "suppoᴚt", "adʍin", "ʌdmin", "admiŋ", "ƨupport", "ǤMKim", "øwner", "ᴏᴡɴᴇʀ", "ǝɯ", "uᴉɯpɐ", "uıɯpɐ", "ʇɹoddns",
     "ɟɟɐʇs", "ɹoʇɐɹǝpoɯ"],
)  # fmt: skip
def test_what_passes_for_the_people_who_run_the_server_is_refused(text):
    assert OF_ALL_GAMES.has(normalize("NFKC", text))
    assert problem_of_name(text)


@pytest.mark.parametrize(
    "text",
    [
        "Supporter",
        "Commodus",
        "Gmail",
        "Meme",
        "Moon Server",
        "Administer",
        "Staffan",
        "Mé",
        "Magma",
        "Augment",
        "Max",
        "xXAnnXx",
        "G.M. Kim Lee",
        "Mode Rater",
        "Game On",
        "EGMont",
        "Grand Master",
        "9M",
        "Kim 9m",
        "Uncle Clive",
        "L33t",
        "5tarlight",
        "Alcie",
        "Adèle",
        "Aïda Soporta",
        "Moderata",
        "José Luis",
        "Oficina",
        "Élodie",
        "Jürgen",
        "Spielmann",
        "João",
        "Şükrü Yön",
        "Işıl",
        "Resmi",
        "Владимир Помощник",
        "Админка",
        "Γιώργος",
        "Διαμαντής",
        "דוד המלך",
        "שרה",
        "محمد",
        "برويز مشرف",
        "مديحة",
        "राम कुमार",
        "प्रशांत",
        "สมชาย",
        "ผู้กล้า",
        "김영자",
        "관우",
        "운명의기사",
        "李小龍",
        "公子",
        "田中さくら",
        "スタア",
        "Đặng",
        "Łukasz",
        "Søren",
        "Ødegård",
        "Bjørn Møller",
        "Mɛnsa Kɔfi",
        "Ɖoɖo",
        "Əliyev",
        "Ħamrun",
        "محمد علي",
        "ทีม",
    ],
)
def test_a_name_that_only_contains_the_letters_of_a_reserved_one_is_fine(text):
    assert parse(text).shown == text


def test_the_words_of_a_studio_are_reserved_like_those_of_staff():
    own = ReservedNames(["Hero Ledger", "Acme", "북극성"])
    for text in ("Acme", "ACME", "4cme", "Acme Kim", "The_Acme", "xXacmeXx", "Äcme", "HeroLedger", "Hero-Ledger Kim",
                 "hero ledger", "Acme Support", "북극성", "나의북극성"):  # fmt: skip
        with pytest.raises(BadInput):
            parse(text, reserved=own)
        assert text == "Acme Support" or parse(text)
    for text in ("Acmeist", "Hero", "Ledger Kim", "Hero of Ledger", "북극"):
        assert parse(text, reserved=own).shown == text
    assert problem_of_name("admin")
    with pytest.raises(BadInput):
        parse("admin", reserved=own)


@pytest.mark.parametrize("word", ["Acme", "Hero Ledger", "GM", "Support", "북극", "Ωmegα", "4cme"])
def test_what_could_be_a_word_of_a_name_can_be_reserved(word):
    assert (reserved_fault(word) is None) == (word != "Ωmegα")


@pytest.mark.parametrize("word", ["", " ", "A", "A1", "12", "..", "Acme!", "A\nB", "x" * 25, "Acme\u200b"])
def test_what_no_name_can_have_or_many_have_cant_be_reserved(word):
    assert reserved_fault(word)
