"""What operators may ask of one player, and do to it: the part of the route table under /admin/v1/players/{id}."""

from gameserver.rules import errors
from gameserver.rules.roles import Role
from gameserver.transport import answers, wire
from gameserver.transport.http import corrections
from gameserver.transport.route import admin

SUPPORT = Role.SUPPORT
CORRECTIONS = (
    errors.PlayerNotFound,
    errors.StateUnknown,
    errors.NotUndoable,
    errors.PlayerChanged,
    errors.Refused,
    errors.UnknownClass,
    errors.UnknownItem,
    errors.ClassMissing,
    errors.CommandMismatch,
    errors.CommandExpired,
    errors.OutcomeUnknown,
    errors.Overloaded,
    errors.DatabaseUnavailable,
)

PLAYER_PAGE_ROUTES = (
    admin(SUPPORT, "POST", "/admin/v1/players/{id}/corrections", corrections.correct,
           "Correct a player's values, or say what that would change", body=wire.CorrectPlayer,
           query=wire.PreviewQuery, answer=answers.CorrectedAnswer, errors=CORRECTIONS, takes_command_id=True),
    admin(SUPPORT, "POST", "/admin/v1/players/{id}/undo", corrections.undo,
           "Undo one command of a player's ledger, or say what that would change", body=wire.UndoCommand,
           query=wire.PreviewQuery, answer=answers.CorrectedAnswer, errors=CORRECTIONS, takes_command_id=True),
    admin(SUPPORT, "POST", "/admin/v1/players/{id}/rollback", corrections.roll_back,
           "Roll a player back to a moment, or say what that would change", body=wire.RollBackPlayer,
           query=wire.PreviewQuery, answer=answers.CorrectedAnswer, errors=CORRECTIONS, takes_command_id=True),
)  # fmt: skip
