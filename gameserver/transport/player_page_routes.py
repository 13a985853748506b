"""What operators may ask of one player, and do to it: the part of the route table under /admin/v1/players/{id}."""

from gameserver.rules import errors
from gameserver.rules.roles import Role
from gameserver.transport import answers, wire
from gameserver.transport.http import corrections, erasure, player_changes, player_page
from gameserver.transport.route import admin

SUPPORT, OPERATOR = Role.SUPPORT, Role.OPERATOR
CORRECTIONS = (
    errors.PlayerNotFound,
    errors.StateUnknown,
    errors.NotUndoable,
    errors.PlayerChanged,
    errors.Refused,
    errors.UnknownClass,
    errors.UnknownItem,
    errors.ClassMissing,
    errors.RulesChanging,
    errors.CommandMismatch,
    errors.CommandExpired,
    errors.OutcomeUnknown,
    errors.Overloaded,
    errors.DatabaseUnavailable,
)

CHANGES = (
    errors.PlayerNotFound,
    errors.TooManyChanges,
    errors.CommandMismatch,
    errors.CommandExpired,
    errors.OutcomeUnknown,
    errors.Overloaded,
    errors.DatabaseUnavailable,
)
READS = (errors.PlayerNotFound, errors.DatabaseUnavailable)

PLAYER_PAGE_ROUTES = (
    admin(SUPPORT, "GET", "/admin/v1/players/{id}", player_page.read_page, "Everything about a player",
           answer=answers.PlayerPageAnswer, errors=(errors.Overloaded, *READS)),
    admin(SUPPORT, "GET", "/admin/v1/players/{id}/ledger", player_page.read_timeline,
           "A player's whole history, newest first", query=wire.TimelineQuery, answer=answers.TimelineAnswer,
           errors=READS),
    admin(SUPPORT, "GET", "/admin/v1/players/{id}/inbox", player_page.read_letters, "A player's letters, newest first",
           query=wire.InboxQuery, answer=answers.ReceivedLettersAnswer, errors=(errors.Overloaded, *READS)),
    admin(SUPPORT, "GET", "/admin/v1/players/{id}/places", player_page.read_places,
           "A player's places in seasons that are over, the newest first", query=wire.LedgerQuery,
           answer=answers.PastPlacesAnswer, errors=(errors.Overloaded, *READS)),
    admin(SUPPORT, "GET", "/admin/v1/players/{id}/state", player_page.read_state,
           "A player as it was at a moment, replayed from its ledger", query=wire.MomentQuery,
           answer=answers.PastStateAnswer, errors=(errors.StateUnknown, *READS)),
    admin(SUPPORT, "GET", "/admin/v1/players/{id}/export", player_page.export_player,
           "Everything that is stored of a player, as JSON lines", query=wire.DownloadQuery,
           errors=(errors.Overloaded, *READS)),
    admin(SUPPORT, "POST", "/admin/v1/players/{id}/notes", player_page.add_note, "Note something of a player",
           body=wire.NewNote, answer=answers.NoteAnswer, status=201,
           errors=(errors.CommandMismatch, errors.OutcomeUnknown, *READS),
           takes_command_id=True),
    admin(SUPPORT, "POST", "/admin/v1/players/{id}/corrections", corrections.correct,
           "Correct a player's values, or say what that would change", body=wire.CorrectPlayer,
           query=wire.PreviewQuery, answer=answers.CorrectedAnswer, errors=CORRECTIONS, takes_command_id=True),
    admin(SUPPORT, "POST", "/admin/v1/players/{id}/undo", corrections.undo,
           "Undo one command of a player's ledger, or say what that would change", body=wire.UndoCommand,
           query=wire.PreviewQuery, answer=answers.CorrectedAnswer, errors=CORRECTIONS, takes_command_id=True),
    admin(SUPPORT, "POST", "/admin/v1/players/{id}/rollback", corrections.roll_back,
           "Roll a player back to a moment, or say what that would change", body=wire.RollBackPlayer,
           query=wire.PreviewQuery, answer=answers.CorrectedAnswer, errors=CORRECTIONS, takes_command_id=True),
    admin(OPERATOR, "POST", "/admin/v1/players/{id}/erasure", erasure.erase,
           "Delete a player, and erase its names and every text of it; the answer is the receipt", body=wire.Because,
           query=wire.PreviewQuery, answer=answers.ErasureAnswer,
           errors=(errors.CommandMismatch, errors.CommandExpired, errors.TooManyChanges,
           errors.OutcomeUnknown, errors.Unavailable, errors.BoardUnavailable, *READS), takes_command_id=True),
    admin(SUPPORT, "POST", "/admin/v1/players/{id}/name", player_changes.rename_player,
           "Rename a player, or say what that would change", body=wire.RenamePlayer, query=wire.PreviewQuery,
           answer=answers.CorrectedAnswer, errors=(errors.NameTaken, errors.PlayerChanged, *CHANGES),
           takes_command_id=True),
    admin(SUPPORT, "DELETE", "/admin/v1/players/{id}/sessions", player_changes.end_sessions,
           "End all sessions of a player, or say what that would change", query=wire.ReasonedChangeQuery,
           answer=answers.CorrectedAnswer, errors=(errors.SessionsUnavailable, *CHANGES), takes_command_id=True),
    admin(SUPPORT, "DELETE", "/admin/v1/players/{id}/sessions/{session}", player_changes.end_session,
           "End one session of a player, or say what that would change", query=wire.ReasonedChangeQuery,
           answer=answers.CorrectedAnswer, errors=(errors.SessionNotFound, errors.SessionsUnavailable, *CHANGES),
           takes_command_id=True),
    admin(SUPPORT, "POST", "/admin/v1/players/{id}/mail", player_changes.send_mail,
           "Send a player a letter with items, or say what that would change", body=wire.MailToPlayer,
           query=wire.PreviewQuery, answer=answers.CorrectedAnswer,
           errors=(errors.UnknownItem, errors.Refused, errors.ClassMissing,
           errors.RulesChanging, *CHANGES), takes_command_id=True),
    admin(OPERATOR, "DELETE", "/admin/v1/players/{id}", player_changes.delete_player,
           "Delete a player, or say what that would change", query=wire.ReasonedChangeQuery,
           answer=answers.CorrectedAnswer, errors=(errors.SessionsUnavailable, *CHANGES), takes_command_id=True),
)  # fmt: skip
