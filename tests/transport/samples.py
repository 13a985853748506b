"""Requests that no client should send, and one (`HUNT`) that it may."""

from typing import Any

LARGEST = 16 * 1024
HUNT: dict[str, Any] = {"action": "hunt", "args": {"foe": "slime"}}
NUMBERS: tuple[Any, ...] = (
    2**70,
    -(2**70),
    2**63,
    2**53,
    -1,
    1.5,
    float("nan"),
    float("inf"),
    True,
    None,
    "7",
    "",
    [],
    {},
)


def nested(depth: int) -> Any:
    value: Any = "slime"
    for _ in range(depth):
        value = [value]
    return value


ACTIONS: list[tuple[Any, str, list[str]]] = [
    ({"action": "fly"}, "unknown_action", ["action"]),
    ({"action": "sign_up"}, "unknown_action", ["action"]),
    ({"action": "__init__"}, "unknown_action", ["action"]),
    ({"action": "hunt\0"}, "unknown_action", ["action"]),
    ({"action": ""}, "bad_input", ["action"]),
    ({"action": "h" * 65}, "bad_input", ["action"]),
    ({"action": 7}, "bad_input", ["action"]),
    ({"action": ["hunt"]}, "bad_input", ["action"]),
    ({"action": None}, "bad_input", ["action"]),
    ({}, "bad_input", ["action"]),
    ({**HUNT, "hp": 999}, "bad_input", ["hp"]),
    ({**HUNT, "player": {"exp": 999}}, "bad_input", ["player"]),
    ({"action": "hunt"}, "bad_input", ["args.foe"]),
    ({"action": "hunt", "args": None}, "bad_input", ["args.foe"]),
    ({"action": "hunt", "args": []}, "bad_input", ["args"]),
    ({"action": "hunt", "args": "slime"}, "bad_input", ["args"]),
    ({"action": "hunt", "args": {"foe": "unicorn"}}, "unknown_foe", ["args.foe"]),
    ({"action": "hunt", "args": {"foe": ""}}, "unknown_foe", ["args.foe"]),
    ({"action": "hunt", "args": {"foe": "slime", "seed": 1}}, "bad_input", ["args.seed"]),
    ({"action": "hunt", "args": {"foe": "sli\0me"}}, "bad_input", ["args.foe"]),
    ({"action": "hunt", "args": {"foe": "slime", "\0": 1}}, "bad_input", ["args.\0"]),
    ({"action": "hunt", "args": {"foe": "s" * 10_000}}, "bad_input", ["args.foe"]),
    ({"action": "hunt", "args": {"foe": nested(9)}}, "bad_input", ["args.foe.0.0.0.0.0.0.0"]),
    ({"action": "hunt", "args": {"foe": nested(900)}}, "bad_input", ["args.foe.0.0.0.0.0.0.0"]),
    ({"action": "change_class", "args": {"class": "bard"}}, "unknown_class", ["args.class"]),
    ({"action": "change_class", "args": {"class_name": "mage"}}, "bad_input", ["args.class"]),
    ({"action": "use"}, "bad_input", ["args.item"]),
    ({"action": "use", "args": {"item": "sword"}}, "unknown_item", ["args.item"]),
    ({"action": "use", "args": {"item": "potion\0"}}, "bad_input", ["args.item"]),
    ({"action": "use", "args": {"item": "slime"}}, "unknown_item", ["args.item"]),
    *(({"action": "use", "args": {"item": value}}, "bad_input", ["args.item"]) for value in (*NUMBERS[:4], None)),
    *(
        ({"action": "use", "args": {"item": "potion", "count": value}}, "bad_input", ["args.count"])
        for value in (0, -1, 2**53, 2**63, 2**70, 1.5, True, "1", [1])
    ),
    ({"action": "use", "args": {"item": "potion"}}, "not_enough_items", []),
    ({"action": "use", "args": {"item": "potion", "count": None}}, "not_enough_items", []),
    ({"action": "use", "args": {"item": "potion", "count": 2**53 - 1}}, "not_enough_items", []),
    ({"action": "mail:healed", "args": {"sender": "1", "points": 9}}, "unknown_action", ["action"]),
    ({"action": "healed", "args": {"sender": "1", "points": 9}}, "unknown_action", ["action"]),
    ({"action": "duel"}, "bad_input", ["args.player"]),
    ({"action": "duel", "args": {"player": "1", "won": True}}, "bad_input", ["args.won"]),
    *(
        ({"action": action, "args": {"player": value}}, "bad_input", ["args.player"])
        for action in ("duel", "heal_other")
        for value in ("0", "-1", "01", "1.0", "x", "", "１", str(2**63), str(2**70), 7, 2**70, None, True, [], ["1"])
    ),
    *(
        ({"action": "hunt", "args": {"foe": value}}, "bad_input", ["args.foe"])
        for value in (2**70, 2**63, -(2**63) - 1, -1, 1e300, 0.5, True, None, [], {}, ["slime"], {"foe": "slime"})
    ),
]


