"""Log set-up, request ids, and every metric, declared once."""

import logging
import random
import sys
from contextvars import ContextVar
from functools import cache

import structlog
from prometheus_client import Counter, Gauge, Histogram

request_id: ContextVar[str] = ContextVar("request_id", default="")

FAST = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

REQUESTS = Counter("gameserver_requests_total", "Answers given over HTTP", ["route", "method", "status"])
FRAMES = Counter("gameserver_socket_requests_total", "Answers given over sockets", ["op", "code"])
SOCKETS = Gauge("gameserver_sockets", "Sockets open on this node")
ONLINE = Gauge("gameserver_online_players", "Players with a socket on this node")
COMMITS = Histogram("gameserver_commit_seconds", "Time of one group commit", ["database"], buckets=FAST)
BATCHES = Histogram(
    "gameserver_commit_players",
    "Players in one group commit",
    ["database"],
    buckets=[1, 2, 5, 10, 20, 50, 100, 200, 500],
)
QUEUED = Gauge("gameserver_commands_queued", "Commands that wait for their group commit", ["database"])
COMMANDS = Counter("gameserver_commands_total", "Commands decided, by how they ended", ["action", "end"])
DATABASE_FAULTS = Counter("gameserver_database_faults_total", "Transactions that failed", ["database", "kind"])
FOLLOWED = Counter("gameserver_follower_players_total", "Players written to boards", ["database"])
FOLLOWER_AGE = Gauge("gameserver_follower_age_seconds", "Since the boards were last brought up to date", ["database"])
FOLLOWER_LOADS = Counter("gameserver_follower_loads_total", "Boards loaded from the tables", ["board", "database"])
BOARD_CHECKED = Counter("gameserver_board_places_checked_total", "Places compared with the databases", ["board"])
BOARD_DIFFERENCES = Counter("gameserver_board_differences_total", "Places that weren't what they should", ["board"])
SESSIONS_CACHED = Gauge("gameserver_sessions_cached", "Checked sessions that this node remembers")
DENIED = Counter("gameserver_denied_total", "What limits have denied, by their name in the settings", ["limit"])
MOVE_PAUSES = Histogram("gameserver_move_pause_seconds", "How long a slot had no owner in a move", ["group"])
RESOLVED_CLAIMS = Counter("gameserver_claims_resolved_total", "Claims that the sweeper resolved", ["end"])

MAIL_WAITING = Gauge("gameserver_mail_waiting", "Letters in the outboxes that this node empties", ["database"])
MAIL_OLDEST = Gauge("gameserver_mail_oldest_seconds", "Since when the oldest of them waits", ["database"])
MAIL_SETTLED = Counter("gameserver_mail_delivered_total", "Letters that took effect, returned ones too", ["kind"])
MAIL_RETURNED = Counter("gameserver_mail_returned_total", "Letters turned round, or dropped then", ["kind", "reason"])


@cache
def command_ended(action: str, end: str) -> Counter:
    """The count of commands of an action that ended so; finding it by its labels each time costs more than counting."""
    return COMMANDS.labels(action, end)


@cache
def frame_answered(op: str, code: str) -> Counter:
    """The count of socket requests of an op that were answered with a code."""
    return FRAMES.labels(op, code)


@cache
def request_answered(route: str, method: str, status: int) -> Counter:
    """The count of HTTP requests to a route that were answered with a status."""
    return REQUESTS.labels(route, method, status)


@cache
def denied(limit: str) -> Counter:
    """The count of what a limit has denied."""
    return DENIED.labels(limit)


def new_request_id() -> str:
    """16 hexadecimal digits."""
    return f"{random.getrandbits(64):016x}"


def set_up_logs(level: str) -> None:
    """One JSON object a line on stderr, or coloured lines on a terminal."""
    human = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_request_id,
            *([] if human else [structlog.processors.format_exc_info]),
            console_lines() if human else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def console_lines() -> structlog.dev.ConsoleRenderer:
    """Lines for people; tracebacks are plain, since drawing them with every local took a node's loop for a second."""
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def _add_request_id(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if current := request_id.get():
        event.setdefault("request_id", current)
    return event
