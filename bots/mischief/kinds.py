"""The ways to misbehave, by name; each ends within its scene's seconds, whatever the server does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson

from bots.mischief.offender import Offender, Scene
from bots.waiting import cancel_and_wait
from bots.wire.rawsocket import frame

FRAMES = 100_000
SOCKETS = 1_000
SLOW_SOCKETS = 100
AT_ONCE = 64
MUTE_SHARE = 0.5
"""The share of the time for which a mute client reads nothing; then it reads what the server did to it."""


@asynccontextmanager
async def _opened(scene: Scene) -> AsyncIterator[Offender]:
    """A socket that has not said hello, closed at the end; the server may have refused it."""
    offender = Offender(scene)
    try:
        await offender.open()
        yield offender
    finally:
        await offender.close()


def _requests(count: int) -> bytes:
    return b"".join(frame(b'{"id":%d,"op":"read"}' % number) for number in range(1, count + 1))


async def frames(scene: Scene) -> None:
    """100,000 requests at once on one socket."""
    async with _opened(scene) as offender:
        if await offender.hello(scene.tokens[0]):
            offender.send(_requests(FRAMES))
            await offender.wait_for_answers(FRAMES, scene.seconds)


async def mute(scene: Scene) -> None:
    """One socket that sends 100,000 requests and reads no answer."""
    async with _opened(scene) as offender:
        if await offender.hello(scene.tokens[0]):
            offender.read(on=False)
            offender.send(_requests(FRAMES))
            await offender.wait_for_end(scene.seconds * MUTE_SHARE)
            offender.read(on=True)
            await offender.wait_for_answers(FRAMES, scene.seconds * (1 - MUTE_SHARE))


async def many(scene: Scene) -> None:
    """1,000 sockets with one token."""
    offenders = [Offender(scene) for _ in range(SOCKETS)]

    async def join(offender: Offender) -> None:
        if await offender.open():
            await offender.hello(scene.tokens[0])

    try:
        await _within(scene.seconds, offenders, join)
    finally:
        await _within(scene.seconds, offenders, Offender.close)


async def resume(scene: Scene) -> None:
    """Hellos that resume a stream which doesn't exist, belongs to another player, or makes no sense."""
    async with _opened(scene) as other:
        await other.hello(scene.tokens[1])
        for name, value in _streams(other.last).items():
            async with _opened(scene) as offender:
                before = scene.heard.copy()
                await offender.hello(scene.tokens[0], resume=value)
                await offender.wait_for_answers(1, 0.2)
                resumed = (_body(offender.last).get("ok") or {}).get("resumed")
                answer = f"resumed {resumed}".lower()
                if resumed is None:
                    answer = next(iter(scene.heard - before), "nothing")
                scene.heard[f"{name}: {answer}"] += 1


async def slow(scene: Scene) -> None:
    """100 sockets that never say hello."""

    async def idle(offender: Offender) -> None:
        if await offender.open():
            await offender.wait_for_end(scene.seconds)
            await offender.close()

    await _within(scene.seconds + 2, [Offender(scene) for _ in range(SLOW_SOCKETS)], idle, SLOW_SOCKETS)


def _streams(hello: bytes) -> Mapping[str, Any]:
    """Values of `resume`, by what is wrong with them; `hello` is the answer that another player got."""
    ok = _body(hello).get("ok") or {}
    return {
        "invented": {"stream": "0123456789abcdef", "seq": 7},
        "another's": {"stream": ok.get("stream", ""), "seq": ok.get("seq", 0)},
        "from the future": {"stream": ok.get("stream", ""), "seq": 2**53 - 1},
        "negative": {"stream": "0123456789abcdef", "seq": -1},
        "a long name": {"stream": "x" * 10_000, "seq": 0},
        "no stream": {"seq": 0},
        "no object": "0123456789abcdef",
    }


def _body(message: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(message or b"{}")
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


async def _within(
    seconds: float, offenders: list[Offender], doing: Callable[[Offender], Awaitable[None]], at_once: int = AT_ONCE
) -> None:
    """Have all offenders do something, so many at a time; those that aren't done in time are cancelled."""
    room = asyncio.Semaphore(at_once)

    async def do(offender: Offender) -> None:
        async with room:
            await doing(offender)

    tasks = [asyncio.create_task(do(offender)) for offender in offenders]
    await asyncio.wait(tasks, timeout=seconds)
    await cancel_and_wait(*tasks)


KINDS: Mapping[str, Callable[[Scene], Awaitable[None]]] = {
    kind.__name__: kind for kind in (frames, mute, many, resume, slow)
}
