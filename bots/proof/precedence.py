"""What the order of a history's lines alone shows: a player's commands, sessions that ended, bans and deletions. Pure.

Law: only what was acknowledged before a request was sent binds it; requests that overlap prove nothing. A new command
that is sent after another one's answer has a higher version than that one. What is sent after a sign-out, a ban or a
deletion was answered isn't carried out, unless a sign-in or the end of the ban came before its answer.
"""

from dataclasses import dataclass

from bots.history.lines import OK, HistoryLine
from bots.proof.invariants import BANS, ORDER, SESSIONS, Evidence, Fault
from bots.wire.bodies import parse_state

SIGNED_OUT, DELETED, BANNED = "had signed out everywhere", "was deleted", "was banned"
OPENS_SESSION = frozenset({"sign_up", "sign_in"})
ENDS = {"sign_out": SIGNED_OUT, "delete": DELETED}


@dataclass(frozen=True, slots=True)
class Floor:
    """What was acknowledged when a command was first sent: the highest version, and what had `ended` its player."""

    version: int
    ended: str


class Precedence:
    """Takes the commands of all players and what ends them, in the order of the lines."""

    def __init__(self) -> None:
        self.evidence = Evidence()
        self._floors: dict[int, Floor] = {}
        self._sent: set[str] = set()
        self._versions: dict[str, int] = {}
        self._ended: dict[int, str] = {}
        self._banned: set[str] = set()

    def sends(self, line: HistoryLine, player_id: str) -> None:
        """A command is about to be sent; one that is sent again may be answered with an earlier version."""
        command_id = str(line.value.get("command_id"))
        version = 0 if command_id in self._sent else self._versions.get(player_id, 0)
        self._sent.add(command_id)
        ended = self._ended.get(line.process, "") or (BANNED if player_id in self._banned else "")
        self._floors[line.index] = Floor(version, ended)

    def answered(self, line: HistoryLine, player_id: str) -> None:
        """A command has ended; raises BadAnswerError."""
        floor = self._floors.pop(line.operation or 0, None)
        if floor is None or line.type != OK:
            return
        version = parse_state(line.value.get("player")).version
        told = f"player {player_id}: {line.value.get('command_id')} was answered with version {version}"
        if floor.version:
            self.evidence.checked[ORDER] += 1
            if version <= floor.version:
                later = f"{told}, and was sent after version {floor.version} had been answered"
                self.evidence.faults.append(Fault(ORDER, later))
        if floor.ended and self._is_still(floor.ended, line.process, player_id):
            invariant = SESSIONS if floor.ended == SIGNED_OUT else BANS
            self.evidence.faults.append(Fault(invariant, f"{told}, and was sent after the player {floor.ended}"))
        self._versions[player_id] = max(version, self._versions.get(player_id, 0))

    def refused(self, line: HistoryLine) -> None:
        """A command was refused: as it must be after its player's end."""
        floor = self._floors.pop(line.operation or 0, None)
        if floor is not None and floor.ended:
            self.evidence.checked[SESSIONS if floor.ended == SIGNED_OUT else BANS] += 1

    def carried_out(self, line: HistoryLine, path: str) -> None:
        """Another request has succeeded; the path of an operator's names the player."""
        if line.f in OPENS_SESSION:
            self._ended.pop(line.process, None)
        elif line.f in ENDS:
            self._ended[line.process] = ENDS[line.f]
        elif line.f == "ban":
            self._banned.add(_player_in(path))
        elif line.f == "lift_ban":
            self._banned.discard(_player_in(path))

    def _is_still(self, ended: str, process: int, player_id: str) -> bool:
        return player_id in self._banned if ended == BANNED else self._ended.get(process) == ended


def _player_in(path: str) -> str:
    """The player of /admin/v1/players/{id}/ban."""
    return path.partition("/players/")[2].partition("/")[0]
