"""Who a player is: its name, whether it exists, and which claims are therefore its own.

Law (claims.py has the other half): `claims_epoch` is a version of the player's keys. Whatever changes the keys raises
it under the row's lock, and so does whoever resolves a claim of the player. A rename or deletion reads it before it
touches any claim and commits only if it is unchanged, so one that reserved a key and then stalled can't commit after
its claim was resolved. One that begins later opens its claims again, and an earlier resolution doesn't settle those.
A sign-up has no row whose version could be raised: resolving its claim inserts a void row under the player's id
instead, and the sign-up can't insert its player any more.

A deleted player stays as a tombstone: void, so that nobody sees it, and `deleted`, with a version of its own, so that
everything derived from it is removed, too.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar
from unicodedata import normalize

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import GameError, PlayerNotFound, SessionRevoked
from gameserver.rules.game import Game
from gameserver.rules.player import Player, renamed, shown_max_hp
from gameserver.storage import tables
from gameserver.storage.accounts.claims import Claim, Key
from gameserver.storage.accounts.commit import at_commit_point
from gameserver.storage.accounts.player_keys import keys_of
from gameserver.storage.accounts.player_rows import has_id, is_player, void_row
from gameserver.storage.ids import slot_of
from gameserver.storage.ledger.refusals import REFUSED_SEED, raise_refusal, refusal_of
from gameserver.storage.ledger.rows import outcome_of, player_from, require_same, row_of, rows_of
from gameserver.storage.ledger.window import Window
from gameserver.storage.mail import inbox
from gameserver.storage.players.command import Receipt
from gameserver.storage.slots.owner import on_owner
from gameserver.storage.slots.slot_map import Slots
from gameserver.storage.tables import player_of

PLAYERS, LEDGER, CREDENTIALS = tables.player_rows, tables.ledger, tables.credentials
T = TypeVar("T")


class Fate(Enum):
    """What an open claim comes to: its player has the key, or doesn't, or had it when it was deleted."""

    HELD = "held"
    NOT_HELD = "not held"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Change:
    """A rename or a deletion under its command id; `session_epoch` is the epoch the caller's session was opened in."""

    command_id: str
    player_id: int
    action: str
    args: dict[str, Any]
    session_epoch: int


@dataclass(frozen=True, slots=True)
class Identity:
    """A player before a change: its keys, and the `claims_epoch` at which the change may be committed.

    `earlier` is the first answer of the change, if it took effect before.
    """

    player: Player
    keys: tuple[Key, ...]
    claims_epoch: int
    now: datetime
    earlier: Receipt | None = None
    session_epoch: int = 0


KeyChange = Callable[[AsyncConnection, Identity], Awaitable[tuple[list[dict[str, Any]], Mapping[str, Any]]]]


