"""Corrections of a player by operators: values, undoing one action, rolling back to a moment; each with a preview.

Law: a correction is planned on the player and its ledger in one snapshot, and committed on that very version by the
group commit that actions go through, once per command id. Items, which may be on another database, are read while the
player keeps that version. If it has acted in between, it is planned anew. Every attempt is in the audit log before it
is made, with what the player is before and after it.
"""

import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from gameserver.commands import rank_changes
from gameserver.commands.boards import Leaderboards
from gameserver.commands.correction_items import HeldItems
from gameserver.commands.correction_plans import Order, plan
from gameserver.commands.correction_scores import Planning
from gameserver.commands.devices import ANY_EPOCH
from gameserver.commands.play import Play
from gameserver.commands.rank_changes import RankChange
from gameserver.rules.corrections import CORRECT, ROLL_BACK, UNDO, Correct, Correction, Undo, require_version, state_of
from gameserver.rules.errors import PlayerChanged, Refused
from gameserver.rules.player import Player
from gameserver.rules.player_data import Datum, changed_values
from gameserver.storage.items.stacks import NOT_ENOUGH
from gameserver.storage.ledger.past import Past, Pasts
from gameserver.storage.operators.audit import Audit, AuditedChange
from gameserver.storage.players.command import Command, Receipt
from gameserver.telemetry import request_id

T = TypeVar("T")
ATTEMPTS = 20
"""How often a correction is planned anew because the player goes on acting."""


@dataclass(frozen=True, slots=True)
class Corrections:
    """One per node."""

    play: Play
    planning: Planning
    pasts: Pasts
    leaderboards: Leaderboards
    audit: Audit


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a correction does, or did: without `correction` it was carried out before under its command id."""

    player: Player
    correction: Correction | None
    receipt: Receipt | None = None
    ranks: Sequence[RankChange] = ()


@dataclass(frozen=True, slots=True)
class ChangedBy:
    """Who makes a change, why, and under which command id; and on which version of a player, if on one alone."""

    admin: str
    reason: str
    command_id: str
    expected_version: int | None = None


async def preview(corrections: Corrections, player_id: int, order: Order) -> Corrected:
    """What an order would change, ranks included; changes nothing.

    Raises PlayerNotFound, BadInput, ClassMissing, StateUnknown, NotUndoable, PlayerChanged, DatabaseUnavailable, and
    Refused for items that the player hasn't.
    """
    correction = await _repeated(lambda: _planned(corrections, player_id, order))
    # A banned player is on no board, whatever it becomes.
    hidden = await corrections.pasts.look(player_id, _is_banned)
    ranks = [] if hidden else await rank_changes.of_correction(corrections.leaderboards, correction)
    return Corrected(correction.after, correction, ranks=ranks)


async def carry_out(corrections: Corrections, player_id: int, order: Order, by: ChangedBy) -> Corrected:
    """Corrects a player, once per command id.

    Raises what `preview` does, CommandMismatch, CommandExpired, Overloaded, and OutcomeUnknown (send it again).
    """
    if await _is_known(corrections, player_id, by):
        return await _replayed(corrections, player_id, order, by)
    attempts = ATTEMPTS if by.expected_version is None else 1
    try:
        return await _repeated(lambda: _attempt(corrections, _command(player_id, order, by), order, by), attempts)
    except PlayerChanged:
        # A copy that was sent before may have been carried out since the first look: then that is what has changed.
        if not await _is_known(corrections, player_id, by):
            raise
    return await _replayed(corrections, player_id, order, by)


def _command(player_id: int, order: Order, by: ChangedBy) -> Command:
    command = Command(by.command_id, player_id, name_of(order), order, ANY_EPOCH, request_id=request_id.get())
    command.repeatable = True
    return command


async def _is_known(corrections: Corrections, player_id: int, by: ChangedBy) -> bool:
    """Whether the command was carried out."""
    return await corrections.pasts.look(player_id, lambda past: past.command(by.command_id)) is not None


async def _replayed(corrections: Corrections, player_id: int, order: Order, by: ChangedBy) -> Corrected:
    receipt = await corrections.play.players.act(_command(player_id, order, by))
    return Corrected(receipt.player, None, receipt)


async def _repeated(attempt: Callable[[], Awaitable[T]], attempts: int = ATTEMPTS) -> T:
    """Raises PlayerChanged if the player acts amid every attempt."""
    for _ in range(attempts - 1):
        with contextlib.suppress(PlayerChanged):
            return await attempt()
    return await attempt()


async def _attempt(corrections: Corrections, command: Command, order: Order, by: ChangedBy) -> Corrected:
    """Raises PlayerChanged if the player has acted since the plan was made, or hasn't the expected version."""
    correction = await _planned(corrections, command.player_id, order, by.expected_version)
    command.correction, command.takes = correction, correction.takes
    changed = changed_values(correction.before.data, correction.after.data)
    async with corrections.audit.recorded(_entry(correction, order, by)) as end:
        receipt = await _committed(corrections.play, command)
        remembered = {} if receipt.replayed else _remembered({name: new for name, (_, new) in changed.items()})
        end.after = _shown(receipt.player) | remembered | {"replayed": receipt.replayed}
    return Corrected(receipt.player, None if receipt.replayed else correction, receipt)


