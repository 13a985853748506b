"""Makers of bad inputs: from a seed, always the same ones. None of them may take effect."""

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import urlencode

from gameserver.transport.route import CHECKED_PATHS, Route
from tests.fuzz.callers import BACKEND_KEY, BadRequest, Callers
from tests.support.client import command_id
from tests.support.example_requests import fields_of as example_of
from tests.support.example_requests import path_of, query_of

TEXTS = (
    "", " ", "\0", "a" * 65, "a" * 5000, "\u202e", "ﷺ" * 100, "🧙‍♀️", "\ud7ff", "-1", "1e400", "null", "../..",
    "%00", "' or 1=1 --", "{{7*7}}", "\u2028", "İ", "slime\n", "0", "NaN",
)  # fmt: skip
NUMBERS = (-1, 0, 2**31, 2**53, 2**63, 2**64, -(2**63), 10**400, 1.5, -0.0, 1e308, 5e-324)
LITERALS = ("NaN", "Infinity", "-Infinity", "01", "+1", ".5", "1.", "0x10", "'a'", "tru", "undefined", "1e99999", "--1")
FRAME_OPS = ("act", "read", "items", "board", "around", "subscribe", "ping", "hello")
READS = (
    "/v1/players/{}", "/v1/players?ids={}", "/v1/players/me/ledger?cursor={}", "/v1/players/me/inbox?limit={}",
    "/v1/boards/{}", "/v1/boards/exp?limit={}", "/v1/boards/exp?cursor={}", "/v1/boards/exp?season={}",
    "/v1/boards/exp/around/{}", "/v1/boards/exp/ranks?ids={}", "/admin/v1/rankings?cursor={}", "/{}", "/v1/socket?{}=1",
)  # fmt: skip


def bad_value(random: Random, depth: int = 3) -> Any:
    """A value that nobody expects: of any type, length and depth."""
    kind = random.randrange(8 if depth else 5)
    if kind < 2:
        return random.choice(TEXTS)
    if kind < 4:
        return random.choice(NUMBERS)
    if kind == 4:
        return random.choice((None, True, False))
    if kind == 5:
        return [bad_value(random, depth - 1) for _ in range(random.randrange(4))]
    if kind == 6:
        return {random.choice(TEXTS): bad_value(random, depth - 1) for _ in range(random.randrange(4))}
    nested: Any = 1
    for _ in range(random.choice((2, 9, 100, 900))):
        nested = [nested] if random.random() < 0.5 else {"a": nested}
    return nested


def bad_object(random: Random, fields: dict[str, Any]) -> bytes:
    """JSON of these fields, with something about it that must be refused."""
    changed = dict(fields)
    match random.randrange(4):
        case 0:
            changed[random.choice(("more", "", "\0", "__proto__", "constructor"))] = bad_value(random)
        case 1:
            del changed[random.choice(list(changed))]
            changed["unknown"] = 1
        case 2:
            changed[random.choice(list(changed))] = {"no": bad_value(random), "field": 1}
        case _:
            changed = {name: [bad_value(random)] for name in changed}
    return _text(changed)


def _text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def bad_json(random: Random, fields: dict[str, Any]) -> bytes:
    """Bytes that aren't a JSON object, or one in which a name is given twice."""
    good = _text(fields)
    name = random.choice(list(fields))
    choices: tuple[Callable[[], bytes], ...] = (
        lambda: random.randbytes(random.choice((0, 1, 7, 200, 4000))) + b"\xff",
        lambda: good[: random.randrange(len(good))],
        lambda: good + random.choice((b"}", b",", b"\0", good)),
        lambda: good[:-1] + b"," + _text({name: 1})[1:],
        lambda: good[:-1] + b',"\\u00%02x%s":1}' % (ord(name[0]), name[1:].encode()),
        lambda: good[:-1] + b',"x":' + random.choice(LITERALS).encode() + b"}",
        lambda: b"[" * random.choice((1, 500, 1100, 8000)),
        lambda: b'{"a":' * random.choice((1, 500, 1100, 2500)),
        lambda: _text(random.choice(([], 1, "x", None, [fields]))),
        lambda: good.replace(b'"', b"'", 1),
        lambda: good[:-1] + b',"x":"\xc3\x28\xed\xa0\x80"}',
        lambda: b"\xef\xbb\xbf" + good,
        lambda: good.decode().encode("utf-16"),
    )
    return random.choice(choices)()


def bad_act(random: Random) -> dict[str, Any]:
    """An action that exists in name or shape only."""
    args = random.choice(({}, {"foe": "slime", "more": 1}, {"foe": bad_value(random), "x": 1}, {"": bad_value(random)}))
    action = random.choice(("hunt", "hunt", "no_such_action", "change_class", "use", "sign_up", "HUNT", "hunt "))
    return {"action": action, "args": {**args, "unknown": bad_value(random)}}


def bad_request(random: Random, route: Route, callers: Callers) -> BadRequest:
    """One that must be answered with 4xx: mostly for this operation, else for no certain one."""
    kind = random.randrange(10)
    if kind < 7:
        return BadRequest(_bad_order(random, route, callers), route.name)
    token = random.choice((callers.token, callers.admin_key))
    if kind < 9:
        return BadRequest(_request("GET", _bad_path(random), [b"Authorization: Bearer " + token.encode()]))
    return BadRequest(_no_http(random))


