"""Refusals in the ledger: the row of a command that was refused for good, and the error that its retry gets.

Law: one command id has one final answer. Another copy of a refused command may still lie unread in a node that is
frozen or in a network, so the refusal is written under the same lock under which the command would have taken effect.
The row changes nothing: its version is the player's present one, and its seed, which is negative as no other row's is,
keeps it out of histories, feeds, boards and payments (`TOOK_EFFECT`). What a rule has refused says with which dice, so
that the refusal, too, can be judged again.
"""

from collections.abc import Mapping
from typing import Any

from gameserver.rules.errors import (
    DeviceNotFound,
    DeviceTaken,
    FieldProblem,
    GameError,
    LastCredential,
    NameTaken,
    Refused,
    TooManyDevices,
)
from gameserver.storage import tables

REFUSED_SEED = -1
"""The seed of a refusal's row if no rule has refused, or its dice aren't known: earlier versions wrote no other.

Those of commands that took effect are never negative.
"""

TOOK_EFFECT = tables.ledger.c.seed >= 0
"""Matches the rows of commands that took effect."""

_KEY = "refused"
_KINDS: dict[str, type[GameError]] = {
    kind.code: kind for kind in (NameTaken, DeviceTaken, TooManyDevices, LastCredential, DeviceNotFound)
}


def refused_seed(seed: int) -> int:
    """What the row of a refusal says that was made with dice of this seed, of 63 bits."""
    return -1 - seed


def dice_seed(recorded: int) -> int | None:
    """The seed of the dice that a row's command was judged with; None if that isn't known."""
    if recorded == REFUSED_SEED:
        return None
    return recorded if recorded >= 0 else -1 - recorded


def refusal_of(error: GameError) -> dict[str, Any]:
    """The row's `outcome`. The error is a Refused or one of _KINDS."""
    more: dict[str, Any] = {}
    if error.retry_after is not None:
        more["retry_after"] = error.retry_after
    if error.errors:
        more["errors"] = [[*problem] for problem in error.errors]
    return {_KEY: {"code": error.code, "detail": error.detail, "extra": error.extra, **more}}


def raise_refusal(outcome: Mapping[str, Any]) -> None:
    """Raises the error of an `outcome` if the command was refused."""
    refusal = outcome.get(_KEY)
    if refusal is None:
        return
    if (kind := _KINDS.get(refusal["code"])) is not None:
        raise kind(refusal["detail"])
    refused = Refused(refusal["code"], refusal["detail"], extra=refusal["extra"])
    refused.retry_after = refusal.get("retry_after")
    refused.errors = [FieldProblem(*problem) for problem in refusal.get("errors", ())]
    raise refused