class Identities:
    """Reads and changes identities on the databases that own the players."""

    def __init__(self, slots: Slots, window: Window, game: Game) -> None:
        self._slots, self._window, self._game = slots, window, game

    async def find(self, change: Change) -> Identity:
        """The player that a rename or deletion is about to change.

        Raises PlayerNotFound, SessionRevoked, CommandMismatch, CommandExpired, NameTaken if the change was refused
        before, DatabaseUnavailable.
        """
        return await self._on_owner(change.player_id, lambda connection: _find(connection, self._window, change))

    async def rename(self, change: Change, epoch: int) -> Receipt | None:
        """Commits a rename; None if the player's `claims_epoch` isn't `epoch` any more.

        Raises what `find` does, and OutcomeUnknown.
        """
        work = self._on_owner(change.player_id, lambda connection: self._rename(connection, change, epoch))
        return await at_commit_point("the rename took effect", work)

    async def alter(self, change: Change, epoch: int, write: KeyChange) -> Receipt | None:
        """Commits another change of a player's keys; None if the player's `claims_epoch` isn't `epoch` any more.

        `write` makes it, says what happened, and which columns of the player change. Raises what `find` and `write` do,
        and OutcomeUnknown.
        """
        work = self._on_owner(change.player_id, lambda connection: self._alter(connection, change, epoch, write))
        return await at_commit_point("the change took effect", work)

    async def refuse(self, change: Change, refusal: GameError) -> Receipt | None:
        """Records that a change is refused, unless a copy of it took effect: then its first answer.

        Raises what `find` does, also the error of an earlier refusal, and OutcomeUnknown.
        """
        work = self._on_owner(change.player_id, lambda connection: self._refuse(connection, change, refusal))
        return await at_commit_point("the change was refused", work)

    async def remove(self, change: Change, epoch: int) -> bool:
        """Commits a deletion; False if the player's `claims_epoch` isn't `epoch` any more.

        Raises what `find` does, and OutcomeUnknown.
        """
        work = self._on_owner(change.player_id, lambda connection: self._remove(connection, change, epoch))
        return await at_commit_point("the delete took effect", work)

    async def removed(self, change: Change) -> tuple[Key, ...] | None:
        """The keys of a player that this very change deleted; None if it hasn't deleted it."""
        if slot_of(change.player_id) >= self._slots.size("players"):
            return None
        return await self._on_owner(change.player_id, lambda connection: _removed(connection, change))

    async def resolve(self, claim: Claim) -> Fate:
        """What an open claim comes to; its sign-up or rename, if it is still under way, can't commit any more."""
        return await self._on_owner(
            claim.player_id, lambda connection: _resolve(connection, claim.player_id, claim.key)
        )

    async def fate(self, claim: Claim) -> Fate:
        """What an open claim would come to at this moment."""
        return await self._on_owner(claim.player_id, lambda connection: _fate(connection, claim.player_id, claim.key))

    async def exists(self, player_id: int) -> bool:
        """Whether there is such a player, not deleted, on the database that owns its slot."""

        async def query(connection: AsyncConnection) -> bool:
            chosen = select(PLAYERS.c.id).where(is_player(player_id))
            return (await connection.execute(chosen)).first() is not None

        return await self._on_owner(player_id, query)

    async def _on_owner(self, player_id: int, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        return await on_owner(self._slots, player_id, work)

    async def _rename(self, connection: AsyncConnection, change: Change, epoch: int) -> Receipt | None:
        identity = await _find(connection, self._window, change, locked=True)
        if identity.earlier is not None:
            return identity.earlier
        if identity.claims_epoch != epoch:
            return None
        before, after = identity.player, renamed(identity.player, change.args["name"])
        events = [{"type": "renamed", "from": before.name}]
        max_hp = shown_max_hp(after, self._game)
        await _record(connection, change, after, outcome_of(after, max_hp, events), identity.now)
        await _update(connection, after, name=after.name)
        return Receipt(change.command_id, after, max_hp, events, replayed=False)

    async def _alter(self, connection: AsyncConnection, change: Change, epoch: int, write: KeyChange) -> Receipt | None:
        identity = await _find(connection, self._window, change, locked=True)
        if identity.earlier is not None:
            return identity.earlier
        if identity.claims_epoch != epoch:
            return None
        events, columns = await write(connection, identity)
        after = renamed(identity.player, identity.player.name)
        max_hp = shown_max_hp(after, self._game)
        await _record(connection, change, after, outcome_of(after, max_hp, events), identity.now)
        await _update(connection, after, **columns)
        return Receipt(change.command_id, after, max_hp, events, replayed=False)

    async def _refuse(self, connection: AsyncConnection, change: Change, refusal: GameError) -> Receipt | None:
        identity = await _find(connection, self._window, change, locked=True)
        if identity.earlier is None:
            outcome = refusal_of(refusal)
            row = row_of(change.command_id, change.action, change.args, identity.player, outcome, identity.now)
            await connection.execute(insert(LEDGER).values({**row, "seed": REFUSED_SEED}))
        return identity.earlier

    async def _remove(self, connection: AsyncConnection, change: Change, epoch: int) -> bool:
        identity = await _find(connection, self._window, change, locked=True)
        if identity.claims_epoch != epoch:
            return False
        after = renamed(identity.player, identity.player.name)
        max_hp = shown_max_hp(after, self._game)
        keys = [str(key) for key in identity.keys]
        outcome = outcome_of(after, max_hp, [{"type": "deleted"}], keys=keys)
        await _record(connection, change, after, outcome, identity.now)
        for table in (CREDENTIALS, tables.devices, tables.friends, tables.blocks, tables.letter_counts):
            same = (table.c.slot == slot_of(after.id)) & (table.c.player_id == after.id)
            await connection.execute(delete(table).where(same))
        await inbox.forget_all(connection, after.id)
        await _update(connection, after, void=True, deleted=True, session_epoch=PLAYERS.c.session_epoch + 1)
        return True


async def _find(connection: AsyncConnection, window: Window, change: Change, *, locked: bool = False) -> Identity:
    """The player before the change, `locked` if it is to be committed."""
    columns = (*tables.PLAYER, PLAYERS.c.session_epoch, PLAYERS.c.claims_epoch, func.clock_timestamp().label("now"))
    chosen = select(*columns).where(is_player(change.player_id))
    # The player, and whether the session may still change it.
    row = (await connection.execute(chosen.with_for_update(key_share=True) if locked else chosen)).first()
    if row is None:
        raise PlayerNotFound("There is no such player.")
    player = player_of(row)
    if change.session_epoch < row.session_epoch:
        raise SessionRevoked("The session has ended.")
    # A retry gets the first answer; a new command's id must be inside the window.
    earlier = await _earlier(connection, change, player)
    if earlier is None:
        window.check(change.command_id, row.now)
    keys = await keys_of(connection, player.id, player.name)
    return Identity(player, keys, row.claims_epoch, row.now, earlier, row.session_epoch)


async def _removed(connection: AsyncConnection, change: Change) -> tuple[Key, ...] | None:
    row = await _ledger_row(connection, change)
    if row is None or (row["action"], row["args"]) != (change.action, change.args):
        return None
    return tuple(map(Key.parse, row["outcome"]["keys"]))


async def _resolve(connection: AsyncConnection, player_id: int, key: Key) -> Fate:
    # Stop what may still commit: a sign-up can't insert over a row, a rename needs an unchanged claims_epoch.
    await connection.execute(upsert(PLAYERS).values(void_row(player_id)).on_conflict_do_nothing())
    raised = update(PLAYERS).where(has_id(player_id)).values(claims_epoch=PLAYERS.c.claims_epoch + 1)
    await connection.execute(raised)
    # Nothing that began before can change the answer any more.
    return await _fate(connection, player_id, key)


async def _fate(connection: AsyncConnection, player_id: int, key: Key) -> Fate:
    chosen = select(PLAYERS.c.name, PLAYERS.c.void, PLAYERS.c.deleted).where(has_id(player_id))
    row = (await connection.execute(chosen)).first()
    if row is None or (row.void and not row.deleted) or key not in await keys_of(connection, player_id, row.name):
        return Fate.NOT_HELD
    return Fate.DELETED if row.deleted else Fate.HELD


async def _ledger_row(connection: AsyncConnection, change: Change) -> Any:
    """The ledger's row of the change, locked: a lock writes, so its commit waits for the standby."""
    chosen = select(LEDGER).where(rows_of(change.player_id), LEDGER.c.command_id == change.command_id)
    return (await connection.execute(chosen.with_for_update(read=True, key_share=True))).mappings().first()


async def _earlier(connection: AsyncConnection, change: Change, player: Player) -> Receipt | None:
    """The first answer of a change that was decided before. Raises CommandMismatch, NameTaken."""
    row = await _ledger_row(connection, change)
    if row is None:
        return None
    require_same((row["action"], row["args"]), (change.action, _as_stored(change.args, row["args"])))
    outcome = row["outcome"]
    raise_refusal(outcome)
    after = player_from(outcome, player, row["version"])
    return Receipt(change.command_id, after, outcome["max_hp"], outcome["events"], replayed=True)


def _as_stored(args: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a change as the ledger has them: earlier versions stored names in NFKC."""
    name = normalize("NFKC", args.get("name", ""))
    return {**args, "name": name} if name and stored.get("name") == name else args


async def _record(
    connection: AsyncConnection, change: Change, after: Player, outcome: dict[str, Any], now: datetime
) -> None:
    row = row_of(change.command_id, change.action, change.args, after, outcome, now)
    await connection.execute(insert(LEDGER).values(row))


async def _update(connection: AsyncConnection, after: Player, **values: Any) -> None:
    raised = {"version": after.version, "claims_epoch": PLAYERS.c.claims_epoch + 1}
    await connection.execute(update(PLAYERS).where(has_id(after.id)).values(**raised, **values))
