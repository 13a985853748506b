"""What one address does to accounts: sessions that come and go, and players that are made and leave again."""

import os
import time
from itertools import count
from typing import Any

import orjson

from tests.bench.attacks import Attack, repeat
from tests.bench.greedy import command_key

_numbers = count(1)


async def opened_sessions(attack: Attack) -> None:
    """One account's sessions, opened by its device and ended, by themselves or by the account's first one."""

    async def come_and_go(number: int) -> None:
        opened = _decoded(await attack.ask("POST", "/v1/sessions", {"device": attack.device}))
        if not opened:
            return
        token = opened["session"]["token"]
        if number % 2:
            await attack.ask("DELETE", "/v1/sessions/current", token=token)
        else:
            listed = _decoded(await attack.ask("GET", "/v1/sessions", token=token)) or {"sessions": []}
            for own in (entry["id"] for entry in listed["sessions"] if entry["current"]):
                await attack.ask("DELETE", f"/v1/sessions/{own}", token=attack.token)

    await repeat(attack, come_and_go)


async def departures(attack: Attack) -> None:
    """Players that are made, change devices, sign out everywhere, come back, and delete themselves."""

    async def live(_: int) -> None:
        device = os.urandom(24).hex()
        made = {"name": f"Z{time.monotonic_ns() % 10**12}x{next(_numbers)}", "class": "mage", "device": device}
        if token := _token(await attack.ask("POST", "/v1/players", made)):
            token = await _other_device(attack, token)
            await attack.ask("DELETE", "/v1/sessions", token=token)
            if token := _token(await attack.ask("POST", "/v1/sessions", {"device": device})):
                await attack.ask("DELETE", "/v1/players/me", token=token, **command_key())

    await repeat(attack, live)


async def _other_device(attack: Attack, token: str) -> str:
    """Adds a device and takes it away, which ends every session; the token of the new one."""
    body = {"device": os.urandom(24).hex()}
    added = _decoded(await attack.ask("POST", "/v1/players/me/devices", body, token=token, **command_key()))
    if not added:
        return token
    path = f"/v1/players/me/devices/{added['id']}"
    return _token(await attack.ask("DELETE", path, token=token, **command_key())) or token


def _token(answered: bytes | None) -> str | None:
    found = _decoded(answered)
    return found["session"]["token"] if found else None


def _decoded(answered: bytes | None) -> Any:
    return orjson.loads(answered) if answered else None


ACCOUNTS = {kind.__name__: kind for kind in (opened_sessions, departures)}