def _bad_order(random: Random, route: Route, callers: Callers) -> bytes:
    """A request of this operation which, whatever else is about it, has one thing for which it must be refused."""
    fault = random.choice(_faults(route))
    path = _path(random, route, callers)
    fields = example_of(route) or {"reason": "no body is taken"}
    body = b"" if route.terms.body is None else _text(fields)
    headers = _caller(random, route, callers, known=fault != "key")
    if route.terms.takes_command_id:
        headers.append(b"Idempotency-Key: " + (b"not-a-uuid" if fault == "command id" else command_id().encode()))
    if fault == "query":
        path += "&no_such_parameter=1"
    elif fault == "body":
        body = bad_object(random, fields) if random.random() < 0.6 else bad_json(random, fields) or b"{"
    elif random.random() < 0.3:
        headers.append(_bad_header(random))
    if body:
        headers.append(b"Content-Type: application/json")
    method = "PATCH" if fault == "method" else route.method
    return _request(method, path.encode(), headers, body)


def _faults(route: Route) -> list[str]:
    """For what a request of this operation is refused for sure."""
    if not route.path.startswith(CHECKED_PATHS):
        return ["method"]
    faults = ["query", "body", "body"]
    faults += ["key"] if route.key != "none" else []
    return faults + (["command id"] if route.terms.takes_command_id else [])


def _path(random: Random, route: Route, callers: Callers) -> str:
    """The operation's path and its query: as they should be, or with one part of the path that nobody expects."""
    names = re.findall(r"{(\w+)}", route.path)
    parts = {"id": callers.player_id}
    if names and random.random() < 0.3:
        parts[random.choice(names)] = _bad_part(random)
    query = query_of(route)
    if "preview" in route.terms.query.model_fields and random.random() < 0.5:
        query["preview"] = "true"
    return f"{path_of(route, parts)}?{urlencode(query)}"


def _caller(random: Random, route: Route, callers: Callers, *, known: bool) -> list[bytes]:
    """The key that the operation needs, mostly; if not `known`, nobody's or none."""
    if not known:
        return random.choice(([], [b"Authorization: Bearer " + callers.token[:-4].encode() + b"nope"]))
    wanted = callers.admin_key if route.key == "admin" else callers.token
    return [b"Authorization: Bearer " + (wanted if random.random() < 0.9 else callers.token).encode()]


def _request(method: str, path: bytes, headers: list[bytes], body: bytes = b"") -> bytes:
    head = [method.encode() + b" " + path + b" HTTP/1.1", b"Host: x", *headers]
    if body:
        head.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def _bad_part(random: Random) -> str:
    """A part of a path that is no id, board, cursor, season or number, as it is quoted there."""
    part = random.choice((*TEXTS, *map(str, NUMBERS), "\xff", "0" + str(2**62), "a,b", "1,", "x" * 300))
    return "".join(f"%{byte:02x}" for byte in (part or "\0").encode("utf-8", "surrogatepass"))


def _bad_path(random: Random) -> bytes:
    """A path with a part that is no id, board, cursor, season or number."""
    return (
        random.choice(READS).format(_bad_part(random)) + random.choice(("", "&no_such=1", "&limit=1&limit=1"))
    ).encode()


def _bad_header(random: Random) -> bytes:
    key = command_id(random.choice((-(10**6), 10**8)))
    return random.choice(
        (
            b"Idempotency-Key: " + key.encode(),
            b"Idempotency-Key: " + random.randbytes(8).hex().encode(),
            b"Idempotency-Key: \xff\xfe",
            b"Authorization: Bearer again",
            b"Authorization: Basic eDp5",
            b"Content-Encoding: gzip",
            b"X-Backend-Key: " + random.randbytes(20).hex().encode(),
            b"X-Backend-Key: " + BACKEND_KEY.encode(),
            b"X-Forwarded-For: " + random.choice((b"\xff", b"1.2.3.4:x", b"," * 500)),
            b"Consistency-Token: 1:1:1",
            b"X-Request-Id: " + b"\xe2\x80\xae" * 30,
            b"If-None-Match: " + b'W/"' * 50,
            b"Accept-Encoding: gzip;q=" + b"9" * 300,
            b"Origin: null",
        )
    )


def _no_http(random: Random) -> bytes:
    """Bytes that are HTTP only nearly, or not at all; the connection ends with them."""
    start = random.choice((b"GET / HTTP/1.1\r\n", b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\n"))
    return random.choice(
        (
            random.randbytes(random.choice((1, 30, 600))) + b"\r\n\r\n",
            start + b"Content-Length: -1\r\n\r\n",
            start + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            start + b"Host: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            start + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            start + b"X: " + b"a" * 9000 + b"\r\n\r\n",
            start + b"X : y\r\n\r\n",
            start + b"Host: y\r\nHost: x\r\n\r\n",
            start + b"Expect: 42\r\nHost: x\r\n\r\n",
            b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + random.randbytes(60),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        )
    )