NOT_JSON = [
    "{",
    '{"action":"hunt","args":{"foe":"slime"}',
    '{"action":"hunt","args":{"foe":"slime"}}}',
    "{'action':'rest'}",
    '{"action":"hunt","args":{"foe":NaN}}',
    '{"action":"hunt","args":{"foe":Infinity}}',
    '{"action":"hunt","args":{"foe":0x10}}',
    '{"action":"hunt","args":{"foe":"\\ud800"}}',
    '{"action":"hunt","args":{"foe":"a\nb"}}',
    "[" * 8_000,
    "[" * 8_000 + "]" * 8_000,
    '{"a":' * 2_000 + "1" + "}" * 2_000,
    "[]",
    "null",
    '"hunt"',
    "7",
    "\ufeff{}",
]
"""Texts that aren't a JSON object."""


WEAK_DEVICES = (
    "12345678",
    " " * 8,
    "undefined",
    "9774d56d682e549c",
    "3f2a6b8c9d1e4f70",
    "00000000-0000-0000-0000-000000000000",
    "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
    "{12345678-1234-1234-1234-123456789012}",
    "00000000-0000-1000-8000-00805F9B34FB",
    "d41d8cd98f00b204e9800998ecf8427e",
    "D41D8CD98F00B204E9800998ECF8427E",
    "0123456789abcdef0123456789abcdef",
    "abcdefghijklmnopqrstuvwxyz012345",
    "02:00:00:00:00:00",
    "358240051111110",
    "my-first-device",
)
"""Device ids that many phones have, or that can be guessed."""
SIGN_UP = {
    "name": "Nobody Yet",
    "class": "mage",
    "device": "7f0a96a15b0d4a3c9a1c2f9c1f3a7711",
    "password": "a-long-password",
}
SIGN_UPS: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"class": "bard"}, "unknown_class", ["class"]),
    ({"class": "\0"}, "unknown_class", ["class"]),
    ({"class": ""}, "bad_input", ["class"]),
    ({"class_name": "mage"}, "bad_input", ["class_name"]),
    ({"hp": 100}, "bad_input", ["hp"]),
    ({"exp": 2**70}, "bad_input", ["exp"]),
    ({"shortest_name": 1}, "bad_input", ["shortest_name"]),
    ({"device": None, "password": None}, "bad_input", ["device", "password"]),
    ({"device": "short"}, "bad_input", ["device"]),
    ({"device": "d" * 257}, "bad_input", ["device"]),
    *(({"device": device}, "bad_input", ["device"]) for device in WEAK_DEVICES),
    ({"password": "short"}, "bad_input", ["password"]),
    ({"password": "p" * 10_000}, "bad_input", ["password"]),
    *(({field: value}, "bad_input", [field]) for field in SIGN_UP for value in NUMBERS[:5] + NUMBERS[-2:]),
    *(({field: None}, "bad_input", [field]) for field in ("name", "class")),
]


SIGN_INS: list[dict[str, Any]] = [
    {},
    {"name": "Ann"},
    {"password": "a-long-password"},
    {"device": "a-device", "name": "Ann"},
    {"device": 7},
    {"device": 2**70},
    {"device": "d" * 257},
    {"name": "Ann", "password": 7},
    {"name": "Ann", "password": "p" * 1025},
    {"name": "n" * 1001, "password": "a-long-password"},
    {"token": "x"},
]
