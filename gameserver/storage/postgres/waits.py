"""For which databases a command waits at this moment, told to whoever counts that.

Law: a question of a sign-up or sign-in, by a lane, a reader of players or the pool of a slot's owner, tells its command
when it is asked and when it is answered, refused or given up. So to count those that wait for a database, no step of
a command has to say where it waits.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Protocol, TypeVar

ReplyT = TypeVar("ReplyT")


class Waits(Protocol):
    """Of one command; several of its questions may wait for one database at a time."""

    def begin(self, database: str) -> None: ...

    def end(self, database: str) -> None: ...


_waits: ContextVar[Waits | None] = ContextVar("waits", default=None)


@contextlib.contextmanager
def counted_by(waits: Waits) -> Iterator[None]:
    """Within the block, and in the tasks that it begins, questions tell `waits`."""
    before = _waits.set(waits)
    try:
        yield
    finally:
        _waits.reset(before)


@contextlib.contextmanager
def waiting_for(database: str) -> Iterator[None]:
    """The block is a question to the database."""
    waits = _waits.get()
    if waits is None:
        yield
        return
    waits.begin(database)
    try:
        yield
    finally:
        waits.end(database)


def noted(database: str, reply: asyncio.Future[ReplyT]) -> asyncio.Future[ReplyT]:
    """The reply to come of a question to the database."""
    if (waits := _waits.get()) is not None:
        waits.begin(database)
        reply.add_done_callback(lambda _: waits.end(database))
    return reply
