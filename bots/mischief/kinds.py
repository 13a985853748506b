"""The ways to misbehave, by name; each ends in its scene's seconds, whatever the server does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson

from bots.load.rawsocket import frame
from bots.mischief.offender import Offender, Scene

FRAMES = 100_000
SOCKETS = 1_000
SLOW_SOCKETS = 100
AT_ONCE = 64
MUTE_SHARE = 0.5
"""How much of the time a mute client stays so; then he looks at what has become of him."""


@asynccontextmanager
async def _entered(scene: Scene) -> AsyncIterator[Offender]:
    """A socket before hello, closed at the end; it may have been refused."""
    offender = Offender(scene)
    try:
        await offender.enter()
        yield offender
    finally:
        await offender.leave()


def _requests(count: int) -> bytes:
    return b"".join(frame(b'{"id":%d,"op":"read"}' % number) for number in range(1, count + 1))


async def frames(scene: Scene) -> None:
    """100,000 requests at once on one socket."""
    async with _entered(scene) as offender:
        if await offender.hello(scene.tokens[0]):
            offender.send(_requests(FRAMES))
            await offender.hear(FRAMES, scene.seconds)


async def mute(scene: Scene) -> None:
    """One socket asks for 100,000 answers and reads none."""
    async with _entered(scene) as offender:
        if await offender.hello(scene.tokens[0]):
            offender.read(on=False)
            offender.send(_requests(FRAMES))
            await offender.be_ended(scene.seconds * MUTE_SHARE)
            offender.read(on=True)
            await offender.hear(FRAMES, scene.seconds * (1 - MUTE_SHARE))


async def many(scene: Scene) -> None:
    """1,000 sockets with one token."""
    offenders = [Offender(scene) for _ in range(SOCKETS)]

    async def join(offender: Offender) -> None:
        if await offender.enter():
            await offender.hello(scene.tokens[0])

    try:
        await _within(scene.seconds, offenders, join)
    finally:
        await _within(scene.seconds, offenders, Offender.leave)


async def resume(scene: Scene) -> None:
    """Hellos that go on with a stream which isn't there, is another's, or makes no sense."""
    async with _entered(scene) as other:
        await other.hello(scene.tokens[1])
        for name, value in _streams(other.last).items():
            async with _entered(scene) as offender:
                before = scene.heard.copy()
                await offender.hello(scene.tokens[0], resume=value)
                await offender.hear(1, 0.2)
                resumed = (_body(offender.last).get("ok") or {}).get("resumed")
                told = next(iter((scene.heard - before).keys()), "nothing") if resumed is None else f"resumed {resumed}"
                scene.heard[f"{name}: {told}".lower()] += 1


async def slow(scene: Scene) -> None:
    """100 sockets that never say hello."""

    async def idle(offender: Offender) -> None:
        if await offender.enter():
            await offender.be_ended(scene.seconds)
            await offender.leave()

    await _within(scene.seconds + 2, [Offender(scene) for _ in range(SLOW_SOCKETS)], idle, SLOW_SOCKETS)


def _streams(hello: bytes) -> Mapping[str, Any]:
    """What to resume, by what is wrong with it; `hello` is the answer that another player got."""
    told = _body(hello).get("ok") or {}
    return {
        "invented": {"stream": "0123456789abcdef", "seq": 7},
        "another's": {"stream": told.get("stream", ""), "seq": told.get("seq", 0)},
        "from the future": {"stream": told.get("stream", ""), "seq": 2**53 - 1},
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
    """Have all of them do something, so many at once; whoever isn't done in time is broken off."""
    room = asyncio.Semaphore(at_once)

    async def do(offender: Offender) -> None:
        async with room:
            await doing(offender)

    tasks = [asyncio.create_task(do(offender)) for offender in offenders]
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


KINDS: Mapping[str, Callable[[Scene], Awaitable[None]]] = {
    each.__name__: each for each in (frames, mute, many, resume, slow)
}
