"""The route table: every path, what it takes, what it answers, and the errors it has besides the common ones."""

from gameserver.rules import errors
from gameserver.transport import answers, wire
from gameserver.transport.admin_key_routes import ADMIN_KEY_ROUTES
from gameserver.transport.campaign_routes import CAMPAIGN_ROUTES
from gameserver.transport.fleet_routes import FLEET_ROUTES
from gameserver.transport.http import boards, devices, game, health, mail, player_page, players, sessions, social
from gameserver.transport.operator_routes import OPERATOR_ROUTES
from gameserver.transport.player_page_routes import PLAYER_PAGE_ROUTES
from gameserver.transport.route import bearer, player, public
from gameserver.transport.rules_routes import RULES_ROUTES
from gameserver.transport.socket import conversation

CREDENTIALS = (
    errors.WrongCredentials,
    errors.Banned,
    errors.RateLimited,
    errors.SessionsUnavailable,
    errors.DatabaseUnavailable,
    errors.Overloaded,
)
WRITES = (
    errors.CommandMismatch,
    errors.CommandExpired,
    errors.Overloaded,
    errors.DatabaseUnavailable,
    errors.RulesChanging,
)
CHANGES = (
    errors.TooManyChanges,
    errors.PlayerNotFound,
    errors.SessionRevoked,
    errors.OutcomeUnknown,
    errors.RateLimited,
    *WRITES,
)
BOARDS = (
    errors.BoardNotFound,
    errors.SeasonNotFound,
    errors.BoardUnavailable,
    errors.DatabaseUnavailable,
    errors.RateLimited,
)
PLACES = (errors.NotOnBoard, errors.NotAuthenticated, errors.SessionsUnavailable, *BOARDS)
READS = (errors.DatabaseUnavailable,)
PLAYER_READS = (wire.BadConsistencyToken, *READS)
OWN_READS = (errors.RateLimited, *READS)
FRIENDS = (
    errors.RateLimited,
    errors.TooManyChanges,
    errors.SessionRevoked,
    errors.FriendsUnavailable,
    errors.DatabaseUnavailable,
)
BLOCKS = (errors.RateLimited, errors.TooManyChanges, errors.SessionRevoked, errors.DatabaseUnavailable)

