"""One account that asks for one thing as fast as it can: what each attack asks, beside those of `attacks`."""

import os
import time
from dataclasses import replace
from itertools import count

from gameserver.storage.ids import new_command_id
from tests.bench.attacks import Attack, repeat

_numbers = count(1)


async def _read(attack: Attack, path: str) -> None:
    await repeat(attack, lambda _: attack.ask("GET", path, token=attack.token))


def command_key() -> dict[str, str]:
    """The header of a command that nobody has sent."""
    return {"Idempotency-Key": new_command_id(int(time.time() * 1000))}


async def ledger(attack: Attack) -> None:
    """Its own history."""
    await _read(attack, "/v1/players/me/ledger")


async def inbox(attack: Attack) -> None:
    """Its letters."""
    await _read(attack, "/v1/players/me/inbox")


async def items(attack: Attack) -> None:
    """What it owns."""
    await _read(attack, "/v1/players/me/items")


async def friends(attack: Attack) -> None:
    """Its friends."""
    await _read(attack, "/v1/players/me/friends")


async def sessions(attack: Attack) -> None:
    """Its sessions."""
    await _read(attack, "/v1/sessions")


async def unknown_sessions(attack: Attack) -> None:
    """The end of sessions that it doesn't have."""
    await repeat(attack, lambda number: attack.ask("DELETE", f"/v1/sessions/{number:016x}", token=attack.token))


async def devices(attack: Attack) -> None:
    """Its devices."""
    await _read(attack, "/v1/players/me/devices")


async def blocks(attack: Attack) -> None:
    """Whom it has blocked."""
    await _read(attack, "/v1/players/me/blocks")


async def feed(attack: Attack) -> None:
    """What it did last."""
    await _read(attack, "/v1/players/me/feed?limit=50")


async def friends_board(attack: Attack) -> None:
    """The board of its friends."""
    await _read(attack, "/v1/boards/exp/friends")


async def myself(attack: Attack) -> None:
    """Itself."""
    await _read(attack, "/v1/players/me")


async def proved(attack: Attack) -> None:
    """Itself, and each time its primary has to prove that it leads."""
    await _read(attack, "/v1/players/me?max_staleness=0")


async def others(attack: Attack) -> None:
    """Other players, one at a time."""
    await _each_stranger(attack, "/v1/players/{}")


async def places(attack: Attack) -> None:
    """The places of others, one at a time."""
    await _each_stranger(attack, "/v1/boards/exp/ranks/{}")


async def _each_stranger(attack: Attack, path: str) -> None:
    async def one(number: int) -> None:
        await attack.ask("GET", path.format(attack.strangers[number % len(attack.strangers)]), token=attack.token)

    await repeat(attack, one)


async def exports(attack: Attack) -> None:
    """All that is stored of it, after it has played a while."""
    await acts(replace(attack, until=(time.monotonic() + attack.until) / 2))
    attack.heard.clear()
    await _read(attack, "/v1/players/me/export")


async def renames(attack: Attack) -> None:
    """Another name each time."""
    tag = os.urandom(4).hex()

    async def rename(_: int) -> None:
        body = {"name": f"Z{tag}x{next(_numbers)}"}
        await attack.ask("POST", "/v1/players/me/name", body, token=attack.token, **command_key())

    await repeat(attack, rename)


async def befriending(attack: Attack) -> None:
    """Friends that come and go."""
    await _toggling(attack, "friends")


async def new_devices(attack: Attack) -> None:
    """Another device each time, also when it has too many."""

    async def add(_: int) -> None:
        body = {"device": os.urandom(16).hex()}
        await attack.ask("POST", "/v1/players/me/devices", body, token=attack.token, **command_key())

    await repeat(attack, add)


async def acts(attack: Attack) -> None:
    """Actions."""

    async def act(_: int) -> None:
        body = {"action": "hunt", "args": {"foe": "slime"}}
        await attack.ask("POST", "/v1/players/me/actions", body, token=attack.token, **command_key())

    await repeat(attack, act)


async def passwords(attack: Attack) -> None:
    """Changes of its password with a wrong one."""
    body = {"old": "a wrong password 1", "new": "another wrong password 2"}
    await repeat(attack, lambda _: attack.ask("POST", "/v1/players/me/password", body, token=attack.token))


async def blocking(attack: Attack) -> None:
    """Blocks that come and go."""
    await _toggling(attack, "blocks")


async def _toggling(attack: Attack, what: str) -> None:
    """Puts strangers on one of its lists, one after another, and takes them off it, again and again."""

    async def change(number: int) -> None:
        other = attack.strangers[number % len(attack.strangers)]
        method = "DELETE" if number // len(attack.strangers) % 2 else "PUT"
        await attack.ask(method, f"/v1/players/me/{what}/{other}", token=attack.token)

    await repeat(attack, change)


async def forgetting(attack: Attack) -> None:
    """An inbox that is emptied again and again, as a whole and by letters that aren't there."""

    async def forget(number: int) -> None:
        letter = f"/{new_command_id(number)}" if number % 2 else ""
        await attack.ask("DELETE", f"/v1/players/me/inbox{letter}", token=attack.token)

    await repeat(attack, forget)


GREEDY = {
    kind.__name__: kind
    for kind in (
        myself, proved, others, places,
        ledger, inbox, items, friends, blocks, feed, friends_board, sessions, unknown_sessions, devices, exports,
        renames, befriending, new_devices, acts, passwords, blocking, forgetting,
    )
}  # fmt: skip
