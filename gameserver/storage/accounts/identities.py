"""Who a player is: the name that he has, whether he lives, and which claims are therefore his.

Law (claims.py has the other half): a player's `claims_epoch` is raised under his row's lock by whatever changes his
keys, and by whoever judges a claim of his. A rename or deletion reads it before it touches any claim and commits only
if it is still the same. So what a judge found stays true for every claim that he saw open: a rename that reserved
before the judgement, and froze, can't commit after it, whatever became of its reservation; one that begins later opens
its claims anew, which the judge's answer then doesn't settle. A sign-up's judge makes a void row under the player's id
instead, since there is no row to raise an epoch in: the sign-up can't insert its player any more.

A deleted player stays as a tombstone: void, so that nobody sees him, and `deleted`, with a version of its own, so that
what is derived from him goes, too.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules import names
from gameserver.rules.errors import CommandMismatch, PlayerNotFound, SessionRevoked
from gameserver.rules.game import Game
from gameserver.rules.player import Player, renamed
from gameserver.storage import tables
from gameserver.storage.accounts.claims import Key, Kind
from gameserver.storage.ids import sign_up_ids, slot_of
from gameserver.storage.ledger.rows import TXID
from gameserver.storage.ledger.window import Window
from gameserver.storage.mail import inbox
from gameserver.storage.players.command import Receipt
from gameserver.storage.tables import player_of

PLAYERS, LEDGER, CREDENTIALS = tables.player_rows, tables.ledger, tables.credentials


class Fate(Enum):
    """What a claim comes to: its player has the key, or he hasn't, or he had it when he was deleted."""

    HELD = "held"
    NOT_HELD = "not held"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Change:
    """A rename or a deletion that a player asks for, `session_epoch` being the one his session was opened in."""

    command_id: str
    player_id: int
    action: str
    args: dict[str, Any]
    session_epoch: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A player before a change of his: his keys, and the epoch in which the change may be committed.

    `earlier` is the answer that the change has had before, if it took effect.
    """

    player: Player
    keys: tuple[Key, ...]
    claims_epoch: int
    now: datetime
    earlier: Receipt | None = None


async def find(connection: AsyncConnection, window: Window, change: Change, *, locked: bool = False) -> Standing:
    """The player as the change finds him, `locked` for its commit.

    Raises PlayerNotFound, SessionRevoked, CommandMismatch, CommandExpired.
    """
    columns = (*tables.PLAYER, PLAYERS.c.session_epoch, PLAYERS.c.claims_epoch, func.clock_timestamp().label("now"))
    chosen = select(*columns).where(_is(change.player_id), ~PLAYERS.c.void)
    row = (await connection.execute(chosen.with_for_update(key_share=True) if locked else chosen)).first()
    if row is None:
        raise PlayerNotFound("There is no such player.")
    player = player_of(row)
    if change.session_epoch < row.session_epoch:
        raise SessionRevoked("The session has ended.")
    earlier = await _earlier(connection, change, player)
    if earlier is None:
        window.refuse(change.command_id, row.now)
    keys = await _keys(connection, player.id, player.name)
    return Standing(player, keys, row.claims_epoch, row.now, earlier)


async def rename(connection: AsyncConnection, window: Window, game: Game, change: Change, epoch: int) -> Receipt | None:
    """The commit point of a rename; None if the player's claims have been changed or judged since `epoch`."""
    standing = await find(connection, window, change, locked=True)
    if standing.earlier is not None:
        return standing.earlier
    if standing.claims_epoch != epoch:
        return None
    before, after = standing.player, renamed(standing.player, change.args["name"])
    events = [{"type": "renamed", "from": before.name}]
    max_hp = game.max_hp(after.class_name, after.level)
    await connection.execute(insert(LEDGER).values(_entry(change, after, max_hp, standing.now, {"events": events})))
    await _update(connection, after, name=after.name)
    return Receipt(change.command_id, after, max_hp, events, replayed=False)


async def remove(connection: AsyncConnection, window: Window, game: Game, change: Change, epoch: int) -> bool:
    """The commit point of a deletion; False if the player's claims have been changed or judged since `epoch`."""
    standing = await find(connection, window, change, locked=True)
    if standing.claims_epoch != epoch:
        return False
    after = renamed(standing.player, standing.player.name)
    told = {"events": [{"type": "deleted"}], "keys": [str(key) for key in standing.keys]}
    max_hp = game.max_hp(after.class_name, after.level)
    await connection.execute(insert(LEDGER).values(_entry(change, after, max_hp, standing.now, told)))
    for own in (CREDENTIALS, tables.friends):
        await connection.execute(delete(own).where((own.c.slot == slot_of(after.id)) & (own.c.player_id == after.id)))
    await inbox.forget_all(connection, after.id)
    await _update(connection, after, void=True, deleted=True, session_epoch=PLAYERS.c.session_epoch + 1)
    return True


