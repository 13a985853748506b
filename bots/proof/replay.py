"""The proof of a history, without the server: the same invariants, judged by what was recorded.

Only what the run itself read can be judged; boards need a run that had an admin key.
"""

from dataclasses import dataclass
from pathlib import Path

from bots.count.document import InvariantVerdict
from bots.history.lines import read_lines
from bots.proof import invariants
from bots.proof.audit import INBOX_PATH, ProofPatience, prove_players
from bots.proof.audit import LEDGER_PATH as LEDGER
from bots.proof.boards import PresentPlayers, Rankers, prove_boards
from bots.proof.invariants import NAMES, Evidence, Fault
from bots.proof.pages import NotProvedError
from bots.proof.points import Played, prove_points
from bots.proof.recorded import RecordedClient, RecordedRun, recorded
from bots.proof.seasons import SEASONS

AUDIT = "/admin/v1/audit?"
AT_ONCE = ProofPatience(settling=0.0, mail=0.0, boards=0.0)
"""What a history doesn't have won't come."""


@dataclass(frozen=True, slots=True)
class HistoryVerdict:
    """The verdict on each invariant; `left_out` says what couldn't be judged, and why."""

    lines: int
    players: int
    invariants: list[InvariantVerdict]
    left_out: list[str]


async def check_history(path: Path) -> HistoryVerdict:
    """Judge a history; raises BadHistoryError, NotProvedError and OSError."""
    history = recorded(read_lines(path))
    if not history.players:
        raise NotProvedError(f"{path}: nobody signed up in this history, so there is nothing to prove")
    witnesses = [player for player in history.players if LEDGER in player.client.replies]
    if not witnesses:
        raise NotProvedError(f"{path}: no ledger was read in this history, so there is nothing to compare with")
    inboxes = all(INBOX_PATH in witness.client.replies for witness in witnesses)
    proved = await prove_players(witnesses, AT_ONCE, _auditor(history), inboxes=inboxes)
    faults = [fault for verdict in proved.verdicts for fault in verdict.faults()]
    counters = [verdict.checked for verdict in proved.verdicts]
    names = _names(history)
    faults = [*faults, *names.faults, *history.order.faults]
    counters += [names.checked, history.order.checked]
    left_out = _unread(len(history.players) - len(witnesses))
    try:
        reader = _reader(history)
        gone = history.gone + sum(bool(verdict.gone) for verdict in proved.verdicts)
        played = Played(proved.ledgers, gone, proved.reread)
        points = await prove_points(reader, played, AT_ONCE.boards, _asked(history, SEASONS))
        faults, counters = [*faults, *points.faults], [*counters, points.checked]
        operator = _operator(history)
        present = PresentPlayers(proved.ledgers, proved.reread, any_moment=True)
        boards = await prove_boards(reader, Rankers(operator.before(), operator), present, AT_ONCE.boards)
        faults += [difference for board in boards for difference in board.differences]
        counters.append(invariants.total([{invariants.BOARDS: board.entries} for board in boards]))
    except NotProvedError as error:
        left_out.append(f"boards: {error}")
    judged = invariants.verdicts(invariants.total(counters), faults)
    return HistoryVerdict(history.lines, len(witnesses), judged, left_out)


def _unread(players: int) -> list[str]:
    return [f"{players} players whose ledgers were not read, such as those of probes"] if players else []


def _names(history: RecordedRun) -> Evidence:
    names = Evidence()
    for name, holders in history.holders.items():
        names.checked[NAMES] += 1
        if len(holders) > 1:
            lines = [f"player {holder} was answered that it is {name}" for holder in sorted(holders)]
            names.faults.append(Fault(NAMES, f"the name {name} has {len(holders)} holders", lines))
    return names


def _reader(history: RecordedRun) -> RecordedClient:
    """Return the player that read the boards at the end."""
    for player in history.players:
        if "/v1/boards" in player.client.replies:
            return player.client
    raise NotProvedError("nobody read the list of boards at the end of this history")


def _operator(history: RecordedRun) -> RecordedClient:
    operator = _asked(history, "/admin/v1/rankings")
    if operator is None:
        raise NotProvedError("this history has no ranking: its run had no admin key")
    return operator


def _asked(history: RecordedRun, path: str) -> RecordedClient | None:
    """Return the operator that read something whose path begins so."""
    asked = (operator for operator in history.operators if any(read.startswith(path) for read in operator.replies))
    return next(asked, None)


def _auditor(history: RecordedRun) -> RecordedClient | None:
    """Return an operator with all that was read of the audit log: each generator reads it for its own players."""
    auditor = RecordedClient()
    for operator in history.operators:
        auditor.replies.update({path: reply for path, reply in operator.replies.items() if path.startswith(AUDIT)})
    return auditor if auditor.replies else None
