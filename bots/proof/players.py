"""Judges one bot: its record against the player's state and whole ledger on the server. Pure.

The law, by kind of fault. Lost: a command was acknowledged and isn't in the ledger, or the state went back. Doubled: a
command is in the ledger more than once. Unexplained: everything else that doesn't add up, such as a command in the
ledger that was never sent or was refused, another version or state than the answer had, a gap or a repeat in the chain
of versions, EXP or HP that changed by something else than the command's events say, a present state that isn't the
ledger's last. Pushes: those that came out of order.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from bots.play.record import BotRecord
from bots.proof import invariants
from bots.proof.changes import EntryChange
from bots.proof.invariants import Fault
from bots.wire.bodies import MailSent, State

BANNED, DELETED = "banned", "deleted"
SERVER = "0"
"""The sender of the server's own letters, such as a season's rewards."""
BY_OPERATORS = frozenset({"ban", "lift_ban", "rename", "operator:correct", "operator:undo", "operator:roll_back"})
"""The actions in a ledger that operators take; no bot renames itself."""


class LedgerEntry(NamedTuple):
    """One entry of a ledger: the command, its action, the state after it, and the letters that it sent.

    The entry of a letter has the letter's id in place of a command id, an action that begins with `mail:`, and its
    sender's id: that of another player, or SERVER. `points` are what it scored; `at` is its ledger time (RFC 3339).
    `args` are those of a letter. `rescored` is by how much an operator's correction changed scores, by board. `change`
    is what the events say of EXP and HP, None if they don't.
    """

    command_id: str
    action: str
    state: State
    letters: tuple[MailSent, ...] = ()
    sender: str = ""
    points: Mapping[str, int] = {}
    at: str = ""
    args: Mapping[str, Any] = {}
    rescored: Mapping[str, int] = {}
    moves_items: bool = False
    change: EntryChange | None = None

    @property
    def is_by_others(self) -> bool:
        """Whether the entry is a letter, or an operator's change: no command of this bot explains it."""
        return self.action.startswith("mail:") or self.action in BY_OPERATORS


@dataclass(slots=True)
class PlayerVerdict:
    """The faults, one sentence each; `landed` and `absent` count the open commands that did and didn't take effect.

    Of a player that is `gone`, BANNED or DELETED, the server shows nothing, so nothing is compared. `checked` counts
    what was compared, by invariant.
    """

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    pushes: list[str] = field(default_factory=list)
    gone: str = ""
    checked: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    landed: int = 0
    absent: int = 0

    def clean(self) -> bool:
        """Return whether there is no fault."""
        return not self.faults()

    def faults(self) -> list[str]:
        """Return all faults, of every kind."""
        return [*self.lost, *self.doubled, *self.unexplained, *self.pushes]


def judge(record: BotRecord, present: State, ledger: Sequence[LedgerEntry]) -> PlayerVerdict:
    """Compare a bot's record with the present state and the ledger, whose entries may come in any order."""
    ledger = sorted(ledger, key=lambda entry: -entry.state.version)
    own_items = not any(entry.is_by_others and entry.moves_items for entry in ledger)
    verdict = PlayerVerdict(unexplained=of_answers(record, items=own_items), acknowledged=len(record.acknowledged))
    times = Counter(entry.command_id for entry in ledger)
    entries = {entry.command_id: entry for entry in ledger}
    _judge_acknowledged(record, entries, verdict)
    _judge_entries(record, times, entries, verdict)
    _judge_versions(record, entries, verdict)
    _judge_chain(record, ledger, verdict)
    _judge_changes(record, ledger, verdict)
    _judge_present(record, present, ledger, verdict)
    _judge_seen(record, ledger, verdict)
    verdict.checked.update(
        {
            invariants.KEPT: len(record.acknowledged),
            invariants.ONCE: len(ledger) + record.compared + record.signed_up_twice,
            invariants.ANSWERS: len(record.acknowledged),
            invariants.CHAIN: len(ledger),
            invariants.STATE: 1,
            invariants.REFUSED: len(record.refused),
            invariants.FRESH: record.reads,
            invariants.SEEN: len(record.seen),
            invariants.CONTRACT: len(record.acknowledged) + len(record.refused),
        }
    )
    return verdict


