"""What followers write to boards. Every call raises RedisError when Redis is away.

Law: a generation becomes live when every database has been loaded into it whole and every follower has then caught
up with what was there after the last load. A row older than what is there changes nothing, also when what is there
says that the player has left: tombstones keep his version for as long as older rows can come.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from redis.asyncio import Redis

from gameserver.storage.boards.layout import PARTS, Contest, Place, pack
from gameserver.storage.redis.scripts import Argument, Script

TOMBSTONE_SECONDS = 120
"""Far longer than a row can be on its way: a follower drops what it read before OLDEST_READ_SECONDS."""
WANTED_SECONDS = 10
"""Nodes ask for their definition of a board twice a second."""
Rows = Literal["follow", "load", "repair"]
How = tuple[str, str | int, int, Rows]
"""The database, the ledger's time in ms or '', how long tombstones stay, and what is written."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One body of a contest. `checkpoint` is a database's, empty when it hasn't been loaded.

    `is_next` while it isn't live yet; then `loads`, which rises with every load, isn't 0 once every database has a
    checkpoint in it.
    """

    name: str
    checkpoint: str
    is_next: bool = False
    loads: int = 0


@dataclass(frozen=True, slots=True)
class Guard:
    """What the checkpoints must say for a write to count, and what it makes them say."""

    field: str
    expected: str
    to_field: str
    to: str

    def arguments(self) -> tuple[str, str, str, str]:
        return self.field, self.expected, self.to_field, self.to


class BoardWriter:
    """One per node; `names` are all databases that the boards rank."""

    def __init__(self, redis: Redis) -> None:
        self._generations, self._begin = (
            Script(redis, __package__, "generations"),
            Script(redis, __package__, "begin_load"),
        )
        self._apply, self._ready = Script(redis, __package__, "apply"), Script(redis, __package__, "ready")
        self._renew = Script(redis, __package__, "renew")

    async def generations(
        self, contests: Sequence[Contest], database: str, names: Sequence[str], *, starting: bool = False
    ) -> list[list[Generation]]:
        """Those that a follower has to write, of each contest; the first is made if there is none."""
        calls: list[tuple[list[str], tuple[Argument, ...]]] = [
            (
                [each.state],
                (each.prefix, database, each.definition, _name(each), int(starting), WANTED_SECONDS, *names),
            )
            for each in contests
        ]
        return [
            [
                Generation(name.decode(), checkpoint.decode(), bool(is_next), loads)
                for name, checkpoint, is_next, loads in found
            ]
            for found in await self._generations.many(calls)
        ]

    async def renew(self, contest: Contest, unusable: str = "") -> str:
        """Begins a next generation, unless one other than `unusable` is being built already; the next one's name."""
        name: bytes = await self._renew([contest.state], (contest.prefix, _name(contest), unusable))
        return name.decode()

    async def begin_load(self, contest: Contest, generation: str, database: str, load: str) -> bool:
        """Makes the writes of any earlier load of this database end; whether there were none."""
        return bool(await self._begin([contest.key(generation, "checkpoints")], (database, load)))

    async def apply_load(
        self, contest: Contest, generation: str, guarded: tuple[str, str], places: Sequence[Place], *,
        first: bool = False,
    ) -> bool:  # fmt: skip
        """Writes a part of a load, `guarded` by its database and name; False when it has been superseded.

        `first` for one into a generation that has nothing of the database yet.
        """
        database, load = guarded
        field = f"loading:{database}"
        guard = Guard(field, load, field, "")
        how: How = (database, "", TOMBSTONE_SECONDS, "load")
        keys, arguments = _call(contest, generation, guard, how, ())
        return bool(await self._apply(keys, (*arguments[:-1], pack(contest, places, all_absent=not first))))

    async def end_load(self, contest: Contest, generation: str, database: str, load: str, checkpoint: str) -> bool:
        """Gives the database its first checkpoint in the generation; False when the load has been superseded."""
        guard = Guard(f"loading:{database}", load, database, checkpoint)
        return await self._write(contest, generation, guard, (database, "", TOMBSTONE_SECONDS, "load"), ())

    async def apply(
        self,
        followed: Sequence[tuple[Contest, Generation]],
        database: str,
        checkpoint: str,
        places: Sequence[Place],
        as_of: int | None = None,
    ) -> list[bool]:
        """Writes what has changed since the checkpoints of the generations; False where it has another one.

        `as_of` is the ledger's time of the reading, in ms.
        """
        how: How = (database, "" if as_of is None else as_of, TOMBSTONE_SECONDS, "follow")
        calls = [
            _call(contest, found.name, Guard(database, found.checkpoint, database, checkpoint), how, places)
            for contest, found in followed
        ]
        return [bool(answer) for answer in await self._apply.many(calls)]

    async def repair(self, contest: Contest, generation: str, places: Sequence[Place]) -> bool:
        """Writes over what is there, unless it is newer; False when the generation is gone."""
        guard = Guard("repair", "", "repair", "")
        return await self._write(contest, generation, guard, ("", "", TOMBSTONE_SECONDS, "repair"), places)

    async def _write(self, contest: Contest, generation: str, guard: Guard, how: How, places: Iterable[Place]) -> bool:
        return bool(await self._apply(*_call(contest, generation, guard, how, places)))

    async def ready(self, contest: Contest, generation: str, database: str, names: Sequence[str]) -> bool:
        """Says that the database's follower has caught up; True if the generation has become the live one."""
        return bool(await self._ready([contest.state], (contest.prefix, generation, database, *names)))


def _name(contest: Contest) -> str:
    return f"{contest.definition}-{secrets.token_hex(6)}"


def _call(
    contest: Contest, generation: str, guard: Guard, how: How, places: Iterable[Place]
) -> tuple[list[str], tuple[Argument, ...]]:
    keys = [*(contest.key(generation, part) for part in PARTS), contest.state]
    return keys, (*guard.arguments(), generation, *how, pack(contest, places))
