"""Names that nobody can have: refused, and nobody is made."""

from contextlib import AsyncExitStack

from gameserver.config.sections import NameSettings
from gameserver.config.settings import Settings
from tests.support.client import Api, command_id
from tests.support.devices import device_of
from tests.support.nodes import start_node
from tests.transport.doors import assert_problem, fields_of, on_another_port, unchanged
from tests.transport.http.test_player_changes import change

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


async def test_the_words_that_a_studio_reserves_are_refused_at_every_door_and_who_has_one_keeps_it(
    api: Api, settings: Settings
) -> None:
    key, acme = command_id(), application("Acme Kim", 1)
    first = await api.ask("POST", "/v1/players", body=acme, key=key)
    who = await api.sign_up()
    reserving = settings.model_copy(update={"names": NameSettings(reserved=("Acme", "Hero Ledger"))})
    async with AsyncExitStack() as stack:
        node = await start_node(stack, on_another_port(reserving))
        door = await stack.enter_async_context(Api(node.url))
        async with unchanged(door, who):
            for number, name in enumerate(("ACME", "The 4cme", "heroledger"), 2):
                for answer in (
                    await door.ask("POST", "/v1/players", body=application(name, number)),
                    await door.ask("POST", "/v1/players/me/name", token=who.token, body={"name": name}),
                    await change(door, "POST", who, "/name", name=name, preview=True),
                    await change(door, "POST", who, "/name", name=name),
                ):
                    assert_problem(answer, "bad_input", name)
                    assert fields_of(answer.body) == ["name"]
        again = await door.ask("POST", "/v1/players", body=acme, key=key)
        assert (first.status, again.status, again.body["player"]) == (201, 201, first.body["player"])
        assert again.body["replayed"]
        assert (await door.sign_up(name="Acmeist")).name == "Acmeist"
