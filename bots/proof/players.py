"""Judges one bot: its record against the player's state and whole ledger on the server. Pure.

The law, by kind of fault. Lost: a command was acknowledged and isn't in the ledger, or the state went back. Doubled: a
command is in the ledger more than once. Unexplained: everything else that doesn't add up, such as a command in the
ledger that was never sent or was refused, another version or state than the answer had, a gap or a repeat in the chain
of versions, a present state that isn't the ledger's last. Pushes: those that came out of order.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from bots.play.record import BotRecord
from bots.wire.bodies import MailSent, State

SERVER = "0"
"""The sender of the server's own letters, such as a season's rewards."""
BY_OPERATORS = frozenset({"ban", "lift_ban"})
"""The actions in a ledger that operators take."""


class LedgerEntry(NamedTuple):
    """One entry of a ledger: the command, its action, the state after it, and the letters that it sent.

    The entry of a letter has the letter's id in place of a command id, an action that begins with `mail:`, and its
    sender's id: that of another player, or SERVER.
    """

    command_id: str
    action: str
    state: State
    letters: tuple[MailSent, ...] = ()
    sender: str = ""

    @property
    def is_by_others(self) -> bool:
        """Whether the entry is a letter, or an operator's change: no command of this bot explains it."""
        return self.action.startswith("mail:") or self.action in BY_OPERATORS


@dataclass(slots=True)
class PlayerVerdict:
    """The faults, one sentence each; `landed` and `absent` count the open commands that did and didn't take effect.

    Of a player that is `banned` the server shows nothing, so nothing is compared.
    """

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    pushes: list[str] = field(default_factory=list)
    banned: bool = False
    acknowledged: int = 0
    landed: int = 0
    absent: int = 0

    def clean(self) -> bool:
        """Return whether there is no fault."""
        return not (self.lost or self.doubled or self.unexplained or self.pushes)


def judge(record: BotRecord, present: State, ledger: Sequence[LedgerEntry]) -> PlayerVerdict:
    """Compare a bot's record with the present state and the ledger, whose entries may come in any order."""
    ledger = sorted(ledger, key=lambda entry: -entry.state.version)
    verdict = PlayerVerdict(
        unexplained=[*record.problems, *record.disagreements], acknowledged=len(record.acknowledged)
    )
    times = Counter(entry.command_id for entry in ledger)
    entries = {entry.command_id: entry for entry in ledger}
    _judge_acknowledged(record, entries, verdict)
    _judge_entries(record, times, entries, verdict)
    _judge_versions(record, entries, verdict)
    _judge_chain(record, ledger, verdict)
    _judge_present(record, present, ledger, verdict)
    return verdict


def _judge_acknowledged(record: BotRecord, entries: Mapping[str, LedgerEntry], verdict: PlayerVerdict) -> None:
    """Every acknowledged command is in the ledger, with the state and the letters of its answer."""
    for command_id, state in record.acknowledged.items():
        entry = entries.get(command_id)
        if entry is None:
            verdict.lost.append(f"{command_id} was acknowledged as version {state.version} and isn't in the ledger")
            continue
        if entry.state != state:
            verdict.unexplained.append(f"{command_id} was answered with {state}, the ledger has {entry.state}")
        if entry.letters != record.letters.get(command_id, ()):
            verdict.unexplained.append(f"{command_id} was answered with other letters than {entry.letters}")


def _judge_entries(
    record: BotRecord, times: Counter[str], entries: Mapping[str, LedgerEntry], verdict: PlayerVerdict
) -> None:
    """Every entry is there once and belongs to a command that the bot sent; bots/proof/letters.py judges mail."""
    for command_id, count in times.items():
        if count > 1:
            verdict.doubled.append(f"{command_id} is in the ledger {count} times")
        if entries[command_id].is_by_others:
            continue
        if command_id in record.open:
            verdict.landed += 1
        elif command_id in record.refused:
            verdict.unexplained.append(f"{command_id} was refused and yet is in the ledger")
        elif command_id not in record.acknowledged and command_id != record.sign_up_id:
            verdict.unexplained.append(f"{command_id} is in the ledger and was never sent")
    verdict.absent = len(record.open) - verdict.landed


def _judge_versions(record: BotRecord, entries: Mapping[str, LedgerEntry], verdict: PlayerVerdict) -> None:
    """Every version was answered once, except those of open commands that took effect, and of mail."""
    times = Counter(state.version for state in record.acknowledged.values())
    for version, count in times.items():
        if count > 1:
            verdict.unexplained.append(f"{count} commands were answered with version {version}")
    if times and record.first is not None:
        explained = {
            entry.state.version for entry in entries.values() if entry.is_by_others or entry.command_id in record.open
        }
        missing = set(range(record.first.version + 1, max(times) + 1)) - times.keys() - explained
        if missing:
            verdict.unexplained.append(f"{len(missing)} versions belong to no command; the first is {min(missing)}")


def _judge_chain(record: BotRecord, ledger: Sequence[LedgerEntry], verdict: PlayerVerdict) -> None:
    """From entry to entry the ledger's version falls by one, down to the sign-up."""
    for newer, older in pairwise(ledger):
        if newer.state.version != older.state.version + 1:
            verdict.unexplained.append(
                f"ledger: version {newer.state.version} follows on version {older.state.version}"
            )
    if ledger and record.first is not None:
        oldest = ledger[-1]
        start = record.first.version + (oldest.command_id != record.sign_up_id)
        if oldest.state.version != start:
            verdict.unexplained.append(f"the ledger begins at version {oldest.state.version}, not at {start}")


def _judge_present(record: BotRecord, present: State, ledger: Sequence[LedgerEntry], verdict: PlayerVerdict) -> None:
    """The present state is the ledger's last, and not older than the latest answer or push."""
    last = ledger[0].state if ledger else record.first
    if present != last:
        verdict.unexplained.append(f"the player is {present}, the ledger ends in {last}")
    latest = record.latest
    if latest is None or present == latest:
        return
    if present.version < latest.version:
        verdict.lost.append(f"version {latest.version} was answered, the player is back at {present.version}")
    elif present.version == latest.version:
        verdict.unexplained.append(f"the player is {present}, the latest answer was {latest}")
    elif verdict.landed + _others_since(latest, ledger) < present.version - latest.version:
        verdict.unexplained.append(
            f"version {latest.version} was the latest answer, the player is at {present.version}"
        )


def _others_since(latest: State, ledger: Sequence[LedgerEntry]) -> int:
    return sum(entry.is_by_others and entry.state.version > latest.version for entry in ledger)