async def _committed(play: Play, command: Command) -> Receipt:
    """Raises PlayerChanged also for a lack of items: the plan was made on items that the player had."""
    try:
        return await play.players.act(command)
    except Refused as refusal:
        if refusal.code != NOT_ENOUGH:
            raise
        raise PlayerChanged("The player hasn't the items any more that it had a moment ago.") from refusal


def name_of(order: Order) -> str:
    """Its name in the ledger and the audit log."""
    if isinstance(order, Correct):
        return CORRECT
    return UNDO if isinstance(order, Undo) else ROLL_BACK


async def _planned(corrections: Corrections, player_id: int, order: Order, expected: int | None = None) -> Correction:
    """Raises PlayerChanged if the player has acted since its items were read, or hasn't the expected version."""
    seen = await corrections.pasts.look(player_id, _player)
    require_version(seen, expected)
    catalogue = corrections.planning.rules.game.items
    needs_none = isinstance(order, Correct) and not order.items
    held = HeldItems.of([] if needs_none else await corrections.play.players.items(player_id), catalogue)

    async def work(past: Past) -> Correction:
        require_version(past.player, expected if needs_none else seen.version)
        return await plan(corrections.planning, past, held, order)

    return await corrections.pasts.look(player_id, work)


async def _player(past: Past) -> Player:
    return past.player


async def _is_banned(past: Past) -> bool:
    return past.banned


def _entry(correction: Correction, order: Order, by: ChangedBy) -> AuditedChange:
    details = {
        "order": _said(order),
        "takes": dict(correction.takes),
        "grants": dict(correction.grants),
        "scores": [asdict(change) for change in correction.scores],
    }
    changed = changed_values(correction.before.data, correction.after.data)
    before = _shown(correction.before) | _remembered({name: old for name, (old, _) in changed.items()})
    action, target = name_of(order).partition(":")[2], str(correction.before.id)
    return AuditedChange(by.admin, action, target, by.reason, details, by.command_id, before)


def _said(order: Order) -> dict[str, Any]:
    said = order.model_dump(mode="json", exclude_none=True)
    return said | (_remembered(order.data) if isinstance(order, Correct) else {})


def _shown(player: Player) -> dict[str, Any]:
    return {**state_of(player), "version": player.version}


def _remembered(values: Mapping[str, Datum | None]) -> dict[str, Any]:
    """What the rules remember, for the audit log, which outlives an erasure: a text may be a player's own words."""
    shown = {
        name: f"sha256:{hashlib.sha256(value.encode()).hexdigest()}" if isinstance(value, str) else value
        for name, value in values.items()
    }
    return {"data": shown} if shown else {}
