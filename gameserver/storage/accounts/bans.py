"""Bans: whether a player may play and be ranked, stored in the player's row, with a row for each ban.

Law: a ban is one change of the row, with a version and a ledger row of its own, so whatever is derived from the player
is removed or restored with it, and no older state of the player can undo it. It raises the session epoch under the
row's lock: a command of the player that isn't committed by then never is. A player has at most one ban that hasn't
ended. What follows a ban, or its end, is done by whoever changed it, and again by any node that finds it `due`: a ban
some seconds after its beginning, and from its end on until it is lifted and all that follows is done. A deletion ends
the player's ban, too. A change that found the player so already has a row that changes nothing: a copy of it that comes
late can't undo what others have done since.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.editions import RulesInForce
from gameserver.rules.errors import BadInput, FieldProblem, PlayerNotFound, Refused
from gameserver.rules.player import Player, shown_max_hp
from gameserver.storage import tables
from gameserver.storage.accounts.due_bans import DueBan
from gameserver.storage.accounts.player_rows import is_player
from gameserver.storage.ids import slot_of
from gameserver.storage.ledger.refusals import REFUSED_SEED, refusal_of
from gameserver.storage.ledger.rows import outcome_of, require_same, row_of, rows_of
from gameserver.storage.ledger.window import Window
from gameserver.storage.postgres.commit_points import at_commit_point
from gameserver.storage.slots.owner import on_owner
from gameserver.storage.slots.slot_map import Slots
from gameserver.storage.tables import player_of
from gameserver.times import rfc3339

PLAYERS, LEDGER, BANS = tables.player_rows, tables.ledger, tables.bans
BAN = (BANS.c.command_id, BANS.c.at, BANS.c.until, BANS.c.said, BANS.c.reason, BANS.c.banned_by, BANS.c.ended_at,
       BANS.c.ended_by)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BanChange:
    """A ban, or its end when `banned` is False, under a command id.

    `said` is what the player is told; a ban without `until` has no end. `of` ends only the ban of that command id.
    """

    command_id: str
    player_id: int
    banned: bool
    reason: str
    until: datetime | None = None
    said: str = ""
    by: str = ""
    of: str | None = None

    @property
    def action(self) -> str:
        return "ban" if self.banned else "lift_ban"

    @property
    def args(self) -> dict[str, str]:
        return {"reason": self.reason, **self.shown}

    @property
    def shown(self) -> dict[str, str]:
        """What the player is told."""
        until = {} if self.until is None else {"until": rfc3339(self.until)}
        return until | ({"said": self.said} if self.said else {})


class Ban(NamedTuple):
    """A ban, past or present."""

    command_id: str
    at: datetime
    until: datetime | None
    said: str
    reason: str
    banned_by: str
    ended_at: datetime | None
    ended_by: str | None


@dataclass(frozen=True, slots=True)
class BanState:
    """A player after a ban change, and by which ban it is banned, if that has a row.

    `replayed` if the change had been made before under its command id.
    """

    player: Player
    banned: bool
    replayed: bool
    command_id: str | None
    until: datetime | None


class PresentBan(NamedTuple):
    """Whether a player is banned, deleted or not, and by which ban, if it has a row."""

    banned: bool
    command_id: str | None
    until: datetime | None


class Bans:
    """Bans players on the databases that own them."""

    def __init__(self, slots: Slots, window: Window, rules: RulesInForce) -> None:
        self._slots, self._window, self._rules = slots, window, rules

    async def change(self, change: BanChange) -> BanState:
        """Bans a player or lifts its ban, once per command id; nothing changes if the player is so already.

        Raises PlayerNotFound, BadInput for an end in the past, CommandMismatch, CommandExpired; OutcomeUnknown when the
        commit may have taken place.
        """
        work = on_owner(self._slots, change.player_id, lambda connection: self._change(connection, change))
        return await at_commit_point("it took effect", work)

    async def page(self, player_id: int, limit: int, last: Ban | None = None) -> list[Ban]:
        """At most `limit` of a player's bans, from the newest; `last` is the last one of the page before.

        Raises PlayerNotFound for an id that no player can have.
        """
        chosen = select(*BAN).where(_bans_of(player_id)).order_by(BANS.c.at.desc(), BANS.c.command_id.desc())
        if last is not None:
            chosen = chosen.where(tuple_(BANS.c.at, BANS.c.command_id) < (last.at, last.command_id))

        async def read(connection: AsyncConnection) -> list[Ban]:
            return [Ban(*row) for row in await connection.execute(chosen.limit(limit))]

        return await on_owner(self._slots, player_id, read, reads=True)

    async def count(self, player_id: int) -> int:
        """How many there are of a player, past and present. Raises PlayerNotFound as `page` does."""

        async def read(connection: AsyncConnection) -> int:
            counted = select(func.count()).select_from(BANS).where(_bans_of(player_id))
            return (await connection.execute(counted)).scalar_one()

        return await on_owner(self._slots, player_id, read, reads=True)

    async def present(self, player_id: int) -> PresentBan:
        """What holds now, also of a deleted player. Raises PlayerNotFound, DatabaseUnavailable."""

        async def read(connection: AsyncConnection) -> PresentBan | None:
            this = (PLAYERS.c.slot == slot_of(player_id)) & (PLAYERS.c.id == player_id)
            open_ = (BANS.c.slot == PLAYERS.c.slot) & (BANS.c.player_id == PLAYERS.c.id) & BANS.c.ended_at.is_(None)
            found = select(PLAYERS.c.banned, BANS.c.command_id, BANS.c.until)
            row = (await connection.execute(found.select_from(PLAYERS.outerjoin(BANS, open_)).where(this))).first()
            return None if row is None else PresentBan(*row)

        present = await on_owner(self._slots, player_id, read, reads=True)
        if present is None:
            raise PlayerNotFound("There is no such player.")
        return present

    async def settle(self, due: DueBan) -> None:
        """Notes that everything has followed from the end of a ban."""

        async def work(connection: AsyncConnection) -> None:
            # A node of a version without these rows may have lifted it.
            ended_at = func.coalesce(BANS.c.ended_at, func.clock_timestamp())
            row = _bans_of(due.player_id) & (BANS.c.command_id == due.command_id)
            await connection.execute(update(BANS).where(row).values(settled=True, ended_at=ended_at))

        await on_owner(self._slots, due.player_id, work)

    async def note_followed(self, due: DueBan) -> None:
        """Notes that everything has followed from a ban, unless it has ended by now."""

        async def work(connection: AsyncConnection) -> None:
            row = _bans_of(due.player_id) & (BANS.c.command_id == due.command_id) & BANS.c.ended_at.is_(None)
            await connection.execute(update(BANS).where(row).values(settled=True))

        await on_owner(self._slots, due.player_id, work)

    async def _change(self, connection: AsyncConnection, change: BanChange) -> BanState:
        same = is_player(change.player_id)
        chosen = select(*tables.PLAYER, PLAYERS.c.banned, func.clock_timestamp().label("now")).where(same)
        row = (await connection.execute(chosen.with_for_update(key_share=True))).first()
        if row is None:
            raise PlayerNotFound("There is no such player.")
        player = player_of(row)
        # A change under the same command id before, or to the state that it is in, changes nothing.
        if await _took_effect(connection, change):
            return await _state(connection, player, banned=row.banned, replayed=True)
        self._window.check(change.command_id, row.now)
        require_ahead(change.until, row.now)
        if await _is_so(connection, change, banned=row.banned):
            if change.of is None:  # what the server lifts of itself is sent once
                await connection.execute(insert(LEDGER).values(_nothing(change, player, row.now)))
            return await _state(connection, player, banned=row.banned, replayed=False)
        # A version of its own, so that whatever is derived from the player follows.
        after = player._replace(version=player.version + 1)
        await connection.execute(insert(LEDGER).values(self._row(change, after, row.now)))
        values: dict[str, Any] = {"banned": change.banned, "version": after.version}
        if change.banned:
            values["session_epoch"] = PLAYERS.c.session_epoch + 1
        await connection.execute(update(PLAYERS).where(same).values(values))
        await _record(connection, change, row.now)
        return await _state(connection, after, banned=change.banned, replayed=False)

    def _row(self, change: BanChange, player: Player, now: datetime) -> dict[str, Any]:
        events = [{"type": "banned" if change.banned else "ban_lifted", **change.shown}]
        outcome = outcome_of(player, shown_max_hp(player, self._rules.game), events)
        return row_of(change.command_id, change.action, change.args, player, outcome, now)


def require_ahead(until: datetime | None, now: datetime) -> None:
    """Raises BadInput for a ban that would be over already."""
    if until is not None and until <= now:
        raise BadInput(errors=[FieldProblem("until", "must lie in the future")])


def _nothing(change: BanChange, player: Player, now: datetime) -> dict[str, Any]:
    """The row of a change that found the player so already: as that of a refusal, nobody counts it."""
    outcome = refusal_of(Refused("unchanged", "The player was so already."))
    row = row_of(change.command_id, change.action, change.args, player, outcome, now)
    return row | {"seed": REFUSED_SEED}


def _bans_of(player_id: int) -> Any:
    return (BANS.c.slot == slot_of(player_id)) & (BANS.c.player_id == player_id)


async def _is_so(connection: AsyncConnection, change: BanChange, *, banned: bool) -> bool:
    """Whether there is nothing to change. A ban with another end, or another text, replaces the present one."""
    chosen = select(BANS.c.command_id, BANS.c.until, BANS.c.said)
    open_ = (await connection.execute(chosen.where(_bans_of(change.player_id), BANS.c.ended_at.is_(None)))).first()
    if not change.banned:
        return not banned or (change.of is not None and (open_ is None or open_.command_id != change.of))
    if not banned:
        return False
    present = (None, "") if open_ is None else (open_.until, open_.said)
    return present == (change.until, change.said)


async def _record(connection: AsyncConnection, change: BanChange, now: datetime) -> None:
    """Ends the present ban's row, and adds the new one's."""
    open_ = _bans_of(change.player_id) & BANS.c.ended_at.is_(None)
    # A ban that another one replaces has nothing to follow.
    values = {"ended_at": now, "ended_by": change.by, "settled": change.banned}
    await connection.execute(update(BANS).where(open_).values(values))
    if change.banned:
        row = {
            "slot": slot_of(change.player_id),
            "player_id": change.player_id,
            "command_id": change.command_id,
            "at": now,
            "until": change.until,
            "said": change.said,
            "reason": change.reason,
            "banned_by": change.by,
            "settled": False,
        }
        await connection.execute(insert(BANS).values(row))


async def _state(connection: AsyncConnection, player: Player, *, banned: bool, replayed: bool) -> BanState:
    chosen = select(BANS.c.command_id, BANS.c.until).where(_bans_of(player.id), BANS.c.ended_at.is_(None))
    row = (await connection.execute(chosen)).first()
    return BanState(player, banned, replayed, *((None, None) if row is None else row))


async def _took_effect(connection: AsyncConnection, change: BanChange) -> bool:
    """Whether the ledger has the change. Raises CommandMismatch."""
    chosen = select(LEDGER.c.action, LEDGER.c.args).where(
        rows_of(change.player_id), LEDGER.c.command_id == change.command_id
    )
    row = (await connection.execute(chosen)).first()
    if row is not None:
        require_same((row.action, row.args), (change.action, change.args))
    return row is not None