ROUTES = (
    public("POST", "/v1/players", players.sign_up, "Sign up", body=wire.SignUp, answer=answers.SignUpAnswer,
           status=201, errors=(errors.NameTaken, errors.DeviceTaken, errors.UnknownClass, errors.Banned,
           errors.SessionsUnavailable, errors.RateLimited, errors.PlayerNotFound, errors.SessionRevoked,
           errors.OutcomeUnknown, *WRITES),
           takes_command_id=True, gives_token=True),
    player("GET", "/v1/players", players.read_players, "Read up to 100 players", query=wire.PlayersQuery,
           answer=answers.PlayersAnswer, errors=(errors.RateLimited, *PLAYER_READS), takes_token=True),
    player("GET", "/v1/players/me", players.read_me, "Read the caller's player", query=wire.PlayerQuery,
           answer=answers.PlayerAnswer, errors=(errors.PlayerNotFound, *PLAYER_READS), takes_token=True,
           gives_token=True),
    player("POST", "/v1/players/me/name", players.rename, "Rename the caller's player", body=wire.Rename,
           answer=answers.RenameAnswer, errors=(errors.NameTaken, errors.ProofNeeded, *CHANGES), takes_command_id=True,
           gives_token=True),
    bearer("DELETE", "/v1/players/me", players.delete_me,
           "Delete the caller's player: its name, sessions and places on boards", status=204,
           errors=(errors.ProofNeeded, *CHANGES),
           takes_command_id=True),
    player("GET", "/v1/players/{id}", players.read_player, "Read a player", query=wire.PlayerQuery,
           answer=answers.PlayerAnswer, errors=(errors.PlayerNotFound, *PLAYER_READS), takes_token=True,
           gives_token=True),
    public("POST", "/v1/sessions", sessions.sign_in, "Sign in", body=wire.SignIn, answer=answers.WelcomeAnswer,
           status=201, errors=CREDENTIALS, gives_token=True),
    player("GET", "/v1/sessions", sessions.list_sessions, "List the caller's sessions", answer=answers.SessionsAnswer,
           errors=(errors.RateLimited,)),
    player("DELETE", "/v1/sessions/current", sessions.sign_out, "Sign out", status=204),
    player("DELETE", "/v1/sessions/{id}", sessions.sign_out_elsewhere, "End one of the caller's sessions", status=204,
           errors=(errors.SessionNotFound, errors.RateLimited)),
    player("POST", "/v1/players/me/password", sessions.change_password,
           "Change the caller's password, or set the first", body=wire.PasswordChange,
           answer=answers.PasswordAnswer, errors=(errors.ProofNeeded, errors.SessionRevoked, errors.TooManyChanges,
           errors.PlayerNotFound, errors.OutcomeUnknown, *CREDENTIALS)),
    player("DELETE", "/v1/sessions", sessions.sign_out_everywhere, "Sign out everywhere", status=204,
           errors=(errors.TooManyChanges, errors.PlayerNotFound, errors.SessionRevoked, errors.OutcomeUnknown, *READS)),
    public("GET", "/v1/actions", game.list_actions, "The actions and their arguments", answer=answers.ActionsAnswer),
    public("GET", "/v1/classes", game.list_classes, "The classes", answer=answers.ClassesAnswer),
    player("POST", "/v1/players/me/actions", players.act, "Do an action", body=wire.Act, answer=answers.ActAnswer,
           errors=(errors.UnknownAction, errors.UnknownFoe, errors.UnknownClass, errors.UnknownItem, errors.Refused,
           errors.ClassMissing, *CHANGES), takes_command_id=True, gives_token=True),
    player("GET", "/v1/players/me/devices", devices.list_devices, "The devices by which the caller's player signs in",
           answer=answers.DevicesAnswer, errors=OWN_READS),
    player("POST", "/v1/players/me/devices", devices.add_device, "Sign in by another device, too", body=wire.NewDevice,
           answer=answers.DeviceAnswer, status=201, errors=(errors.ProofNeeded, errors.DeviceTaken,
           errors.TooManyDevices, *CHANGES), takes_command_id=True),
    player("DELETE", "/v1/players/me/devices/{device}", devices.remove_device,
           "Take a device away, and end every session; answers with a new one", answer=answers.PasswordAnswer,
           errors=(errors.ProofNeeded, errors.DeviceNotFound, errors.LastCredential, errors.Banned, *CHANGES),
           takes_command_id=True),
    player("GET", "/v1/players/me/ledger", players.read_ledger, "The caller's history, newest first",
           query=wire.LedgerQuery,
           answer=answers.LedgerAnswer, errors=OWN_READS),
    player("GET", "/v1/players/me/export", player_page.export_me,
           "Everything that is stored of the caller's player, as JSON lines",
           errors=(errors.PlayerNotFound, errors.Overloaded, *OWN_READS)),
    player("GET", "/v1/players/me/feed", social.read_feed, "What the caller did last, newest first",
           query=wire.FeedQuery,
           answer=answers.FeedAnswer, errors=(errors.PlayerNotFound, *OWN_READS)),
    player("GET", "/v1/players/me/friends", social.list_friends, "The caller's friends", answer=answers.FriendsAnswer,
           errors=OWN_READS),
    player("PUT", "/v1/players/me/friends/{id}", social.befriend, "Add a friend", status=204,
           errors=(errors.PlayerNotFound, errors.TooManyFriends, *FRIENDS)),
    player("DELETE", "/v1/players/me/friends/{id}", social.unfriend, "Remove a friend", status=204,
           errors=(errors.PlayerNotFound, *FRIENDS)),
    player("GET", "/v1/players/me/blocks", social.list_blocks, "Whose letters the caller doesn't take",
           answer=answers.BlocksAnswer, errors=OWN_READS),
    player("PUT", "/v1/players/me/blocks/{id}", social.block, "Block a player: its letters are returned", status=204,
           errors=(errors.PlayerNotFound, errors.TooManyBlocks, *BLOCKS)),
    player("DELETE", "/v1/players/me/blocks/{id}", social.unblock, "Take a player's letters again", status=204,
           errors=(errors.PlayerNotFound, *BLOCKS)),
    player("GET", "/v1/players/me/items", players.read_items, "The caller's items", answer=answers.ItemsAnswer,
           errors=OWN_READS),
    player("GET", "/v1/players/me/inbox", mail.read_inbox, "The caller's letters, newest first", query=wire.InboxQuery,
           answer=answers.InboxAnswer, errors=OWN_READS),
    player("DELETE", "/v1/players/me/inbox", mail.forget_inbox, "Delete every letter", status=204,
           errors=(errors.PlayerNotFound, *BLOCKS)),
    player("DELETE", "/v1/players/me/inbox/{mail_id}", mail.forget_mail, "Delete a letter", status=204,
           errors=(errors.PlayerNotFound, *BLOCKS)),
    public("GET", "/v1/boards", boards.list_boards, "The boards", answer=answers.BoardsAnswer),
    public("GET", "/v1/boards/{board}", boards.read_board, "A board from the top", query=wire.BoardQuery,
           answer=answers.BoardAnswer, errors=BOARDS),
    public("GET", "/v1/boards/{board}/around/{id}", boards.read_around, "The places around a player, or `me`",
           query=wire.AroundQuery, answer=answers.BoardAnswer, errors=PLACES),
    public("GET", "/v1/boards/{board}/ranks", boards.read_ranks, "The places of up to 100 players",
           query=wire.RanksQuery, answer=answers.RanksAnswer, errors=BOARDS),
    public("GET", "/v1/boards/{board}/ranks/{id}", boards.read_rank, "The place of a player, or `me`",
           query=wire.SeasonQuery, answer=answers.RankAnswer, errors=PLACES),
    player("GET", "/v1/boards/{board}/friends", social.read_board_of_friends,
           "The caller and the caller's friends on a board",
           answer=answers.BoardAnswer, errors=BOARDS),
    public("GET", "/v1/socket", conversation.socket, "The WebSocket (see docs/socket.md)", status=101,
           errors=(wire.WrongSocketVersion, errors.Forbidden, errors.RateLimited, errors.Unavailable)),
    *OPERATOR_ROUTES,
    *FLEET_ROUTES,
    *PLAYER_PAGE_ROUTES,
    *CAMPAIGN_ROUTES,
    *RULES_ROUTES,
    *ADMIN_KEY_ROUTES,
    public("GET", "/live", health.live, "Whether the process answers", answer=answers.LiveAnswer),
    public("GET", "/ready", health.ready, "Whether the node takes new work", answer=answers.ReadyAnswer,
           errors=(errors.Unavailable, errors.NotFound)),
    public("GET", "/metrics", health.metrics, "Prometheus metrics"),
)  # fmt: skip
