"""Request ids, and every metric, declared once.

Law: no label has a value that a stranger or a rule of the game makes up, so series and what is cached here are few:
codes of errors are those of `code_labels`, paths are the routes that they fit, and other names are the settings' or the
game's.
"""

import random
from collections.abc import Collection, Iterator
from contextvars import ContextVar
from functools import cache

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Metric
from prometheus_client.registry import Collector

from gameserver.timings import Counts, LabelledCount, Timings

request_id: ContextVar[str] = ContextVar("request_id", default="")

FAST = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

REQUESTS = Counts("gameserver_requests_total", "Answers over HTTP", ["route", "method", "status"])
REQUEST_SECONDS = Timings(
    "gameserver_request_seconds", "Time until an HTTP request was answered, by route", ["route", "method"], FAST
)
COMMAND_SECONDS = Timings(
    "gameserver_command_seconds", "Time until a player's action was committed or refused", ["action"], FAST
)
REFUSALS = Counter("gameserver_refusals_total", "Requests over HTTP that were answered with an error", ["code"])
FRAMES = Counts("gameserver_socket_requests_total", "Answers over sockets", ["op", "code"])
SOCKETS = Gauge("gameserver_sockets", "Sockets open on this node")
ONLINE = Gauge("gameserver_online_players", "Players with a socket on this node")
COMMITS = Histogram("gameserver_commit_seconds", "Time of one group commit", ["database"], buckets=FAST)
BATCHES = Histogram(
    "gameserver_commit_players",
    "Players in one group commit",
    ["database"],
    buckets=[1, 2, 5, 10, 20, 50, 100, 200, 500],
)
QUEUED = Gauge("gameserver_commands_queued", "Commands that wait for a group commit", ["database"])
COMMANDS = Counts("gameserver_commands_total", "Commands, by outcome", ["action", "end"])
SLOW_RULES = Counter("gameserver_slow_rules_total", "Rules that took longer than 50 ms, by action", ["action"])
RULE_FAULTS = Counter("gameserver_rule_faults_total", "Rules that raised or broke the law of players", ["action"])
SLOW_COMMITS = Counter("gameserver_slow_commits_total", "Group commits that took longer than 1 s", ["database"])
DATABASE_FAULTS = Counter("gameserver_database_faults_total", "Transactions that failed", ["database", "kind"])
POOL_USED = Gauge("gameserver_pool_used", "Connections to a database in use", ["database", "purpose"])
POOL_WAITING = Gauge("gameserver_pool_waiting", "How many wait for such a connection", ["database", "purpose"])
PRIMARY = Gauge("gameserver_database_primary", "1 for the address of the primary seen last", ["database", "address"])
CLOCK_DIFFERENCE = Gauge(
    "gameserver_clock_difference_seconds", "How far a database's clock is ahead of this machine's", ["database"]
)
REPLICA_AGE = Gauge(
    "gameserver_replica_age_seconds",
    "How old what a replica shows may be; Inf if it can't be used",
    ["database", "replica"],
)
REPLICA_BEHIND = Gauge(
    "gameserver_replica_behind_bytes",
    "Log of the primary that a replica hasn't replayed as far as is known; NaN if it isn't known to be one of it",
    ["database", "replica"],
)
REPLICA_POSITION = Gauge(
    "gameserver_replica_position_bytes",
    "The position in the log up to which a replica has replayed it when it answered last; NaN as above",
    ["database", "replica"],
)
RECONCILED = Counter(
    "gameserver_reconciled_total", "Comparisons of failed-over databases with the slot map", ["database", "end"]
)
RECONCILED_SLOTS = Counter(
    "gameserver_reconciled_slots_total", "Slots that differed from the map then, by what was done", ["group", "what"]
)
BACKUPS = Gauge("gameserver_backups", "Base backups that are kept", ["database"])
BACKUP_AGE = Gauge("gameserver_backup_age_seconds", "Seconds since the newest base backup ended", ["database"])
BACKUP_BYTES = Gauge("gameserver_backup_bytes", "Size of the newest base backup", ["database"])
BACKUP_LOG_BYTES = Gauge("gameserver_backup_log_bytes", "Size of the log that is kept for backups", ["database"])
BACKUP_LOG_GAP = Gauge(
    "gameserver_backup_log_gap", "1 if the log behind the newest base backup has a gap, else 0", ["database"]
)
BACKUP_LOG_FOLLOWED = Gauge(
    "gameserver_backup_log_followed", "1 if the log of a database is being kept for backups, else 0", ["database"]
)
PLAYER_READS = Counter(
    "gameserver_player_reads_total",
    "Players read for players, by who answered: a replica, the primary, or the primary instead of a replica that was "
    "behind or didn't answer",
    ["source"],
)
FOLLOWED = Counter("gameserver_follower_players_total", "Players written to boards", ["database"])
FOLLOWER_AGE = Gauge("gameserver_follower_age_seconds", "Seconds since the boards were last up to date", ["database"])
FOLLOWER_LOADS = Counter("gameserver_follower_loads_total", "Boards loaded from the tables", ["board", "database"])
BOARD_CHECKED = Counter("gameserver_board_places_checked_total", "Places compared with the databases", ["board"])
BOARD_DIFFERENCES = Counter("gameserver_board_differences_total", "Places that differed from the databases", ["board"])
SESSIONS_CACHED = Gauge("gameserver_sessions_cached", "Sessions in this node's cache")
WRONG_KEYS = Counter("gameserver_wrong_keys_total", "Wrong keys, of operators and of back ends", ["door"])
DENIED = Counter("gameserver_denied_total", "Requests denied, by the limit's name in the settings", ["limit"])
SPANS = Counter("gameserver_spans_total", "Spans of traces: sent, failed at the collector, or dropped", ["end"])
LOG_LINES_DROPPED = Counter("gameserver_log_lines_dropped_total", "Lines of log that couldn't be written")
MOVE_PAUSES = Histogram("gameserver_move_pause_seconds", "How long a slot had no owner during a move", ["group"])
MOVES_OPEN = Gauge("gameserver_moves_open", "Moves of slots that aren't over: going on, or with a problem", ["state"])
MOVE_AGE = Gauge(
    "gameserver_move_progress_age_seconds",
    "How long the slowest move that this node or nobody carries out has got no further, but for its turn",
)
MOVE_ROWS = Gauge("gameserver_move_rows_copied", "Rows copied so far by the open moves that this node carries out")
RESOLVED_CLAIMS = Counter("gameserver_claims_resolved_total", "Claims that the sweeper resolved", ["end"])

