"""The route table: every path, what it takes, what it answers, and the errors it has besides the common ones."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel

from gameserver.rules import errors
from gameserver.transport import answers, wire
from gameserver.transport.http import admin, asking, boards, health, players, social
from gameserver.transport.socket import conversation

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Error = type[errors.GameError]


@dataclass(frozen=True, slots=True)
class Route:
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    handler: Handler
    summary: str
    key: Literal["none", "session", "admin"] = "session"
    body: type[BaseModel] | None = None
    query: type[BaseModel] = wire.NoQuery
    answer: Any = None
    status: int = 200
    errors: Sequence[Error] = ()
    takes_command_id: bool = False

    def guarded(self) -> Handler:
        """The handler, behind a refusal of any query for a path of the game that takes none."""
        if self.query is not wire.NoQuery or not self.path.startswith(("/v1/", "/admin/")):
            return self.handler

        async def handle(request: web.Request) -> web.StreamResponse:
            if request.query_string:
                asking.query(request, wire.NoQuery)
            return await self.handler(request)

        return handle


CREDENTIALS = (
    errors.WrongCredentials,
    errors.Banned,
    errors.RateLimited,
    errors.SessionsUnavailable,
    errors.DatabaseUnavailable,
    errors.Overloaded,
)
WRITES = (errors.CommandMismatch, errors.CommandExpired, errors.Overloaded, errors.DatabaseUnavailable)
CHANGES = (errors.PlayerNotFound, errors.SessionRevoked, errors.OutcomeUnknown, errors.RateLimited, *WRITES)
BOARDS = (errors.BoardNotFound, errors.SeasonNotFound, errors.BoardUnavailable, errors.DatabaseUnavailable)
PLACES = (errors.NotOnBoard, errors.NotAuthenticated, errors.SessionsUnavailable, *BOARDS)
READS = (errors.DatabaseUnavailable,)
JUDGEMENTS = (errors.PlayerNotFound, errors.CommandMismatch, errors.CommandExpired, errors.OutcomeUnknown,
              errors.SessionsUnavailable, errors.DatabaseUnavailable)  # fmt: skip
FRIENDS = (errors.RateLimited, errors.SessionRevoked, errors.FriendsUnavailable, errors.DatabaseUnavailable)

ROUTES = (
    Route("POST", "/v1/players", players.sign_up, "Sign up", key="none", body=wire.SignUp, answer=answers.SignUpAnswer,
          status=201, errors=(errors.NameTaken, errors.DeviceTaken, errors.UnknownClass, errors.Banned,
                              errors.SessionsUnavailable, errors.RateLimited, errors.PlayerNotFound,
                              errors.OutcomeUnknown, *WRITES),
          takes_command_id=True),
    Route("GET", "/v1/players", players.read_players, "Read up to 100 players", query=wire.PlayersQuery,
          answer=answers.PlayersAnswer, errors=READS),
    Route("GET", "/v1/players/me", players.read_me, "Read one's own player", answer=answers.PlayerAnswer,
          errors=(errors.PlayerNotFound, *READS)),
    Route("POST", "/v1/players/me/name", players.rename, "Take another name", body=wire.Rename,
          answer=answers.RenameAnswer, errors=(errors.NameTaken, *CHANGES), takes_command_id=True),
    Route("DELETE", "/v1/players/me", players.delete_me, "Delete one's player: his name, sessions and places on boards",
          status=204, errors=CHANGES, takes_command_id=True),
    Route("GET", "/v1/players/{id}", players.read_player, "Read a player", answer=answers.PlayerAnswer,
          errors=(errors.PlayerNotFound, *READS)),
    Route("POST", "/v1/sessions", players.sign_in, "Sign in", key="none", body=wire.SignIn,
          answer=answers.WelcomeAnswer, status=201, errors=CREDENTIALS),
    Route("GET", "/v1/sessions", players.list_sessions, "List one's sessions", answer=answers.SessionsAnswer),
    Route("DELETE", "/v1/sessions/current", players.sign_out, "Sign out", status=204),
    Route("DELETE", "/v1/sessions/{id}", players.sign_out_elsewhere, "End one of one's sessions", status=204,
          errors=(errors.SessionNotFound,)),
    Route("POST", "/v1/players/me/password", players.change_password, "Change one's password, or set the first",
          body=wire.PasswordChange, answer=answers.PasswordAnswer,
          errors=(errors.SessionRevoked, errors.PlayerNotFound, errors.OutcomeUnknown, *CREDENTIALS)),
    Route("DELETE", "/v1/sessions", players.sign_out_everywhere, "Sign out everywhere", status=204,
          errors=(errors.PlayerNotFound, *READS)),
    Route("GET", "/v1/actions", players.list_actions, "The actions and their arguments", key="none",
          answer=answers.ActionsAnswer),
    Route("GET", "/v1/classes", players.list_classes, "The classes", key="none", answer=answers.ClassesAnswer),
    Route("POST", "/v1/players/me/actions", players.act, "Act", body=wire.Act, answer=answers.ActAnswer,
          errors=(errors.UnknownAction, errors.UnknownFoe, errors.UnknownClass, errors.UnknownItem, errors.Refused,
                  *CHANGES),
          takes_command_id=True),
    Route("GET", "/v1/players/me/ledger", players.read_ledger, "One's history, newest first", query=wire.LedgerQuery,
          answer=answers.LedgerAnswer, errors=READS),
    Route("GET", "/v1/players/me/feed", social.read_feed, "What one did last, the newest first", query=wire.FeedQuery,
          answer=answers.FeedAnswer, errors=(errors.PlayerNotFound, *READS)),
    Route("GET", "/v1/players/me/friends", social.list_friends, "One's friends", answer=answers.FriendsAnswer,
          errors=READS),
    Route("PUT", "/v1/players/me/friends/{id}", social.befriend, "Add a friend", status=204,
          errors=(errors.PlayerNotFound, errors.TooManyFriends, *FRIENDS)),
    Route("DELETE", "/v1/players/me/friends/{id}", social.unfriend, "Take a friend away", status=204,
          errors=(errors.PlayerNotFound, *FRIENDS)),
    Route("GET", "/v1/players/me/items", players.read_items, "What one owns", answer=answers.ItemsAnswer, errors=READS),
    Route("GET", "/v1/players/me/inbox", players.read_inbox, "One's mail, newest first", query=wire.InboxQuery,
          answer=answers.InboxAnswer, errors=READS),
    Route("DELETE", "/v1/players/me/inbox/{mail_id}", players.forget_mail, "Delete a mail", status=204, errors=READS),
    Route("GET", "/v1/boards", boards.list_boards, "The boards", key="none", answer=answers.BoardsAnswer),
    Route("GET", "/v1/boards/{board}", boards.read_board, "A board from its top", key="none", query=wire.BoardQuery,
          answer=answers.BoardAnswer, errors=BOARDS),
    Route("GET", "/v1/boards/{board}/around/{id}", boards.read_around, "Around a player, or `me`", key="none",
          query=wire.AroundQuery, answer=answers.BoardAnswer, errors=PLACES),
    Route("GET", "/v1/boards/{board}/ranks", boards.read_ranks, "The places of up to 100 players", key="none",
          query=wire.RanksQuery, answer=answers.RanksAnswer, errors=BOARDS),
    Route("GET", "/v1/boards/{board}/ranks/{id}", boards.read_rank, "The place of a player, or `me`", key="none",
          query=wire.SeasonQuery, answer=answers.RankAnswer, errors=PLACES),
    Route("GET", "/v1/boards/{board}/friends", social.read_board_of_friends, "One and one's friends on a board",
          answer=answers.BoardAnswer, errors=BOARDS),
    Route("GET", "/v1/socket", conversation.socket, "The WebSocket (see docs/socket.md)", key="none", status=101,
          errors=(errors.Forbidden,)),
    Route("GET", "/admin/v1/rankings", admin.read_rankings, "Rank players, over all databases", key="admin",
          query=wire.RankingsQuery, answer=answers.RankingAnswer, errors=(errors.UnknownClass, *READS)),
    Route("GET", "/admin/v1/stats", admin.read_stats, "Players per class, level and database", key="admin",
          answer=answers.CountAnswer, errors=READS),
    Route("GET", "/admin/v1/slots", admin.read_slots, "Which database owns which slots of each group", key="admin",
          answer=answers.SlotsAnswer, errors=READS),
    Route("GET", "/admin/v1/databases", admin.read_databases, "What each database holds", key="admin",
          answer=answers.DatabasesAnswer),
    Route("GET", "/admin/v1/nodes", admin.read_nodes, "The nodes that live, and who is connected where", key="admin",
          query=wire.NodesQuery, answer=answers.NodesAnswer, errors=(errors.PresenceUnavailable,)),
    Route("POST", "/admin/v1/notices", admin.proclaim, "Tell all players, or one", key="admin", body=wire.Notice,
          answer=answers.NoticeAnswer, status=201,
          errors=(errors.PlayerNotFound, errors.PresenceUnavailable, *READS)),
    Route("POST", "/admin/v1/players/{id}/ban", admin.ban, "Ban a player: off every board, and out", key="admin",
          body=wire.Because, answer=answers.JudgedAnswer, errors=JUDGEMENTS, takes_command_id=True),
    Route("DELETE", "/admin/v1/players/{id}/ban", admin.lift_ban, "Lift a ban", key="admin", query=wire.ReasonQuery,
          answer=answers.JudgedAnswer, errors=JUDGEMENTS, takes_command_id=True),
    Route("GET", "/admin/v1/boards/{board}/check", admin.check_board, "Compare a board with the databases", key="admin",
          query=wire.CheckQuery, answer=answers.VerdictAnswer, errors=BOARDS),
    Route("POST", "/admin/v1/boards/{board}/rebuild", admin.rebuild_board, "Build a board anew, beside the old one",
          key="admin", body=wire.Rebuild, answer=answers.RebuildAnswer, status=202, errors=BOARDS),
    Route("GET", "/live", health.live, "Whether the process answers", key="none", answer=answers.LiveAnswer),
    Route("GET", "/ready", health.ready, "Whether new work is welcome", key="none", answer=answers.ReadyAnswer,
          errors=(errors.Unavailable, errors.NotFound)),
    Route("GET", "/metrics", health.metrics, "Prometheus metrics", key="none"),
)  # fmt: skip
