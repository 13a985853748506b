"""Changes of many players' keys in one transaction: each is decided by what its player is under its lock.

Law: a decision is a pure function of the player, taken in a statement after the lock, whose snapshot is then fresh. A
player that is locked elsewhere, or has a change in the batch already, is tried again (`Busy`) and holds up nobody.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

import asyncpg
import structlog

from gameserver.garbage import without_frames
from gameserver.rules.errors import GameError
from gameserver.storage.accounts.player_keys import SQL, Device, KeyHolder, look, sought
from gameserver.storage.ids import slot_of
from gameserver.storage.ledger.rows import BatchRow
from gameserver.storage.slots.shared_writes import Busy

log = structlog.get_logger()


class PlayerColumns(NamedTuple):
    """What the row of `players` becomes."""

    name: str
    version: int
    session_epoch: int
    void: bool
    deleted: bool

    @classmethod
    def of(cls, holder: KeyHolder) -> "PlayerColumns":
        """The present ones."""
        return cls(holder.row.name, holder.row.version, holder.session_epoch, holder.void, holder.deleted)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is written, and the reply. With `columns` the player's `claims_epoch` rises, too."""

    reply: object
    columns: PlayerColumns | None = None
    record: BatchRow | None = None
    gone: Sequence[Device] = ()
    """Devices whose rows are deleted, before others are added."""
    added: Sequence[tuple[Device, bool]] = ()
    """Devices whose rows are inserted, and whether as removed."""


@dataclass(frozen=True, slots=True)
class KeyWrite:
    """`decide` gets None if there is no row of the id, unless it `voids` it: then a void one is made first."""

    slot: int
    player_id: int
    command_id: str | None
    decide: Callable[[KeyHolder | None], Decision]
    voids: bool = False


@dataclass(frozen=True, slots=True)
class _Decided:
    holder: KeyHolder
    decision: Decision


async def write_keys(connection: asyncpg.Connection, writes: Sequence[KeyWrite]) -> Sequence[object]:
    """The reply to each, which may be an exception. Raises driver errors."""
    first = {write.player_id: write for write in reversed(writes)}
    chosen = sorted(first.values(), key=attrgetter("player_id"))
    if voiding := [write for write in chosen if write.voids]:
        await connection.execute(SQL["void"], *_ids(voiding))
    locked = {row["id"] for row in await connection.fetch(SQL["lock"], *_ids(chosen))}
    holders = await look(connection, [sought(write.player_id, write.command_id) for write in chosen])
    replies, decided = dict[int, object](), list[_Decided]()
    for write, holder in zip(chosen, holders, strict=True):
        if isinstance(holder, KeyHolder) and write.player_id not in locked:
            continue
        try:
            assert not isinstance(holder, Exception), "owned: asked under the fence"
            decision = write.decide(holder)
        except GameError as error:
            replies[id(write)] = without_frames(error)
            continue
        except Exception as error:
            log.exception("a change failed", player=write.player_id, command=write.command_id)
            replies[id(write)] = without_frames(error)
            continue
        replies[id(write)] = decision.reply
        if holder is not None:
            decided.append(_Decided(holder, decision))
    await _keep(connection, decided)
    return [replies.get(id(write), Busy()) for write in writes]


async def _keep(connection: asyncpg.Connection, decided: Sequence[_Decided]) -> None:
    """Writes what was decided."""

    async def write(statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            await connection.execute(SQL[statement], *zip(*rows, strict=True))

    changed = [(_id(one), one.decision.columns) for one in decided if one.decision.columns is not None]
    ended = [
        _id(one) for one in decided if not one.holder.deleted and (columns := one.decision.columns) and columns.deleted
    ]
    recorded = [(one.decision.record, one.holder.now) for one in decided if one.decision.record is not None]
    await write("change", [(*key, *columns) for key, columns in changed])
    await write("record", [(*record, now) for record, now in recorded])
    await write("forget_players", ended)
    await write("forget_devices", [(*_id(one), device.key.text) for one in decided for device in one.decision.gone])
    added = [(_id(one), device, removed) for one in decided for device, removed in one.decision.added]
    await write("add_devices", [(*key, device.key.text, device.label, device.added_at, removed)
                                for key, device, removed in added])  # fmt: skip


def _ids(writes: Sequence[KeyWrite]) -> tuple[list[int], list[int]]:
    return [write.slot for write in writes], [write.player_id for write in writes]


def _id(one: _Decided) -> tuple[int, int]:
    return slot_of(one.holder.row.id), one.holder.row.id