CAMPAIGNS = Gauge(
    "gameserver_campaigns", "Campaigns that aren't over: waiting for a second operator, or running", ["state"]
)
CAMPAIGN_LETTERS = Counter("gameserver_campaign_letters_total", "Letters of campaigns that this node has sent", ["end"])
CAMPAIGN_LEFT = Gauge("gameserver_campaign_letters_left", "Letters that running campaigns have still to send")
CAMPAIGN_AGE = Gauge(
    "gameserver_campaign_progress_age_seconds", "How long the running campaign that is slowest has sent nothing"
)
RULEBOOK = Gauge("gameserver_rulebook_number", "The number of the rules that this node plays by; 0 if it has none")
LEDGER_WEEKS_DROPPED = Counter("gameserver_ledger_weeks_dropped_total", "Old weeks of the ledger dropped", ["database"])
LEDGER_WEEKS_OVERDUE = Gauge(
    "gameserver_ledger_weeks_overdue", "Old weeks of the ledger that something holds up", ["database"]
)
MAIL_WAITING = Gauge("gameserver_mail_waiting", "Letters in the outboxes that this node empties", ["database"])
MAIL_OLDEST = Gauge("gameserver_mail_oldest_seconds", "How long the oldest of them has waited", ["database"])
MAIL_SETTLED = Counter("gameserver_mail_delivered_total", "Letters that took effect, including returned ones", ["kind"])
MAIL_RETURNED = Counter("gameserver_mail_returned_total", "Letters sent back, or dropped", ["kind", "reason"])


class CurrentFigures(Collector):
    """All metrics of the process, but no gauge of a database that it has left: those would say for ever what was last
    seen of it, and alerts would, too."""

    def __init__(self, left: Collection[str]) -> None:
        """`left` are databases that no group has any more."""
        self._left = left

    def collect(self) -> Iterator[Metric]:
        """What Prometheus reads."""
        for family in REGISTRY.collect():
            if family.type == "gauge":
                family.samples = [each for each in family.samples if each.labels.get("database") not in self._left]
            yield family


@cache
def command_ended(action: str, end: str) -> LabelledCount:
    """The counter of an action's commands with this outcome. Cached: a look-up by labels costs more than counting."""
    return COMMANDS.of(action, end)


@cache
def frame_answered(op: str, code: str) -> LabelledCount:
    """The counter of an op's socket requests that were answered with this code."""
    return FRAMES.of(op, code)


@cache
def request_answered(route: str, method: str, status: int) -> LabelledCount:
    """The counter of a route's HTTP requests that were answered with this status."""
    return REQUESTS.of(route, method, str(status))


@cache
def refused(code: str) -> Counter:
    """The counter of HTTP requests that were answered with this error."""
    return REFUSALS.labels(code)


@cache
def players_read(source: str) -> Counter:
    """The counter of players that were read from this source."""
    return PLAYER_READS.labels(source)


@cache
def denied(limit: str) -> Counter:
    """The counter of requests that a limit has denied."""
    return DENIED.labels(limit)


def new_request_id() -> str:
    """16 hexadecimal digits."""
    return f"{random.getrandbits(64):016x}"
