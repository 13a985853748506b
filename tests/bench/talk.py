"""What a connection of the bench says at a door: prepared requests, and what is wrong with an answer.

Making a request is all that the generator does besides framing, so it is kept cheap: what stays the same is made once.
"""

import random
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

import orjson

from bots.load.hunter import code_of
from bots.load.measure import Measure
from bots.wire.command_ids import CommandIds

ids = CommandIds()
_ID = re.compile(rb'"id":"([^"]+)"')
_TOKEN = re.compile(rb'"token":"([^"]+)"')
_HP = re.compile(rb'"hp":(\d+)')
LEAST_HP = 10
_numbers = count(1)


class Player(Protocol):
    """Whose session goes on under another token when a device is taken away."""

    token: str


def request(
    method: str,
    path: str,
    host: str,
    *,
    token: str = "",
    body: Mapping[str, Any] | None = None,
    key: str = "",
    consistency: str = "",
) -> bytes:
    """A whole request; `key` is the command id, `consistency` what a read must not be older than."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [f"Idempotency-Key: {key}"] if key else []
    lines += [f"Consistency-Token: {consistency}"] if consistency else []
    sent = b"" if body is None else orjson.dumps(body)
    lines += ["Content-Type: application/json", f"Content-Length: {len(sent)}"] if body is not None else []
    return "\r\n".join([*lines, "", ""]).encode() + sent


def new_device() -> str:
    return f"{random.getrandbits(128):032x}"


class Talk(Protocol):
    """One connection's side of the conversation."""

    def request(self) -> bytes:
        """The next request."""

    def fault(self, status: int, body: bytes) -> str | None:
        """What is wrong with the answer to it; None when it is the right one."""


@dataclass(slots=True)
class Question:
    """One of some prepared requests at a time, which all have answers of one status."""

    requests: Sequence[bytes]
    status: int = 200
    needle: bytes = b""
    """What is in each right answer."""

    def request(self) -> bytes:
        return self.requests[0] if len(self.requests) == 1 else random.choice(self.requests)

    def fault(self, status: int, body: bytes) -> str | None:
        return None if status == self.status and self.needle in body else f"http_{status}_{code_of(body)}"


class SignUps:
    """Another new player each time, with a device; of a `name` that is taken, one that is refused.

    `more`: what else is in the body, as text of JSON.
    """

    def __init__(self, host: str, name: str = "", more: str = "") -> None:
        self._head = f"POST /v1/players HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nIdempotency-Key: "
        self._name, self._tag, self._more = name, new_tag(), more

    def request(self) -> bytes:
        name = self._name or f"{self._tag}{next(_numbers)}"
        body = f'{{"name":"{name}","class":"warrior","device":"{new_device()}"{self._more}}}'
        return f"{self._head}{ids.next()}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    def fault(self, status: int, body: bytes) -> str | None:
        right = status == 409 and b'"name_taken"' in body if self._name else status == 201
        return None if right else f"http_{status}_{code_of(body)}"


class InTurn:
    """Prepared requests, one after the other and round again, each with the status of its right answer."""

    def __init__(self, steps: Sequence[tuple[bytes, int]]) -> None:
        self._steps, self._at = steps, -1

    def request(self) -> bytes:
        self._at = (self._at + 1) % len(self._steps)
        return self._steps[self._at][0]

    def fault(self, status: int, body: bytes) -> str | None:
        return None if status == self._steps[self._at][1] else f"http_{status}_{code_of(body)}"


class Visits:
    """A player that signs in and out again, in turn."""

    def __init__(self, host: str, device: str) -> None:
        self._host, self._device, self._token = host, device, ""

    def request(self) -> bytes:
        if self._token:
            return request("DELETE", "/v1/sessions/current", self._host, token=self._token)
        return request("POST", "/v1/sessions", self._host, body={"device": self._device})

    def fault(self, status: int, body: bytes) -> str | None:
        if status != (204 if self._token else 201):
            return f"http_{status}_{code_of(body)}"
        self._token = "" if self._token else part(_TOKEN, body)
        return None


class Letters:
    """A healer that heals one player after the other, and rests before its HP run out."""

    def __init__(self, host: str, token: str, patients: Sequence[str]) -> None:
        self._patients, self._must_rest = patients, False
        line = f"POST /v1/players/me/actions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        self._head = f"{line}Content-Type: application/json\r\nIdempotency-Key: "

    def request(self) -> bytes:
        body = '{"action":"rest","args":{}}'
        if not self._must_rest:
            body = f'{{"action":"heal_other","args":{{"player":"{random.choice(self._patients)}"}}}}'
        return f"{self._head}{ids.next()}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    def fault(self, status: int, body: bytes) -> str | None:
        hp = _HP.search(body, body.find(b'"player":{'))
        self._must_rest = hp is None or int(hp[1]) <= LEAST_HP
        return None if status == 200 else f"http_{status}_{code_of(body)}"


class DeviceChanges:
    """A player that adds a device and takes it away again, in turn."""

    def __init__(self, host: str, player: "Player") -> None:
        self._host, self._player, self._added = host, player, ""

    def request(self) -> bytes:
        path, token, key = "/v1/players/me/devices", self._player.token, ids.next()
        if self._added:
            return request("DELETE", f"{path}/{self._added}", self._host, token=token, key=key)
        return request("POST", path, self._host, token=token, body={"device": new_device()}, key=key)

    def fault(self, status: int, body: bytes) -> str | None:
        if status != (200 if self._added else 201):
            return f"http_{status}_{code_of(body)}"
        if self._added:
            self._player.token, self._added = part(_TOKEN, body), ""
        else:
            self._added = part(_ID, body)
        return None


class Renames:
    """A player that takes one name after the other."""

    def __init__(self, host: str, player: "Player") -> None:
        self._host, self._player, self._tag = host, player, new_tag()

    def request(self) -> bytes:
        body = {"name": f"{self._tag}{next(_numbers)}"}
        return request("POST", "/v1/players/me/name", self._host, token=self._player.token, body=body, key=ids.next())

    def fault(self, status: int, body: bytes) -> str | None:
        return None if status == 200 else f"http_{status}_{code_of(body)}"


def part(pattern: re.Pattern[bytes], body: bytes) -> str:
    """What the pattern's group matches; empty if it doesn't."""
    match = pattern.search(body)
    return match[1].decode() if match is not None else ""


def new_tag() -> str:
    """Letters that begin the names of one connection's players."""
    return "q" + "".join(secrets.choice("bcdfghkmpqrstvwxz") for _ in range(9))


class Loop:
    """A closed loop at a door over one HTTP connection; the last right answer is kept as a `sample`."""

    sample = b""

    def __init__(self, measure: Measure, talk: Talk, clock: Callable[[], float] = time.monotonic) -> None:
        self._measure, self._talk, self._clock = measure, talk, clock
        self._sent = 0.0
        self._waiting = False

    def in_flight(self) -> int:
        return int(self._waiting)

    def request(self, now: float) -> bytes:
        self._sent, self._waiting = now, True
        return self._talk.request()

    def on_answer(self, status: int, body: bytes) -> bytes | None:
        now = self._clock()
        self._waiting = False
        fault = self._talk.fault(status, body)
        if fault is None:
            self._measure.count(self._sent, now)
            self.sample = body
        else:
            self._measure.errors[fault] += 1
        return self.request(now) if now < self._measure.ends else None

    def on_end(self, reason: str) -> None:
        if self._waiting:
            self._measure.errors[reason] += 1
            self._waiting = False
