"""Names that nobody can have: refused, and nobody is made."""

from tests.support.client import Api
from tests.support.devices import device_of
from tests.transport.doors import assert_problem, fields_of, unchanged

UNFIT = [
    "",
    " ",
    "A",
    " A ",
    "A" * 25,
    "A" * 10_000,
    "\u3000" * 5_000,
    "\ufdfa" * 24,
    "Ann 🐉",
    "🐉🐉",
    "❤\ufe0f❤",
    "An\u200bn",
    "\u200b\u200b",
    "An\u200dn",
    "An\ufeffn",
    "\u2060Ann",
    "An\u00adn",
    "\u202eAnn",
    "An\u034fn",
    "Ann\u3164",
    "\u115f\u1160",
    "An\0n",
    "An\nn",
    "An\tn",
    "An\x7fn",
    "Ann\ue000",
    "A" + "\u0301" * 12,
    "\u0301nn",
    "--",
    "An<n>",
    "../Ann",
    "admin",
    "ＡＤＭＩＮ",
    "a.d.m.i.n",
    "me",
    "null",
    "\u0430dmin",
    "ADMlN",
    "Official Support",
    "Ann \u0391nn",
    "1\u0967",
    "A\u2066nn",
    "\U000e0041nn",
    "\u2f00Ann",
]
TAKEN = {
    "Ann Lee": ["ANN LEE", "ann lee", "Ａｎｎ Ｌｅｅ", "Ann  Lee", " Ann Lee ", "Ann\u00a0Lee", "Ann\u3000\u2003Lee"],
    "Straße": ["STRASSE", "strasse"],
    "Zoë": ["Zoe\u0308", "ZOË"],
    "ガルガ": ["ｶﾞﾙｶﾞ"],
    "전사왕": ["전사왕"],
    "ㅋㅋㅋ": ["ᄏᄏᄏ"],
    "น้ำ": ["น้ํา"],
    "O’Brien": ["O'Brien", "o\u02bcbrien", "O'BRlEN"],
    "Eve_Lee": ["Eve\uff3fLee"],
    "Ian": ["lan", "1an"],
    "HOT": ["\u041d\u041e\u0422", "h0t"],
}


def application(name: str, number: int) -> dict[str, str]:
    return {"name": name, "class": "mage", "device": device_of(f"another-device-{number}")}


async def test_an_unfit_name_is_refused_and_makes_no_player(api: Api) -> None:
    who = await api.sign_up()
    async with unchanged(api, who):
        for number, name in enumerate(UNFIT):
            answer = await api.ask("POST", "/v1/players", body=application(name, number))
            assert_problem(answer, "bad_input", ascii(name)[:60])
            assert fields_of(answer.body) == ["name"]


async def test_a_name_that_differs_only_in_case_width_spacing_or_look_is_taken(api: Api) -> None:
    for name in TAKEN:
        who = await api.sign_up(name=name)
        assert who.name == name
    async with unchanged(api, who):
        for number, alike in enumerate(alike for entry in TAKEN.values() for alike in entry):
            answer = await api.ask("POST", "/v1/players", body=application(alike, number))
            assert_problem(answer, "name_taken", ascii(alike))
    free = await api.ask("POST", "/v1/players", body=application("Ann Lea", 0))
    assert free.status == 201, "the device of a sign-up that was refused is free"