async def removed(connection: AsyncConnection, change: Change) -> tuple[Key, ...] | None:
    """The keys that a player had whom this very change deleted; None if it hasn't."""
    known = await _known(connection, change)
    if known is None or (known["action"], known["args"]) != (change.action, change.args):
        return None
    return tuple(map(Key.parse, known["outcome"]["keys"]))


async def judge(connection: AsyncConnection, player_id: int, key: Key) -> Fate:
    """Whether an open claim is its player's; nothing that was begun before can change the answer any more."""
    await connection.execute(upsert(PLAYERS).values(_nobody(player_id)).on_conflict_do_nothing())
    raised = update(PLAYERS).where(_is(player_id)).values(claims_epoch=PLAYERS.c.claims_epoch + 1)
    await connection.execute(raised)
    return await fate(connection, player_id, key)


async def fate(connection: AsyncConnection, player_id: int, key: Key) -> Fate:
    """What an open claim would come to at this moment."""
    chosen = select(PLAYERS.c.name, PLAYERS.c.void, PLAYERS.c.deleted).where(_is(player_id))
    row = (await connection.execute(chosen)).first()
    if row is None or (row.void and not row.deleted) or key not in await _keys(connection, player_id, row.name):
        return Fate.NOT_HELD
    return Fate.DELETED if row.deleted else Fate.HELD


async def _keys(connection: AsyncConnection, player_id: int, name: str) -> tuple[Key, ...]:
    """Of a player that there is or was: the devices of his sign-up, and the name that he had last."""
    low, high = sign_up_ids(player_id)
    when = (LEDGER.c.command_id >= low) & (LEDGER.c.command_id < high) & (LEDGER.c.action == "sign_up")
    outcome = (await connection.execute(select(LEDGER.c.outcome).where(_of(player_id), when))).scalar()
    claimed = [Key.parse(each) for each in outcome["keys"]] if outcome is not None else []
    return (*(key for key in claimed if key.kind is Kind.DEVICE), Key(Kind.NAME, names.key_of(name)))


async def _known(connection: AsyncConnection, change: Change) -> Any:
    """The ledger's row of the change, locked: a lock writes, so its commit waits for the standby."""
    chosen = select(LEDGER).where(_of(change.player_id), LEDGER.c.command_id == change.command_id)
    return (await connection.execute(chosen.with_for_update(read=True, key_share=True))).mappings().first()


async def _earlier(connection: AsyncConnection, change: Change, player: Player) -> Receipt | None:
    known = await _known(connection, change)
    if known is None:
        return None
    if (known["action"], known["args"]) != (change.action, change.args):
        raise CommandMismatch("The command id was used before, for another command.")
    told = known["outcome"]
    after = player._replace(
        name=told["name"], class_name=told["class"], level=told["level"], hp=told["hp"], exp=told["exp"],
        version=known["version"],
    )  # fmt: skip
    return Receipt(change.command_id, after, told["max_hp"], told["events"], replayed=True)


async def _update(connection: AsyncConnection, after: Player, **values: Any) -> None:
    raised = {"version": after.version, "claims_epoch": PLAYERS.c.claims_epoch + 1}
    await connection.execute(update(PLAYERS).where(_is(after.id)).values(**raised, **values))


def _entry(change: Change, after: Player, max_hp: int, now: datetime, told: dict[str, Any]) -> dict[str, Any]:
    state = {"name": after.name, "class": after.class_name, "level": after.level, "hp": after.hp, "max_hp": max_hp,
             "exp": after.exp}  # fmt: skip
    return {
        "slot": slot_of(after.id),
        "player_id": after.id,
        "command_id": change.command_id,
        "action": change.action,
        "args": change.args,
        "seed": 0,
        "outcome": {**state, **told},
        "version": after.version,
        "at": now,
        "txid": TXID,
    }


def _nobody(player_id: int) -> dict[str, Any]:
    zero = datetime.fromtimestamp(0).astimezone()
    return {"slot": slot_of(player_id), "id": player_id, "name": "", "class": "", "level": 0, "hp": 0, "exp": 0,
            "version": 0, "session_epoch": 0, "void": True, "created_at": zero, "exp_reached_at": zero}  # fmt: skip


def _is(player_id: int) -> ColumnElement[bool]:
    return (PLAYERS.c.slot == slot_of(player_id)) & (PLAYERS.c.id == player_id)


def _of(player_id: int) -> ColumnElement[bool]:
    return (LEDGER.c.slot == slot_of(player_id)) & (LEDGER.c.player_id == player_id)
