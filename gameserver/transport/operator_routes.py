"""The operators' part of the route table: every path under /admin, and the least role that a key must have for it.

Roles: a viewer reads what tells nothing about single players' accounts, and looks for none of them; support helps and
bans players; an operator does everything, what concerns all players or the servers, too.
"""

from gameserver.rules import errors
from gameserver.rules.roles import Role
from gameserver.transport import answers, wire
from gameserver.transport.http import admin as operators
from gameserver.transport.http import audit, devices, rankings, saved_queries
from gameserver.transport.http import operators as console
from gameserver.transport.route import admin

VIEWER, SUPPORT, OPERATOR = Role.VIEWER, Role.SUPPORT, Role.OPERATOR
BOARDS = (errors.BoardNotFound, errors.SeasonNotFound, errors.BoardUnavailable, errors.DatabaseUnavailable)
READS = (errors.DatabaseUnavailable,)
ONCE = (errors.CommandMismatch, errors.OutcomeUnknown)
BANS = (errors.PlayerNotFound, errors.CommandMismatch, errors.CommandExpired, errors.OutcomeUnknown,
              errors.SessionsUnavailable, errors.DatabaseUnavailable)  # fmt: skip
RANKINGS = (errors.UnknownClass, errors.PresenceUnavailable, errors.Overloaded, *READS)

OPERATOR_ROUTES = (
    admin(VIEWER, "POST", "/admin/v1/session", console.open_console,
           "Open a session of the console: a cookie, in place of the key", body=wire.ConsoleSignIn,
           answer=answers.AdminAnswer, status=201,
           errors=(errors.WrongCredentials, errors.OutcomeUnknown)),
    admin(VIEWER, "GET", "/admin/v1/session", console.read_console, "Whose key or session the caller has",
           answer=answers.AdminAnswer),
    admin(VIEWER, "DELETE", "/admin/v1/session", console.leave_console, "End the caller's session of the console",
           status=204, errors=(errors.OutcomeUnknown,)),
    admin(VIEWER, "GET", "/admin/v1/rankings", rankings.read_rankings, "Rank players over all databases",
           query=wire.RankingsQuery, answer=answers.RankingAnswer, errors=RANKINGS, for_support=wire.SINGLES),
    admin(VIEWER, "GET", "/admin/v1/rankings/spread", rankings.read_spread, "Percentiles and a histogram",
           query=wire.SpreadQuery, answer=answers.SpreadAnswer, errors=RANKINGS, for_support=wire.SINGLES),
    admin(SUPPORT, "GET", "/admin/v1/rankings/export", rankings.export_ranking, "A whole ranking: CSV or JSON lines",
           query=wire.RankingExportQuery, errors=RANKINGS),
    admin(SUPPORT, "GET", "/admin/v1/players", rankings.find_players,
           "Find players: by id, name, beginning or part of the name, device, and all that rankings take",
           query=wire.RankingsQuery, answer=answers.RankingAnswer, errors=RANKINGS),
    admin(VIEWER, "GET", "/admin/v1/players/{id}/rank", rankings.read_place, "A player's rank among those asked for",
           query=wire.PlayersFilter, answer=answers.RankedPlaceAnswer, errors=(errors.PlayerNotFound, *RANKINGS),
           for_support=wire.SINGLES),
    admin(VIEWER, "GET", "/admin/v1/queries", saved_queries.list_queries, "The queries that operators have saved",
           answer=answers.SavedQueriesAnswer, errors=READS),
    admin(SUPPORT, "POST", "/admin/v1/queries/{name}", saved_queries.save_query,
           "Save a query of rankings for all operators, in place of what has the name", body=wire.SaveQuery,
           answer=answers.SavedQueryAnswer, takes_command_id=True,
           errors=(errors.Conflict, errors.TooManyQueries, *ONCE, *RANKINGS)),
    admin(SUPPORT, "DELETE", "/admin/v1/queries/{name}", saved_queries.delete_query, "Delete a saved query",
           query=wire.ReasonQuery, status=204, errors=(errors.QueryNotFound, *ONCE, *READS), takes_command_id=True),
    admin(VIEWER, "GET", "/admin/v1/stats", operators.read_stats, "Players per class, level and database",
           answer=answers.CountAnswer, errors=READS),
    admin(VIEWER, "GET", "/admin/v1/slots", operators.read_slots, "Which database owns which slots of each group",
           answer=answers.SlotsAnswer, errors=READS),
    admin(VIEWER, "GET", "/admin/v1/databases", operators.read_databases, "What each database holds",
           answer=answers.DatabasesAnswer),
    admin(VIEWER, "GET", "/admin/v1/nodes", operators.read_nodes, "The running nodes, and where players are connected",
           query=wire.NodesQuery, answer=answers.NodesAnswer, errors=(errors.PresenceUnavailable,)),
    admin(OPERATOR, "POST", "/admin/v1/notices", operators.proclaim, "Send a notice to all players, or to one",
           body=wire.Notice, answer=answers.NoticeAnswer, status=201,
           errors=(errors.PlayerNotFound, errors.PresenceUnavailable, *ONCE, *READS),
           takes_command_id=True),
    admin(SUPPORT, "POST", "/admin/v1/players/{id}/ban", operators.ban,
           "Ban a player: hide it on every board and end its sessions", body=wire.BanPlayer,
           query=wire.PreviewQuery, answer=answers.BanAnswer, errors=BANS, takes_command_id=True),
    admin(SUPPORT, "DELETE", "/admin/v1/players/{id}/ban", operators.lift_ban, "Lift a ban",
           query=wire.ReasonedChangeQuery,
           answer=answers.BanAnswer, errors=BANS, takes_command_id=True),
    admin(SUPPORT, "GET", "/admin/v1/players/{id}/devices", devices.list_players_devices,
           "The devices by which a player signs in", answer=answers.DevicesAnswer,
           errors=(errors.PlayerNotFound, *READS)),
    admin(SUPPORT, "DELETE", "/admin/v1/players/{id}/devices/{device}", devices.end_device,
           "Take a device from a player, and end its sessions, or say what that would change",
           query=wire.ReasonedChangeQuery, answer=answers.CorrectedAnswer, status=204,
           errors=(errors.DeviceNotFound, errors.TooManyChanges, *BANS), takes_command_id=True),
    admin(SUPPORT, "GET", "/admin/v1/audit", audit.read_audit, "What operators have changed, newest first",
           query=wire.AuditQuery, answer=answers.AuditAnswer, errors=READS),
    admin(SUPPORT, "GET", "/admin/v1/audit/export", audit.export_audit, "The same as a whole: CSV or JSON lines",
           query=wire.AuditExportQuery, errors=(errors.Overloaded, *READS)),
    admin(VIEWER, "GET", "/admin/v1/boards/{board}/check", operators.check_board, "Compare a board with the databases",
           query=wire.CheckQuery, answer=answers.VerdictAnswer, errors=BOARDS),
    admin(OPERATOR, "POST", "/admin/v1/boards/{board}/rebuild", operators.rebuild_board,
           "Rebuild a board while the present one is served", body=wire.Rebuild, answer=answers.RebuildAnswer,
           status=202, errors=(*ONCE, *BOARDS), takes_command_id=True),
)  # fmt: skip
