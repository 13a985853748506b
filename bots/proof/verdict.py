"""The judgement of one bot: what it was told against the player's state and whole ledger on the server. Pure.

Lost: acknowledged, but not kept (or the state went back). Doubled: kept more than once. Unexplained: whatever
else doesn't add up: a command never sent or refused yet kept, another version or state than told, a gap or a
repeat in the chain of versions, a present state that isn't the ledger's last. Pushes: those that came out of order.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from bots.play.told import Told
from bots.wire.wire import State


class Entry(NamedTuple):
    """One line of a ledger: the command, the state after it, and its letters' ids, recipients and kinds.

    A letter that came from another player has its id in place of a command's, and an action that begins with `mail:`.
    """

    command_id: str
    action: str
    state: State
    letters: tuple[tuple[str, str, str], ...] = ()

    @property
    def is_mail(self) -> bool:
        """Whether it came from another player, which no command of the bot's own explains."""
        return self.action.startswith("mail:")


@dataclass(slots=True)
class Verdict:
    """The faults found, one sentence each; `landed` and `absent` tell what became of open commands."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    pushes: list[str] = field(default_factory=list)
    acknowledged: int = 0
    landed: int = 0
    absent: int = 0

    def clean(self) -> bool:
        """Return whether no fault was found."""
        return not (self.lost or self.doubled or self.unexplained or self.pushes)


def judge(told: Told, present: State, ledger: Sequence[Entry]) -> Verdict:
    """Hold a bot's record against the present state and the ledger, whose entries may come in any order."""
    ledger = sorted(ledger, key=lambda entry: -entry.state.version)
    verdict = Verdict(unexplained=[*told.problems, *told.disagreements], acknowledged=len(told.acknowledged))
    kept = Counter(entry.command_id for entry in ledger)
    entries = {entry.command_id: entry for entry in ledger}
    _judge_acknowledged(told, kept, entries, verdict)
    _judge_others(told, kept, entries, verdict)
    _judge_told_versions(told, entries, verdict)
    _judge_chain(told, ledger, verdict)
    _judge_present(told, present, ledger, verdict)
    return verdict


def _judge_acknowledged(told: Told, kept: Counter[str], entries: dict[str, Entry], verdict: Verdict) -> None:
    for command_id, state in told.acknowledged.items():
        if not kept[command_id]:
            verdict.lost.append(f"{command_id} was acknowledged as version {state.version} and isn't in the ledger")
            continue
        entry = entries[command_id]
        if entry.state != state:
            verdict.unexplained.append(f"{command_id} was told {state}, the ledger keeps {entry.state}")
        if entry.letters != told.letters.get(command_id, ()):
            verdict.unexplained.append(f"{command_id} was told other letters than {entry.letters}")


def _judge_others(told: Told, kept: Counter[str], entries: dict[str, Entry], verdict: Verdict) -> None:
    """Whether the bot has asked for what is kept; mail is held against its senders (bots/letters.py)."""
    for command_id, times in kept.items():
        if times > 1:
            verdict.doubled.append(f"{command_id} is in the ledger {times} times")
        if entries[command_id].is_mail:
            continue
        if command_id in told.open:
            verdict.landed += 1
        elif command_id in told.refused:
            verdict.unexplained.append(f"{command_id} was refused and yet is in the ledger")
        elif command_id not in told.acknowledged and command_id != told.sign_up_id:
            verdict.unexplained.append(f"{command_id} is in the ledger and was never sent")
    verdict.absent = len(told.open) - verdict.landed


def _judge_told_versions(told: Told, entries: dict[str, Entry], verdict: Verdict) -> None:
    """Every acknowledged version is told once; those between belong to open commands that landed, and to mail."""
    times = Counter(state.version for state in told.acknowledged.values())
    for version, count in times.items():
        if count > 1:
            verdict.unexplained.append(f"{count} commands were each told that they made version {version}")
    if times and told.first is not None:
        others = {each.state.version for each in entries.values() if each.is_mail or each.command_id in told.open}
        missing = set(range(told.first.version + 1, max(times) + 1)) - times.keys() - others
        if missing:
            verdict.unexplained.append(f"nobody was told of {len(missing)} versions, the first is {min(missing)}")


def _judge_chain(told: Told, ledger: Sequence[Entry], verdict: Verdict) -> None:
    """The ledger falls by one version a line, down to the sign-up."""
    for newer, older in pairwise(ledger):
        if newer.state.version != older.state.version + 1:
            verdict.unexplained.append(
                f"ledger: version {newer.state.version} follows on version {older.state.version}"
            )
    if ledger and told.first is not None:
        oldest = ledger[-1]
        start = told.first.version + (oldest.command_id != told.sign_up_id)
        if oldest.state.version != start:
            verdict.unexplained.append(f"the ledger begins at version {oldest.state.version}, not at {start}")


def _judge_present(told: Told, present: State, ledger: Sequence[Entry], verdict: Verdict) -> None:
    last = ledger[0].state if ledger else told.first
    if present != last:
        verdict.unexplained.append(f"the player is {present}, the ledger ends in {last}")
    latest = told.latest
    if latest is None or present == latest:
        return
    if present.version < latest.version:
        verdict.lost.append(f"version {latest.version} was told, the player is back at {present.version}")
    elif present.version == latest.version:
        verdict.unexplained.append(f"the player is {present}, told was {latest}")
    elif verdict.landed + _mail_since(latest, ledger) < present.version - latest.version:
        verdict.unexplained.append(f"version {latest.version} was told last, the player is at {present.version}")


def _mail_since(latest: State, ledger: Sequence[Entry]) -> int:
    return sum(entry.is_mail and entry.state.version > latest.version for entry in ledger)