def of_answers(record: BotRecord, *, items: bool = True, gone: bool = False) -> list[str]:
    """Return the faults that the answers show by themselves.

    Without those of `items` if others gave or took some, or may have: the bot's own commands don't explain them then,
    and only the whole ledger does. Who is `gone` may have been denied to sign in.
    """
    by_invariant = (
        (invariants.CONTRACT, [*record.problems, *([] if gone else record.denials)]),
        (invariants.ONCE, record.disagreements),
        (invariants.SEEN, record.contradictions),
        (invariants.FRESH, record.stale),
        (invariants.ITEMS, record.item_faults if items else []),
    )
    return [
        Fault(invariant, f"player {record.player_id}: {sentence}")
        for invariant, sentences in by_invariant
        for sentence in sentences
    ]


def _judge_acknowledged(record: BotRecord, entries: Mapping[str, LedgerEntry], verdict: PlayerVerdict) -> None:
    """Every acknowledged command is in the ledger, with the state and the letters of its answer."""
    for command_id, state in record.acknowledged.items():
        entry = entries.get(command_id)
        if entry is None:
            lines = around(state.version, entries.values())
            told = f"{command_id} was acknowledged as version {state.version} and isn't in the ledger"
            verdict.lost.append(_fault(invariants.KEPT, record, told, lines))
            continue
        if entry.state != state:
            told = f"{command_id} was answered with {state}, the ledger has {entry.state}"
            verdict.unexplained.append(_fault(invariants.ANSWERS, record, told))
        if entry.letters != record.letters.get(command_id, ()):
            letters = ", ".join(map(str, entry.letters)) or "no letters"
            told = f"{command_id} was answered with other letters than the ledger has: {letters}"
            verdict.unexplained.append(_fault(invariants.ANSWERS, record, told))


def _judge_entries(
    record: BotRecord, times: Counter[str], entries: Mapping[str, LedgerEntry], verdict: PlayerVerdict
) -> None:
    """Every entry is there once and belongs to a command that the bot sent; bots/proof/letters.py judges mail."""
    for command_id, count in times.items():
        if count > 1:
            verdict.doubled.append(_fault(invariants.ONCE, record, f"{command_id} is in the ledger {count} times"))
        if entries[command_id].is_by_others:
            continue
        if command_id in record.open:
            verdict.landed += 1
        elif command_id in record.refused:
            told = f"{command_id} was refused and yet is in the ledger, as {entries[command_id].action}"
            lines = around(entries[command_id].state.version, entries.values())
            verdict.unexplained.append(_fault(invariants.REFUSED, record, told, lines))
        elif command_id not in record.acknowledged and command_id != record.sign_up_id:
            told = f"{command_id} ({entries[command_id].action}) is in the ledger and was never sent"
            verdict.unexplained.append(_fault(invariants.ANSWERS, record, told))
    verdict.absent = len(record.open) - verdict.landed


def _judge_versions(record: BotRecord, entries: Mapping[str, LedgerEntry], verdict: PlayerVerdict) -> None:
    """Every version was answered once, except those of open commands that took effect, and of mail."""
    times = Counter(state.version for state in record.acknowledged.values())
    for version, count in times.items():
        if count > 1:
            told = f"{count} commands were answered with version {version}"
            verdict.unexplained.append(_fault(invariants.CHAIN, record, told, around(version, entries.values())))
    if times and record.first is not None:
        explained = {
            entry.state.version for entry in entries.values() if entry.is_by_others or entry.command_id in record.open
        }
        missing = set(range(record.first.version + 1, max(times) + 1)) - times.keys() - explained
        if missing:
            told = f"{len(missing)} versions belong to no command; the first is {min(missing)}"
            lines = around(min(missing), entries.values())
            verdict.unexplained.append(_fault(invariants.CHAIN, record, told, lines))


def _judge_chain(record: BotRecord, ledger: Sequence[LedgerEntry], verdict: PlayerVerdict) -> None:
    """From entry to entry the ledger's version falls by one, down to the sign-up."""
    for newer, older in pairwise(ledger):
        if newer.state.version != older.state.version + 1:
            told = f"ledger: version {newer.state.version} follows on version {older.state.version}"
            lines = around(newer.state.version, (newer, older))
            verdict.unexplained.append(_fault(invariants.CHAIN, record, told, lines))
    if ledger and record.first is not None:
        oldest = ledger[-1]
        start = record.first.version + (oldest.command_id != record.sign_up_id)
        if oldest.state.version != start:
            told = f"the ledger begins at version {oldest.state.version}, not at {start}"
            verdict.unexplained.append(_fault(invariants.CHAIN, record, told))


def _judge_changes(record: BotRecord, ledger: Sequence[LedgerEntry], verdict: PlayerVerdict) -> None:
    """From entry to entry EXP and HP change by what the newer one's events say, so what it did counts once."""
    for newer, older in pairwise(ledger):
        after, before = newer.state, older.state
        if newer.change is None or after.version != before.version + 1:
            continue
        found = [("EXP", newer.change.exp, after.exp - before.exp)]
        # With another max_hp, HP are cut to it first: after a change of class, or of the rules.
        if (before.class_name, before.level, before.max_hp) == (after.class_name, after.level, after.max_hp):
            found.append(("HP", newer.change.hp, after.hp - before.hp))
        for what, said, changed in found:
            if said != changed:
                told = f"version {after.version} ({newer.action}): {what} changed by {changed}, its events say {said}"
                verdict.unexplained.append(_fault(invariants.ONCE, record, told, around(after.version, (newer, older))))


def _judge_present(record: BotRecord, present: State, ledger: Sequence[LedgerEntry], verdict: PlayerVerdict) -> None:
    """The present state is the ledger's last, and not older than the latest answer or push."""
    last = ledger[0].state if ledger else record.first
    if present != last:
        told = f"the player is at {present}, the ledger ends in {last or 'nothing'}"
        verdict.unexplained.append(_fault(invariants.STATE, record, told))
    latest = record.latest
    if latest is None or present == latest:
        return
    if present.version < latest.version:
        told = f"version {latest.version} was answered, the player is back at {present.version}"
        verdict.lost.append(_fault(invariants.SEEN, record, told))
    elif present.version == latest.version:
        told = f"the player is at {present}, the latest answer was {latest}"
        verdict.unexplained.append(_fault(invariants.SEEN, record, told))
    elif verdict.landed + _others_since(latest, ledger) < present.version - latest.version:
        told = f"version {latest.version} was the latest answer, the player is at {present.version}"
        verdict.unexplained.append(_fault(invariants.CHAIN, record, told))


def _others_since(latest: State, ledger: Sequence[LedgerEntry]) -> int:
    return sum(entry.is_by_others and entry.state.version > latest.version for entry in ledger)


def _judge_seen(record: BotRecord, ledger: Sequence[LedgerEntry], verdict: PlayerVerdict) -> None:
    """Every state that a read, a push or a hello showed is the ledger's state of that version."""
    states = {entry.state.version: entry.state for entry in ledger}
    for version, state in record.seen.items():
        if record.first is not None and version <= record.first.version:
            continue
        if (stored := states.get(version)) != state:
            told = f"{state} was shown, the ledger has {stored or 'no such version'}"
            verdict.unexplained.append(_fault(invariants.SEEN, record, told, around(version, ledger)))


def around(version: int, entries: Iterable[LedgerEntry]) -> list[str]:
    """Tell what the ledger has near a version."""
    near = sorted((entry for entry in entries if abs(entry.state.version - version) <= 1), key=_version_of)
    return [f"ledger: version {entry.state.version}: {entry.command_id} ({entry.action})" for entry in near]


def _version_of(entry: LedgerEntry) -> int:
    return entry.state.version


def _fault(invariant: str, record: BotRecord, told: str, lines: Iterable[str] = ()) -> Fault:
    return Fault(invariant, f"player {record.player_id}: {told}", lines)
